"""One built warehouse, one bucket and one browser for all tests of the page."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from chromium import Chromium
from page_world import PATIENT, World, add_hostile_events, note_archives
from raw_loads import add_load, query

from benchmarks.clickstream import Columns, as_event_file
from flows.errors import Interrupted
from flows.import_events import import_file
from flows.sandbox.amplitude.clickstream import SAMPLE
from flows.sandbox.postgres import Postgres
from flows.sandbox.s3 import S3Server
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse.dbt_build import RECONCILIATION, run_build

#: Set by .ci/run, which installs a Chromium: there a missing one is a failure.
NEEDED = os.environ.get("DWH_TESTS_NEED_CHROMIUM") == "1"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def world(
    postgres_server: Postgres,
    s3_server: S3Server,
    dbt_scratch: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """The shipped clicks, imported; a day of hostile names; a load that waits before the gate."""
    postgres_server.drop_database("flows")
    url = postgres_server.create_database("flows")
    variables = {"DWH_DATABASE_URL": url, **s3_server.variables("page")}
    s3_server.create_bucket("page")
    file = tmp_path_factory.mktemp("events") / "clicks.csv"
    events = as_event_file(SAMPLE, Columns(), file)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        import_file(file)
        later = [*add_hostile_events(url)]
        settings = Dwh(database_url=url)
        build(settings=settings)
        note_archives(url)
        run_build(RECONCILIATION, settings=settings)
        # Behind the build: its findings stand in audit, nothing else changes.
        add_load(url, "amplitude/web/2024_week_23.zip", [{"shoe_size": PATIENT}])
        with pytest.raises(Interrupted, match="unknown key 'shoe_size'"):
            build("int_loads__checked", settings=settings)
    query(
        url,
        "insert into raw.loads (source, file_key, etag, size_bytes, status, last_line, error)"
        " values ('appmetrica', 'appmetrica/1/events/2024-06-05.ndjson.gz', '', 0, 'failed', 6,"
        " 'line 7 is no JSON'), ('amplitude_web', 'amplitude/web/2024_week_01.zip', '', 0,"
        " 'withdrawn', 9, 'sent by a <test> device')",
    )
    yield World(variables, pd.concat([events, pd.DataFrame(later)], ignore_index=True))
    postgres_server.drop_database("flows")


@pytest.fixture
def page_env(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Every flow runs on the built warehouse and the bucket "page"."""
    for name, value in world.variables.items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A real browser. Without one these tests are left out, or fail where CI says so."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        reason = f"none of {', '.join(PROGRAMS)} is here: apt-get install chromium"
        pytest.fail(reason) if NEEDED else pytest.skip(reason)
    with Chromium(program, tmp_path_factory.mktemp("chromium") / "profile") as browser:
        yield browser

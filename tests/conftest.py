"""Real servers: one PostgreSQL and one S3 a session, a fresh database and bucket a test.

No test reads a developer's `.env`, variables or Prefect profile, and none talks to the network.
"""

import os
import tempfile
import uuid

# Prefect reads its home when it is imported, so this stands before all other imports.
_prefect_home = tempfile.TemporaryDirectory(
    prefix="dwh-helper-prefect-", ignore_cleanup_errors=True
)
for _name in [name for name in os.environ if name.startswith("PREFECT_")]:
    del os.environ[_name]
os.environ |= {
    "PREFECT_HOME": _prefect_home.name,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
    # A first flow without prefect_server starts one, which takes long on two busy cores.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}

import gc  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from prefect.settings import (  # noqa: E402
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    temporary_settings,
)

from flows import patience  # noqa: E402
from flows.lake.bucket import Bucket  # noqa: E402
from flows.sandbox.amplitude import MOBILE, WEB, AmplitudeSimulator  # noqa: E402
from flows.sandbox.appmetrica import Application, AppMetricaSimulator  # noqa: E402
from flows.sandbox.postgres import Postgres  # noqa: E402
from flows.sandbox.prefect_client import send_what_is_left  # noqa: E402
from flows.sandbox.prefect_server import PrefectServer  # noqa: E402
from flows.sandbox.s3 import S3Server  # noqa: E402
from flows.settings import (  # noqa: E402
    S3,
    Amplitude,
    AppMetrica,
    Crm,
    Dwh,
    Limits,
    Logging,
    Telemetry,
)

# dbt's contexts are many small cycles: looked for each 700 objects, they cost a tenth of a build.
gc.set_threshold(10_000, 10, 10)

# In CI a failure speaks of the change, not of luck: the same examples each time.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

# Helpers' assertions tell what they compared, as the tests' own do.
pytest.register_assert_rewrite("amplitude_exports", "amplitude_requests", "appmetrica_requests")

SETTING_PREFIXES = (
    *("DWH_", "S3_", "AMPLITUDE_", "APPMETRICA_", "CRM_", "TELEMETRY_", "LOGGING_", "AWS_"),
)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A test's id without raw bytes: gzip holds the time, and workers must agree on the ids."""
    return f"{len(val)} bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(scope="session", autouse=True)
def _prefect_without_heartbeats() -> Iterator[None]:
    """Else every flow run waits a second for its heartbeat thread; no variable can say None."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(SETTING_PREFIXES)]:
        monkeypatch.delenv(name)
    for block in (Dwh, Limits, Amplitude, AppMetrica, Crm, Telemetry, S3, Logging):
        monkeypatch.setitem(block.model_config, "env_file", None)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble that passes is tried again at once; only libraries' own waits are left."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 0.02)


@pytest.fixture(scope="session")
def prefect_server(
    tmp_path_factory: pytest.TempPathFactory, _prefect_without_heartbeats: None
) -> Iterator[PrefectServer]:
    """A Prefect server, used by all flows that run after its start; takes 10 s."""
    with PrefectServer(tmp_path_factory.mktemp("prefect")) as server:
        os.environ["PREFECT_API_URL"] = server.api_url
        with temporary_settings({PREFECT_API_URL: server.api_url}):
            yield server
            send_what_is_left()
        del os.environ["PREFECT_API_URL"]


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """An empty PostgreSQL server."""
    # Not under pytest's own folder: that is closed to the user that root's server runs as.
    with tempfile.TemporaryDirectory(prefix="dwh-helper-postgres-") as directory:
        Path(directory).chmod(0o755)
        with Postgres(Path(directory) / "server") as server:
            yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An empty S3 server."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def database_url(postgres_server: Postgres) -> Iterator[str]:
    """URL of a fresh, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def dbt_scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where builds of flows keep their parsed project: not where a developer's builds do."""
    folder = tmp_path_factory.mktemp("dbt_target")
    os.environ["DBT_TARGET_PATH"] = str(folder)
    yield folder
    del os.environ["DBT_TARGET_PATH"]


@pytest.fixture
def flow_database_url(postgres_server: Postgres, dbt_scratch: Path) -> Iterator[str]:
    """URL of a fresh, empty database that always has the same name.

    A parsed dbt project holds its database's name, and parsing takes longer than building.
    """
    yield postgres_server.create_database("flows")
    postgres_server.drop_database("flows")


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh, empty bucket."""
    return s3_server.create_bucket(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def settings_env(
    monkeypatch: pytest.MonkeyPatch, database_url: str, bucket: Bucket, s3_server: S3Server
) -> dict[str, str]:
    """Variables under which every flow runs on this test's database and bucket; returns them.

    AMPLITUDE_BASE_URL leads nowhere: a test that needs the vendor sets it to its simulator.
    AppMetrica is not set up: the fixture `appmetrica` does it.
    """
    variables = {
        "DWH_DATABASE_URL": database_url,
        **s3_server.variables(bucket.name),
        "AMPLITUDE_BASE_URL": "http://127.0.0.1:9",
        "AMPLITUDE_WEB_CLIENT_ID": "web-id",
        "AMPLITUDE_WEB_SECRET_KEY": "web-secret",
        "AMPLITUDE_MOBILE_CLIENT_ID": "mobile-id",
        "AMPLITUDE_MOBILE_SECRET_KEY": "mobile-secret",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def amplitude(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AmplitudeSimulator]:
    """An Amplitude without rows, with settings_env's key pairs; AMPLITUDE_BASE_URL is set to it.

    Fill it with add_events, spoil it with inject, move its clock with set_now.
    """
    if "settings_env" in request.fixturenames:
        request.getfixturevalue("settings_env")
    projects = (
        replace(WEB, client_id="web-id", secret_key="web-secret"),
        replace(MOBILE, client_id="mobile-id", secret_key="mobile-secret"),
    )
    with AmplitudeSimulator(projects) as simulator:
        monkeypatch.setenv("AMPLITUDE_BASE_URL", simulator.base_url)
        yield simulator


@pytest.fixture
def appmetrica(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppMetricaSimulator]:
    """An AppMetrica without rows, with one application; all its variables lead to it.

    Its application is of Moscow, or of the zone that a test gives by `parametrize(indirect=True)`.
    Fill it with add_rows, spoil it with inject, move its clock with set_now.
    """
    if "settings_env" in request.fixturenames:
        request.getfixturevalue("settings_env")
    zone = getattr(request, "param", "Europe/Moscow")
    with AppMetricaSimulator([Application(1111, "appmetrica-token", zone)]) as simulator:
        monkeypatch.setenv("APPMETRICA_BASE_URL", simulator.base_url)
        monkeypatch.setenv("APPMETRICA_API_KEY", "appmetrica-token")
        monkeypatch.setenv("APPMETRICA_APPLICATION_ID", "1111")
        monkeypatch.setenv("APPMETRICA_POLL_INTERVAL_SECONDS", "0.01")
        yield simulator


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a file; returns its path."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write

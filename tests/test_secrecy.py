"""No secret and no patient's value is in any log, state, artifact, error or database of Prefect."""

import base64
import logging
import os
import pickle
import socket
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
import report_databases
from logins import as_user, make_pipeline_user
from raw_archives import put
from raw_loads import query
from report_databases import source_databases

from flows.errors import (
    ArchiveFailed,
    BadRequest,
    BuildFailed,
    DwhHelperError,
    Forbidden,
    Interrupted,
    MissingSetting,
    RowsRefused,
    WarehouseFailed,
)
from flows.export_amplitude import export_amplitude, export_days
from flows.export_appmetrica import export_tables
from flows.import_events import import_events, import_file
from flows.import_reports import import_reports
from flows.lake.bucket import Bucket
from flows.load_raw import load_archives, load_raw
from flows.load_rows import load_rows
from flows.pipeline import pipeline
from flows.read_rows import read_rows
from flows.report_user import report_user
from flows.sandbox.amplitude import WEB, AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.appmetrica import AppMetricaSimulator
from flows.sandbox.postgres import Postgres
from flows.sandbox.prefect_client import send_what_is_left
from flows.sandbox.prefect_server import PrefectServer
from flows.transform import build, transform
from flows.warehouse.migrate import migrate
from flows.withdraw_load import withdraw

#: Stands in every value of a patient, and in every secret.
PATIENT, SECRET = "Zkqwiatkowska", "s3Kr3tXyzzy"
CLIENT_ID = "client-id-of-web"
AMPLITUDE_KEY = f"{SECRET}:/key"
BASIC_AUTH = base64.b64encode(f"{CLIENT_ID}:{AMPLITUDE_KEY}".encode()).decode()
PASSWORD = f"{SECRET}@/%:"
#: What must not be found.
HIDDEN = (PATIENT, SECRET, BASIC_AUTH)
#: What must be found, or the search sees nothing.
SHOWN = "shoe_size"
CSV_HEADER = "event_id,occurred_at,user_id,event_type,properties\n"
CSV_ROW = f'{UUID(int=1)},2025-01-06 09:00:00,{PATIENT},opened,"{{""a"": ""{PATIENT}""}}"\n'
#: Values in the place of names, an id, a time, an object; ragged, in another encoding, unclosed.
BAD_CSVS = (
    CSV_ROW,
    CSV_HEADER + CSV_ROW.replace("0000-", f"{PATIENT}-"),
    CSV_HEADER + CSV_ROW.replace("2025", PATIENT),
    CSV_HEADER + CSV_ROW.replace('"{', f'"{PATIENT}{{'),
    CSV_HEADER + PATIENT + "\n",
    CSV_HEADER + CSV_ROW.replace(",opened", "\xe9,opened"),
    CSV_HEADER + CSV_ROW.replace('}"', "}"),
)
DAY = date(2025, 1, 6)
KEY = "amplitude/web/2025_week_02.zip"


class Everything(logging.Handler):
    """Every record of every logger, with its traceback, as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Everything]:
    """Prefect's loggers pass nothing on to the root, so they are listened to as well."""
    handler = Everything()
    names = ("", "prefect", "prefect.flow_runs", "prefect.task_runs")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "level", logging.INFO)
        yield handler
    for name in names:
        logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def database_url(flow_database_url: str) -> str:
    """Of a user with the roles of a pipeline and no other right, with a password.

    It is percent-encoded; the sandbox's server takes any.
    """
    migrate(flow_database_url)
    user = make_pipeline_user(flow_database_url)
    return as_user(flow_database_url, f"{user}:{quote(PASSWORD, safe='')}")


@pytest.fixture
def vendor(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An Amplitude with one good day of a patient."""
    monkeypatch.setenv("LOGGING_LEVEL", "DEBUG")
    # The password is part of what dbt parses: other tests' parsed project stays as it is.
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "dbt_target"))
    monkeypatch.setenv("AMPLITUDE_WEB_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("AMPLITUDE_WEB_SECRET_KEY", AMPLITUDE_KEY)
    project = replace(WEB, client_id=CLIENT_ID, secret_key=AMPLITUDE_KEY)
    with AmplitudeSimulator((project,)) as simulator:
        monkeypatch.setenv("AMPLITUDE_BASE_URL", simulator.base_url)
        yield simulator


def event(hour: int, **user_properties: object) -> dict[str, object]:
    """An event of a patient; each of its own values bears the mark."""
    return make_event(
        datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC),
        user_properties={"ehr_id": f"{PATIENT}-1", "city": f"{PATIENT}grad", **user_properties},
        event_properties={"note": f"{PATIENT} says"},
        user_id=f"{PATIENT}@example.org",
        platform="Web",
    )


def test_nothing_tells(
    prefect_server: PrefectServer,
    vendor: AmplitudeSimulator,
    appmetrica: AppMetricaSimulator,
    bucket: Bucket,
    settings_env: dict[str, str],
    flow_database_url: str,
    postgres_server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    log: Everything,
    capfd: pytest.CaptureFixture[str],
):
    """Good and failing runs of every step; then every place where they leave words is searched."""
    url = settings_env["DWH_DATABASE_URL"]
    told: list[str] = []

    def fails(kind: type[DwhHelperError], run: Callable[[], object]) -> DwhHelperError:
        with pytest.raises(kind) as caught:
            run()
        error = caught.value
        told.extend(("".join(traceback.format_exception(error)), repr(error), repr(vars(error))))
        told.append(pickle.dumps(error).decode("latin-1"))
        return error

    # --- a good day, all the way
    vendor.add_events("web", [event(9, gender="f", age="41"), event(10, gender="f")])
    told.append(repr(pipeline(DAY, DAY, sources=["amplitude_web"])))

    # --- rows that people put in, and rows that they look at
    row = {"user_id": PATIENT, "event_type": f"{PATIENT}'s"}
    assert load_rows("events_part", [row]).count == 1
    fails(RowsRefused, lambda: load_rows("events_part", [row | {"app": PATIENT, SHOWN: PATIENT}]))
    fails(RowsRefused, lambda: load_rows("events_part", [PATIENT, {PATIENT: 1}]))
    put_in = tmp_path / "rows.csv"
    put_in.write_text(f"{PATIENT},{PATIENT}grad\nA,B\n")
    fails(RowsRefused, lambda: load_rows("events_part", path=str(put_in)))
    only = {"user_id": {"eq": f"{PATIENT}@example.org"}}
    assert read_rows("events_part", where=only).count == 2
    assert read_rows("changeable_user_properties").count == 1
    fails(BadRequest, lambda: read_rows("events_part", where={"session_id": {"eq": PATIENT}}))

    # --- who may not
    with monkeypatch.context() as wrong:
        wrong.setenv("AMPLITUDE_WEB_SECRET_KEY", f"{SECRET}-wrong")
        fails(Forbidden, lambda: export_amplitude(DAY, DAY, "web", refresh=True))
    with monkeypatch.context() as wrong:
        wrong.setenv("APPMETRICA_API_KEY", f"{SECRET}-token")
        fails(Forbidden, lambda: export_tables(DAY, DAY))
    with monkeypatch.context() as wrong:
        wrong.setenv("S3_SECRET_ACCESS_KEY", f"{SECRET}-s3")
        fails(ArchiveFailed, lambda: load_raw("amplitude_web"))
    with monkeypatch.context() as wrong:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        wrong.setenv("DWH_DATABASE_URL", f"{url}_missing")
        fails(WarehouseFailed, lambda: load_archives("amplitude_web"))
        nobody = f"postgresql://me:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/db"
        wrong.setenv("DWH_DATABASE_URL", nobody)
        fails(WarehouseFailed, transform)
        wrong.setenv("DWH_DATABASE_URL", f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/db")
        fails(MissingSetting, build)

    # --- the gate: an unknown key, a bad value
    vendor.add_events("web", [event(11, shoe_size=f"{PATIENT}43"), event(12, age=f"{PATIENT}ty")])
    export_days(DAY, DAY, "web", refresh=True)
    load_archives("amplitude_web")
    report = fails(Interrupted, lambda: transform("+int_loads__checked"))
    assert isinstance(report, Interrupted)
    assert report.findings == {"unknown_key": 1, "no_regex_match": 1}
    ((load_id,),) = query(url, "select max(load_id) from raw.loads")
    withdraw(load_id, "asked for by the test")

    # --- the server refuses rows, and quotes them in what it says
    for table in ("dwh.events_part", "raw.amplitude_events"):
        query(
            flow_database_url,
            f"alter table {table} add constraint odd check (user_id = 'x') not valid",
        )
    put(bucket, f'{{"user_id":"{PATIENT}"}}\n'.encode(), KEY)
    assert "23514" in str(fails(Interrupted, lambda: load_raw("amplitude_web")))
    query(flow_database_url, "alter table raw.amplitude_events drop constraint odd")
    load_archives("amplitude_web")
    fails(BuildFailed, lambda: transform("+events_part"))

    # --- event files: a good one, bad ones, one that the server refuses
    file = tmp_path / "events.csv"
    file.write_text(CSV_HEADER + CSV_ROW)
    told.append(repr(import_events(str(file))))
    for bad in BAD_CSVS:
        file.write_bytes(bad.encode("latin-1"))
        fails(Interrupted, lambda: import_events(str(file)))
    file.write_text(CSV_HEADER + CSV_ROW + f"{PATIENT}{CSV_ROW}")
    told.append(repr(import_events(str(file), max_rejected=1)))
    odd = "alter table raw.import_events add constraint odd check (user_id = 'x') not valid"
    query(flow_database_url, odd)
    file.write_text(CSV_HEADER + CSV_ROW.replace("opened", f"{PATIENT} opened"))
    assert "23514" in str(fails(Interrupted, lambda: import_events(str(file))))
    fails(Interrupted, lambda: import_file(file))
    query(flow_database_url, "alter table raw.import_events drop constraint odd")

    # --- users and telemetry: a good import and a report; values that cannot be; no source at all
    with source_databases(postgres_server, flow_database_url) as sources:
        query(sources.crm, report_databases.USERS.replace("user_uuid uuid", "user_uuid text"))
        query(sources.telemetry, report_databases.EVENTS)
        sources.set_users([1], name=PATIENT, email=f"{PATIENT}@example.org", address=PATIENT)
        sources.set_events([report_databases.event(1)])
        for name, address in (("CRM", sources.crm), ("TELEMETRY", sources.telemetry)):
            login = f"//postgres:{quote(PASSWORD, safe='')}@"
            monkeypatch.setenv(f"{name}_DATABASE_URL", address.replace("//postgres@", login))
        told.append(repr(import_reports()))
        assert report_user(1).user_name == PATIENT
        query(sources.telemetry, "update telemetry_events set prosthesis_type = %s", PATIENT)
        fails(Interrupted, import_reports)
        query(sources.crm, "update users set user_uuid = %s", PATIENT)
        fails(Interrupted, import_reports)
        query(sources.crm, "alter table users rename name to nickname")
        fails(Interrupted, import_reports)
    fails(Forbidden, import_reports)
    told.append(repr(query(url, "select * from raw.report_imports")))

    # --- lines that cannot be read
    for line in (
        f'{{"user_id": "{PATIENT}", nonsense}}'.encode(),
        f'["{PATIENT}"]'.encode(),
        f'{{"user_id":"{PATIENT}'.encode() + b"\xff" + b'"}',
        f'{{"{PATIENT}": NaN}}'.encode(),
    ):
        put(bucket, line, KEY)
        fails(Interrupted, lambda: load_archives("amplitude_web"))
    fails(Interrupted, lambda: load_raw("amplitude_web"))

    send_what_is_left()
    places = {
        "errors": "\n".join(told),
        "log": "\n".join(log.texts),
        "terminal": "\n".join(capfd.readouterr()),
        "Prefect's database": "\n".join(prefect_rows(prefect_server)),
        "Prefect's files": files_of(prefect_server.directory),
        "Prefect's home": files_of(Path(os.environ["PREFECT_HOME"])),
        "what dbt keeps": files_of(Path(os.environ["DBT_TARGET_PATH"])),
    }
    for place in ("errors", "log", "Prefect's database"):
        assert SHOWN in places[place], f"the search sees nothing of {place}"
    found = {
        place: [text[max(0, at - 200) : at + 80] for at in map(text.find, HIDDEN) if at >= 0]
        for place, text in places.items()
    }
    assert not any(found.values()), found


def prefect_rows(server: PrefectServer) -> Iterator[str]:
    """Every row of every table of Prefect's SQLite database."""
    (file,) = server.directory.rglob("prefect.db")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'select * from "{table}"'):
                yield repr(row)


def files_of(folder: Path) -> str:
    """All files as they lie on the disk: the database's journal, results, logs."""
    return "\n".join(
        path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()
    )

"""A build brings the tables up to date, or says in one error what stops it, and never a value."""

import logging
import socket
import threading
import time
from pathlib import Path

import psycopg
import pytest
from prefect.client.orchestration import get_client
from project_models import MODELS
from psycopg import sql
from raw_loads import add_load, query

from flows.errors import BadRequest, BuildFailed, Interrupted, WarehouseBusy, WarehouseFailed
from flows.sandbox.postgres import Postgres
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import Dwh
from flows.transform import TransformResult, build, transform
from flows.warehouse import dbt_build
from flows.warehouse.dbt_build import redact
from flows.warehouse.migrate import migrate

BUILT = "flows_built"
#: The gate and what stands above it: enough where a build is to stop there.
GATE = "+int_loads__checked"
PATIENTS = [
    {"ehr_id": "P1", "gender": "f", "city": "Bonn", "age": "41 years"},
    {"ehr_id": "P1", "gender": "m", "city": "Bonn", "age": "42 years"},
    {"ehr_id": "P2", "gender": "m", "city": "Ulm"},
    {"city": "Graz"},
]
SECRET = "Zoë Quux 1971"
MARTS = (
    "events_part",
    "mobile_devices",
    "sessions",
    "technical_data",
    "user_locations",
    "tmp_event_properties",
    "tmp_user_properties",
    "permanent_user_properties",
    "changeable_user_properties",
    "changeable_user_properties_history",
)


@pytest.fixture(scope="module")
def first_build(postgres_server: Postgres, dbt_scratch: Path):
    """A warehouse with one load, built in a database that tests copy; the build's result."""
    url = postgres_server.create_database("flows")
    migrate(url)
    add_load(url, "amplitude/web/2025_week_02.zip", PATIENTS)
    result = build(settings=Dwh(database_url=url))
    _copy_database(postgres_server, "flows", BUILT)
    yield result
    postgres_server.drop_database(BUILT)


@pytest.fixture
def database_url(first_build: TransformResult, postgres_server: Postgres):
    """A copy of the built warehouse, always under the name that the parsed project knows."""
    _copy_database(postgres_server, BUILT, "flows")
    yield postgres_server.url("flows")
    postgres_server.drop_database("flows")


def _copy_database(server: Postgres, old: str, new: str) -> None:
    server.drop_database(new)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(new), sql.Identifier(old)
            )
        )


@pytest.fixture
def url(settings_env: dict[str, str]) -> str:
    return settings_env["DWH_DATABASE_URL"]


def marts(url: str) -> dict[str, list[str]]:
    """All rows of all marts."""
    return {
        mart: [row for (row,) in query(url, f"select m::text from dwh.{mart} as m order by 1")]
        for mart in MARTS
    }


@pytest.fixture
def lock(url: str):
    """Another session that holds the lock of the warehouse."""
    with psycopg.connect(url) as other:
        assert other.execute(f"select {dbt_build.BUILD_LOCK}").fetchone() == (True,)
        yield other


def test_a_build_tells_each_model_and_test(first_build, url):
    """The result counts models and tests, with time and rows of each node."""
    assert (first_build.status, first_build.models) == ("completed", MODELS)
    assert first_build.tests == sum(node.kind == "test" for node in first_build.nodes) > 20
    assert first_build.seconds >= max(node.seconds for node in first_build.nodes) > 0
    assert {node.status for node in first_build.nodes} == {"success", "pass", "warn"}
    warned = [node.name for node in first_build.nodes if node.status == "warn"]
    assert warned == ["permanent_property_conflicts"]  # P1 is said to be of two genders
    rows = {node.name: node.rows for node in first_build.nodes if node.kind == "model"}
    assert (rows["events_part"], rows["permanent_user_properties"]) == (4, 2)
    assert query(
        url, "select ehr_id, gender, line_number from dwh.permanent_user_properties order by 1"
    ) == [("P1", "female", 0), ("P2", "male", 2)]


def test_another_time_zone_is_told_and_a_missing_one_is_no_wish(url):
    """The log says that the days change; who sets none is refused, where they are not of UTC."""
    said: list[str] = []
    in_berlin = Dwh(database_url=url, time_zone="Europe/Berlin")
    build("+int_events__attributed", settings=in_berlin, say=said.append)
    assert any("DWH_TIME_ZONE is Europe/Berlin, it was UTC" in line for line in said)
    with pytest.raises(BuildFailed, match="is not set, and the statistics' days are of Europe/Ber"):
        build("int_loads__validated", settings=Dwh(database_url=url))
    del said[:]
    build("int_loads__validated", settings=in_berlin, say=said.append)
    assert not any("DWH_TIME_ZONE" in line for line in said)


def test_the_flow_reports_an_interruption_everywhere_and_shows_no_value(
    prefect_server: PrefectServer, url, caplog
):
    """Error, log and artifacts name file, line, key and counts; the values stand in audit alone."""
    before = marts(url)
    bad = [
        {"ehr_id": "P1", "shoe_size": SECRET},
        {"ehr_id": "P1", "birth_date": SECRET, "shoe_size": SECRET},
    ]
    load = add_load(url, "amplitude/web/2025_week_03.zip", bad)
    with caplog.at_level(logging.INFO), pytest.raises(Interrupted) as caught:
        transform()
    report = caught.value
    assert (report.status, report.reason) == ("interrupted", "unknown_key")
    assert report.file_key == "amplitude/web/2025_week_03.zip"
    assert (report.last_successful_line, report.failed_line) == (None, 0)
    assert report.findings == {"unknown_key": 2, "invalid_date": 1}
    for part in ("'shoe_size'", "amplitude/web/2025_week_03.zip line 0", f"load {load}", "3 find"):
        assert part in report.error_message
    assert query(
        url, "select line_number, key, value from audit.property_findings order by 1, 2"
    ) == [(0, "shoe_size", SECRET), (1, "birth_date", SECRET), (1, "shoe_size", SECRET)]
    assert marts(url) == before

    table, markdown = _artifacts("dbt-build", "interruption")
    assert "| failed line | 0 |" in markdown
    assert "| last successful line |  |" in markdown
    assert "| findings: unknown_key | 2 |" in markdown
    assert '"property_findings"' in table
    assert report.error_message in caplog.text
    for shown in (str(report), repr(vars(report)), caplog.text, table, markdown):
        assert SECRET not in shown


def _artifacts(*keys: str) -> list[str]:
    """The newest artifact of each key, as text."""
    with get_client(sync_client=True) as client:
        found = client.read_artifacts()
    newest = {a.key: str(a.data) for a in sorted(found, key=lambda a: a.created)}
    return [newest[key] for key in keys]


def test_the_first_bad_line_and_the_last_good_one_are_named(url):
    """Of several bad loads the earliest is reported; all findings are counted."""
    good, bad = {"ehr_id": "P1"}, {"ehr_id": "P1", "gender": SECRET}
    add_load(url, "amplitude/web/a.zip", [good, good, good, bad, bad])
    add_load(url, "amplitude/mobile/b.zip", [7], source="amplitude_mobile")
    with pytest.raises(Interrupted) as caught:
        build(GATE)
    report = caught.value
    assert (report.reason, report.file_key) == ("outside_value_map", "amplitude/web/a.zip")
    assert (report.last_successful_line, report.failed_line) == (2, 3)
    assert report.findings == {"outside_value_map": 2, "not_an_object": 1}
    assert SECRET not in str(report)


def test_another_test_that_fails_is_an_interruption_too(url):
    """A test of a mart names itself and how many rows are wrong."""
    query(url, "update dwh.changeable_user_properties_history set valid_to = valid_from")
    name = "valid_spans_changeable_user_properties_history_ehr_id__uuid"
    with pytest.raises(Interrupted) as caught:
        build(name)
    assert (caught.value.reason, caught.value.file_key) == ("failed_test", None)
    assert list(caught.value.findings) == [name]
    assert caught.value.findings[name] > 0


def test_an_sql_error_is_a_failed_build_without_values(url):
    """What PostgreSQL refuses is told with node and relation; the refused row is not."""
    query(
        url,
        f"alter table dwh.user_locations add constraint city_rule check (city <> '{SECRET}')",
    )
    add_load(url, "amplitude/web/2025_week_03.zip", [{}], city=SECRET)
    shown = []
    with pytest.raises(BuildFailed) as caught:
        build("+user_locations", show=shown.extend)
    assert "user_locations" in caught.value.nodes
    assert '"user_locations" violates check constraint "city_rule"' in str(caught.value)
    assert SECRET not in f"{caught.value} {shown}"
    assert not list(Path(dbt_build.DBT_PROJECT).glob(f"**/*{SECRET}*"))


def test_no_value_stays_on_the_disk(url, dbt_scratch):
    """dbt keeps what the server said in run_results.json; a flow's build writes none."""
    build("stg_amplitude__events")
    assert not (dbt_scratch / "run_results.json").exists()


@pytest.mark.parametrize(
    ("message", "kept", "hidden"),
    [
        ('invalid input syntax for type integer: "4x2"', "for type integer", "4x2"),
        ('invalid input syntax for type date: "a "Quux" c"\n  LINE 1: ...', "type date", "Quux"),
        ('invalid input syntax for type json: "two\n  lines"', "type json", "two"),
        ('value "99999999999" is out of range for type integer', "type integer", "9999"),
        ('time zone "Zoe Quux" not recognized', "not recognized", "Quux"),
        (
            'duplicate key value violates unique constraint "pk"\n'
            "  DETAIL:  Key (ehr_id)=(Zoe\n  Quux) already exists.",
            '"pk"',
            "Quux",
        ),
        (
            'null value in column "ehr_id" of relation "events" violates not-null constraint\n'
            "  DETAIL:  Failing row contains (Zoe, Quux).",
            'column "ehr_id" of relation "events"',
            "Quux",
        ),
        (
            "invalid input syntax for type json\n  DETAIL:  Token x is invalid.\n"
            "  CONTEXT:  JSON data, line 1: {Zoe Quux\n  SQL function",
            "type json",
            "Quux",
        ),
        ('permission denied for table "loads"', '"loads"', "Quux"),
    ],
)
def test_messages_of_the_server_lose_their_values(message, kept, hidden):
    """Names of tables stay, values go, and dbt's hint where the SQL stands is kept."""
    text = redact(f"Database Error in model m (m.sql)\n  {message}\n  compiled code at run/m.sql")
    assert kept in text
    assert hidden not in text
    assert text.startswith("Database Error in model m (m.sql)")
    assert text.endswith("compiled code at run/m.sql")


def test_messages_of_dbt_stay_whole():
    """A mapping's mistake is told with the words it quotes."""
    message = 'Compilation Error in model m\n  column age: unknown type "foo"'
    assert redact(message) == message


def test_a_server_that_is_not_there_is_named_without_the_password():
    """A refused connection is the warehouse's failure, not a stack of psycopg's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Dwh(database_url=f"postgresql://me:{'s3cret'}@127.0.0.1:{port}/dwh")
    with pytest.raises(WarehouseFailed) as caught:
        build(settings=settings)
    assert f"port {port} failed" in str(caught.value)
    assert "s3cret" not in f"{caught.value} {caught.value.__context__}"


def test_a_warehouse_without_schema_raw_says_what_to_do(flow_database_url):
    """A first build before any load names the cure."""
    with pytest.raises(BuildFailed, match=r"schema raw is missing or older .* `python -m flows\.w"):
        build(settings=Dwh(database_url=flow_database_url))


def test_a_build_waits_for_another_one(url, lock, monkeypatch):
    """It says so once, and goes on as soon as the other session is done."""
    monkeypatch.setattr(dbt_build, "_POLL_S", 0.05)
    told = []

    def say(line: str) -> None:
        told.append(line)
        if line.endswith("waiting"):
            threading.Timer(0.3, lock.close).start()

    assert build("stg_amplitude__events", say=say).models == 1
    assert [line for line in told if "waiting" in line] == [
        "another build holds the warehouse; waiting"
    ]


def test_a_build_that_comes_too_late_tries_again(url, lock, monkeypatch):
    """Where another session takes the lock after the look at it, dbt's own hook holds the build."""
    waits = []

    def wait(*_: object) -> None:
        waits.append(query(url, f"select {dbt_build.BUILD_LOCK}"))
        if len(waits) == 2:
            lock.close()
            time.sleep(0.2)

    monkeypatch.setattr(dbt_build, "_wait_for_turn", wait)
    result = build("stg_amplitude__events")
    assert (result.models, waits) == (1, [[(False,)], [(False,)]])


def test_waiting_ends(url, lock, monkeypatch):
    """Whoever waits too long is told to look who holds the lock."""
    monkeypatch.setattr(dbt_build, "_POLL_S", 0.05)
    monkeypatch.setattr(dbt_build, "WAIT_FOR_LOCK_S", 0.2)
    with pytest.raises(WarehouseBusy, match="another build holds the warehouse for more than"):
        build()


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("no_such_model", "nothing is selected by 'no_such_model': dbt ls shows what there is"),
        ("--vars x", "select '--vars x' holds an option: name models, tests or tags"),
    ],
)
def test_a_selection_of_nothing_is_an_error(url, select, message):
    """A misspelt name does not look like a build that went through."""
    with pytest.raises(BadRequest) as caught:
        build(select)
    assert str(caught.value) == message


def test_a_full_refresh_makes_the_same_tables(url):
    """Increments and a refresh agree; several names may be selected."""
    add_load(url, "amplitude/web/2025_week_03.zip", [{"ehr_id": "P1", "city": "Kiel"}])
    assert build().models == MODELS
    before = marts(url)
    assert build(full_refresh=True).models == MODELS
    assert marts(url) == before
    few = build("stg_amplitude__events mobile_devices")
    assert [node.name for node in few.nodes if node.kind == "model"] == [
        "stg_amplitude__events",
        "mobile_devices",
    ]


def test_the_address_may_stand_in_env_file_alone(url, monkeypatch, tmp_path):
    """dbt gets it for the build, and the environment is left as it was."""
    monkeypatch.delenv("DWH_DATABASE_URL")
    (tmp_path / ".env").write_text(f"DWH_DATABASE_URL={url}\n")
    monkeypatch.setitem(Dwh.model_config, "env_file", tmp_path / ".env")
    assert build("stg_amplitude__events").models == 1
    assert "DWH_DATABASE_URL" not in dbt_build.os.environ


def test_special_characters_in_user_and_password_reach_the_server(url):
    """dbt logs in with the very address that the loader uses."""
    name = "dr. m@x:m/ü%"
    query(url, sql.SQL("create role {} superuser login").format(sql.Identifier(name)).as_string())
    try:
        address = url.partition("@")[2]
        special = f"postgresql://dr.%20m%40x%3Am%2F%C3%BC%25:p%40ss%3Aw%2Frd%25@{address}"
        settings = Dwh(database_url=f"{special}?sslmode=disable")
        assert build("stg_amplitude__events", settings=settings).models == 1
        assert query(url, "select viewowner from pg_views where viewname = 'stg_amplitude__events'")
    finally:
        query(url, "drop schema staging cascade")
        query(url, sql.SQL("drop owned by {} cascade").format(sql.Identifier(name)).as_string())
        query(url, sql.SQL("drop role {}").format(sql.Identifier(name)).as_string())

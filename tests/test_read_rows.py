"""A page of any mart: filtered and ordered as asked, by no text of a person's that became SQL."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from raw_loads import add_load, query

from flows.errors import BadRequest, WarehouseFailed
from flows.marts import marts, personal_columns
from flows.read_rows import HIDDEN, read_page, read_rows
from flows.sandbox.postgres import Postgres
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse.dbt_build import REPORTS
from flows.warehouse.migrate import migrate

NOON = datetime(2025, 1, 6, 12, tzinfo=UTC)
#: user, type, city of event number n, which happens n hours after NOON.
EVENTS = (
    ("a", "opened", "Bonn"),
    ("b", "opened", None),
    (None, "50% off'; drop table x; --", "Rome"),
    ("a", None, "Rome"),
)


@pytest.fixture(scope="module")
def warehouse_url(postgres_server: Postgres, dbt_scratch: Path):
    """A warehouse with EVENTS, built; all but the second and third say something of P1."""
    postgres_server.drop_database("flows")
    url = postgres_server.create_database("flows")
    migrate(url)
    for number, (user, kind, city) in enumerate(EVENTS):
        columns = {"uuid": UUID(int=number), "event_time": NOON + timedelta(hours=number)}
        columns |= {"user_id": user, "event_type": kind, "city": city, "session_id": number * 10}
        sent = {"ehr_id": "P1", "gender": "f"} if number % 3 == 0 else {}
        add_load(url, f"{number}.zip", [sent], event_properties=f'{{"n": {number}}}', **columns)
    build(settings=Dwh(database_url=url))
    build(REPORTS, settings=Dwh(database_url=url))
    yield url
    postgres_server.drop_database("flows")


@pytest.fixture
def url(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DWH_DATABASE_URL", warehouse_url)
    return warehouse_url


def numbers(**arguments):
    """Which of EVENTS a page of events_part shows, in order, and how many match."""
    page = read_page("events_part", **arguments)
    return [row["uuid"].int for row in page.rows], page.count


def test_a_page_has_typed_values_and_the_count_of_all(url):
    """Columns in the table's order, times aware, json as objects."""
    page = read_page("tmp_event_properties", limit=1, offset=1)
    assert (page.table, page.count) == ("dwh.tmp_event_properties", 4)
    assert page.rows == [
        {
            "uuid": UUID(int=1),
            "source": "amplitude_web",
            "event_type": "opened",
            "event_properties": {"n": 1},
            "event_time": NOON + timedelta(hours=1),
            "load_id": 2,
            "line_number": 0,
        },
    ]
    assert page.columns == tuple(page.rows[0])


def test_every_mart_can_be_read(url):
    """With its schema or without; views and tables without a key, too."""
    for mart, schema in marts().items():
        page = read_page(mart)
        assert page == read_page(f"{schema}.{mart}")
        assert page.count == len(page.rows)
        held = query(url, f"select count(*) from {schema}.{mart}")
        assert held == [(page.count,)]
    assert read_page("events_part").count == 4


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
        ({"user_id": {"eq": "a"}}, [0, 3]),
        ({"user_id": {"ne": "a"}}, [1, 2]),
        ({"user_id": {"is_null": True}}, [2]),
        ({"user_id": {"is_null": False}, "event_type": {"eq": "opened"}}, [0, 1]),
        ({"session_id": {"gt": 0, "le": "20"}}, [1, 2]),
        ({"session_id": {"lt": 10}}, [0]),
        ({"session_id": {"in": [10, "30"]}}, [1, 3]),
        ({"event_time": {"ge": "2025-01-06 16:00+02:00"}}, [2, 3]),
        ({"event_time": {"ge": "2025-01-06T15:00"}}, [3]),
        ({"event_time": {"eq": NOON}}, [0]),
        ({"uuid": {"eq": UUID(int=3)}}, [3]),
        ({"event_type": {"contains": "% off'; drop"}}, [2]),
        ({"event_type": {"contains": "OPEN"}}, []),
        ({"event_type": {"starts_with": "50%"}}, [2]),
        ({"event_type": {"eq": "50% off'; drop table x; --"}}, [2]),
        ({"user_id": {"eq": "a' or true --"}}, []),
        ({"source": {"in": ["amplitude_web"]}, "load_id": {"ne": 1}}, [1, 2, 3]),
    ],
)
def test_filters_hold_together(url, where, expected):
    """Values are read as the column's type, and never as SQL."""
    assert numbers(where=where) == (expected, len(expected))


def test_json_is_compared_as_json(url):
    """Whatever its blanks."""
    page = read_page("tmp_event_properties", where={"event_properties": {"eq": {"n": 2}}})
    assert [row["uuid"].int for row in page.rows] == [2]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("-event_time", [3, 2, 1, 0]),
        ("user_id", [0, 3, 1, 2]),
        ("-user_id", [1, 0, 3, 2]),
        (["user_id", "-event_time"], [3, 0, 1, 2]),
        ("-uuid", [3, 2, 1, 0]),
    ],
)
def test_order_is_total(url, order_by, expected):
    """Ties are in the order of the key, null comes last; so pages neither repeat nor lack a row."""
    assert numbers(order_by=order_by)[0] == expected
    pages = [numbers(order_by=order_by, limit=1, offset=offset)[0] for offset in range(5)]
    assert pages == [[number] for number in expected] + [[]]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"table": "loads"}, "unknown table 'loads'; tables are changeable_user_properties, ch"),
        ({"table": "raw.loads"}, "unknown table"),
        ({"table": "product.events_part"}, "unknown table"),
        ({"table": "events_part; drop"}, "unknown table"),
        ({"limit": 0}, "limit 0 is no number from 1 to 10000"),
        ({"limit": 10_001}, "is no number from 1"),
        ({"limit": True}, "is no number from 1"),
        ({"offset": -1}, "0 or more"),
        ({"offset": 2**63}, "0 or more"),
        ({"where": [1]}, "where has to be like"),
        ({"where": {"user": {"eq": 1}}}, "has no column 'user'; its columns are uuid, source"),
        ({"where": {"user_id": "a"}}, "user_id has to be like"),
        ({"where": {"user_id": {}}}, "user_id has to be like"),
        ({"where": {"user_id": {"like": "a"}}}, "unknown operator 'like'; known are eq, ne, lt"),
        ({"where": {"user_id": {"eq": None}}}, "takes no null: ask with is_null"),
        ({"where": {"user_id": {"in": []}}}, "takes a list"),
        ({"where": {"user_id": {"in": "ab"}}}, "takes a list"),
        ({"where": {"user_id": {"in": ["a"] * 1001}}}, "at most 1000 values"),
        ({"where": {"user_id": {"is_null": "yes"}}}, "takes true or false"),
        ({"where": {"user_id": {"eq": {"a": 1}}}}, "none that a column of type text can have"),
        ({"where": {"user_id": {"eq": "Zkqw\0"}}}, "none that a column of type text can have"),
        ({"where": {"user_id": {"eq": "Zkqw\ud800"}}}, "none that a column of type text can"),
        ({"where": {"uuid": {"eq": "Zkqw"}}}, "uuid eq: the value is none that a column of type"),
        ({"where": {"session_id": {"in": [1, "Zkqw"]}}}, "session_id in: the value is none"),
        ({"where": {"session_id": {"eq": 2**63}}}, "session_id eq: the value is none"),
        ({"where": {"session_id": {"contains": "1"}}}, "is of texts"),
        ({"order_by": "user"}, "order_by: events_part has no column 'user'"),
        ({"order_by": ["user_id", "-user_id"]}, "user_id is named twice"),
        ({"order_by": [1]}, "has no column 1"),
        ({"order_by": "event_time desc"}, "has no column"),
    ],
)
def test_what_makes_no_sense_is_told(url, arguments, why):
    """With the choices there are, and without the value."""
    with pytest.raises(BadRequest, match=why) as caught:
        read_page(**({"table": "events_part"} | arguments))
    assert "Zkqw" not in str(caught.value)


def test_a_warehouse_without_marts_says_what_is_missing(database_url, monkeypatch):
    """Before the first build."""
    monkeypatch.setenv("DWH_DATABASE_URL", database_url)
    with pytest.raises(WarehouseFailed, match=r"dwh\.events_part is not built yet: run transform"):
        read_page("events_part")


def shown(table, **arguments):
    """What the flow leaves in Prefect of its page: the rows of the artifact, and the parameters."""
    page = read_rows(table, **arguments)
    assert page == read_page(table, where=arguments.get("where"))
    with get_client(sync_client=True) as client:
        artifact = max(client.read_artifacts(), key=lambda one: one.created)
        run = client.read_flow_run(artifact.flow_run_id)
    return json.loads(artifact.data), artifact.description, run.parameters


@pytest.mark.usefixtures("prefect_server")
def test_the_flow_shows_a_table_that_hides_who_it_is_of(url):
    """Prefect's database keeps artifacts: values of persons stand there if they were asked for."""
    only = {"user_id": {"eq": "a"}}
    rows, description, parameters = shown("events_part", where=only)
    assert description == "dwh.events_part: 2 of 2 rows, from row 0 on."
    assert [(row["user_id"], row["event_type"]) for row in rows] == [
        (HIDDEN, "opened"),
        (HIDDEN, None),
    ]
    assert parameters["where"] == "(not shown)"
    rows, *_ = shown("events_part", where=only, show_personal=True)
    assert [row["user_id"] for row in rows] == ["a", "a"]
    rows, *_ = shown("permanent_user_properties")
    assert {value for row in rows for value in row.values()} == {HIDDEN, None}


def test_every_mart_says_what_of_it_is_personal():
    """Tables of properties are as a whole, statistics are not but for who did an event."""
    whole = {mart for mart in marts() if personal_columns(mart) is None}
    assert whole == {mart for mart in marts() if "user_properties" in mart and "tmp" not in mart}
    assert personal_columns("daily_active_users") == frozenset()
    assert personal_columns("event_users") == {"user_key"}
    assert "ip_address" in (personal_columns("technical_data") or ())

"""A person takes one load out of the count, with a reason, and what it replaced counts again."""

import psycopg
import pytest
from raw_loads import add_load, query

from flows.errors import BadRequest, WarehouseBusy, WarehouseFailed
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse import ledger
from flows.warehouse.dbt_build import BUILD_LOCK
from flows.warehouse.migrate import migrate
from flows.withdraw_load import WithdrawnLoad, withdraw, withdraw_load

KEY = "amplitude/web/2025_week_02.zip"
LOADS = "select load_id, status, superseded_by, error from raw.loads order by load_id"


@pytest.fixture
def database_url(flow_database_url: str) -> str:
    return flow_database_url


@pytest.fixture
def url(settings_env: dict[str, str]) -> str:
    migrate(settings_env["DWH_DATABASE_URL"])
    return settings_env["DWH_DATABASE_URL"]


def test_a_withdrawn_load_leaves_the_tables_and_its_predecessor_comes_back(url):
    """The build after it takes its rows out, and the audit keeps the reason."""
    old = add_load(url, KEY, [{"ehr_id": "P1", "city": "Bonn"}])
    new = add_load(url, KEY, [{"ehr_id": "P2", "shoe_size": 43}])
    query(url, "update raw.loads set superseded_by = %s where load_id = %s", new, old)
    other = add_load(url, "amplitude/web/2025_week_03.zip", [{"ehr_id": "P3"}])
    assert withdraw(new, "  key that nobody knows ") == WithdrawnLoad(
        new, "amplitude_web", KEY, 1, "key that nobody knows"
    )
    assert query(url, LOADS) == [
        (old, "loaded", None, None),
        (new, "withdrawn", None, "key that nobody knows"),
        (other, "loaded", None, None),
    ]
    build()
    ehr_ids = "select ehr_id from dwh.permanent_user_properties order by 1"
    assert query(url, ehr_ids) == [("P1",), ("P3",)]
    withdraw(other, "sent by mistake")
    build()
    assert query(url, ehr_ids) == [("P1",)]
    assert query(
        url,
        "select load_id, source, file_key, row_count, reason from audit.withdrawn_loads order by 1",
    ) == [
        (new, "amplitude_web", KEY, 1, "key that nobody knows"),
        (other, "amplitude_web", "amplitude/web/2025_week_03.zip", 1, "sent by mistake"),
    ]


def test_what_makes_no_sense_changes_nothing(url):
    """An unknown load, one that is out already and an empty reason are refused, each in words."""
    load = add_load(url, KEY, [{}])
    gone = add_load(url, "b.zip", [{}])
    query(url, "update raw.loads set status = 'superseded' where load_id = %s", gone)
    withdraw(load, "why")
    before = query(url, LOADS)
    for load_id, reason, message in [
        (999, "why", "there is no load 999: see raw.loads"),
        (load, "again", f"load {load} of {KEY} is withdrawn already"),
        (gone, "why", f"load {gone} of b.zip is superseded already"),
        (load, " \n", "say why the load is withdrawn: the audit keeps the reason"),
    ]:
        with pytest.raises(BadRequest) as caught:
            withdraw(load_id, reason)
        assert str(caught.value) == message
    assert query(url, LOADS) == before


def test_nothing_is_withdrawn_under_a_build_or_a_load(url):
    """While a build or a loader of the file is at work, the caller is told to wait."""
    load = add_load(url, KEY, [{}])
    with psycopg.connect(url) as other:
        other.execute(f"select {BUILD_LOCK}")
        with pytest.raises(WarehouseBusy, match="a build is running"):
            withdraw(load, "why")
    with psycopg.connect(url, autocommit=True) as other:
        assert ledger.lock_file(other, KEY, wait=False)
        with pytest.raises(WarehouseBusy, match=f"{KEY} is being loaded"):
            withdraw(load, "why")
    assert query(url, LOADS) == [(load, "loaded", None, None)]
    withdraw(load, "why")


def test_a_database_without_ledger_is_a_clear_error(database_url):
    """Nothing was ever loaded: the warehouse's answer names the table."""
    with pytest.raises(WarehouseFailed, match=r'relation "raw\.loads" does not exist'):
        withdraw(1, "why", settings=Dwh(database_url=database_url))


def test_the_flow_does_it(prefect_server, url):
    """Called as a flow, it returns what it withdrew."""
    load = add_load(url, KEY, [{}])
    assert withdraw_load(load, "why") == WithdrawnLoad(load, "amplitude_web", KEY, 1, "why")

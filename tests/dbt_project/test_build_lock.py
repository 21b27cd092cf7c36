"""One build at a time, and a build that dies leaves a warehouse that the next one completes."""

import pytest
from warehouse import MARTS, event

ROWS = [event(n, n, {"ehr_id": f"P{n % 3}", "city": "AB"[n % 2], "gender": "m"}) for n in range(9)]


@pytest.mark.parametrize(
    "mart", ["user_locations", "changeable_user_properties", "tmp_user_properties"]
)
def test_a_model_that_fails_is_made_good_by_the_next_build(warehouse, mart):
    """What one model could not write is written by the next plain build, and nothing twice."""
    old = warehouse.load("1.zip", ROWS[:4])
    assert warehouse.build().is_clean
    warehouse.replace([old], [*ROWS[:2], *ROWS[6:]])
    warehouse.load("2.zip", ROWS[4:6])
    warehouse.execute(f"alter table dwh.{mart} add constraint broken check (false) not valid")
    assert warehouse.build().having("error") == {mart}
    warehouse.load("3.zip", [event(20, 0.5, {"ehr_id": "P1", "city": "Z", "gender": "f"})])
    warehouse.execute(f"alter table dwh.{mart} drop constraint broken")
    again = warehouse.build(tests="data")
    assert again.is_clean, again
    incremental = warehouse.marts()
    assert warehouse.execute("select from dwh.tmp_user_properties where not migrated") == []
    assert warehouse.refreshed() == incremental


def test_a_dropped_mart_is_built_again_whole(warehouse):
    """A mart that someone dropped comes back with all its rows, and its readers with it."""
    warehouse.load("1.zip", ROWS)
    assert warehouse.build().is_clean
    before = warehouse.marts()
    warehouse.execute(
        "drop table dwh.technical_data, dwh.permanent_user_properties,"
        " intermediate.int_property_runs"
    )
    build = warehouse.build()
    assert build.is_clean, build
    assert warehouse.marts() == before


def test_dev_writes_schemas_of_its_own(warehouse, monkeypatch):
    """An analyst's build reads the same raw rows and leaves production and raw as they were."""
    old = warehouse.load("1.zip", ROWS[:4])
    assert warehouse.build().is_clean
    warehouse.replace([old], ROWS)
    monkeypatch.setenv("DBT_DEV_SCHEMA", "dev_ada")
    state = "select load_id, status from raw.loads order by 1"
    before = (warehouse.marts(), warehouse.execute(state))
    build = warehouse.build(target="dev")
    try:
        assert build.is_clean, build
        assert (warehouse.marts(), warehouse.execute(state)) == before
        assert len(warehouse.marts("dev_ada_dwh")["events_part"]) == 9
        assert warehouse.execute(
            "select nspname from pg_namespace where nspname like 'dev%' order by 1"
        ) == [(f"dev_ada_{name}",) for name in ("audit", "dwh", "intermediate", "staging")]
    finally:
        for name in ("audit", "dwh", "intermediate", "staging"):
            warehouse.execute(f"drop schema if exists dev_ada_{name} cascade")
    assert warehouse.build().is_clean
    assert set(warehouse.marts()) == set(MARTS)

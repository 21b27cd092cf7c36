"""One build at a time, and a build that dies leaves a warehouse that the next one completes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psycopg
import pytest
from warehouse import BUILT_SCHEMAS, MARTS, STATISTICS, event

ROWS = [event(n, n, {"ehr_id": f"P{n % 3}", "city": "AB"[n % 2], "gender": "m"}) for n in range(9)]


def wait_for(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def sessions_of_dbt(warehouse, waiting_for="%"):
    return warehouse.execute(
        "select pid from pg_stat_activity where application_name = 'dwh-helper dbt'"
        " and datname = current_database() and coalesce(wait_event_type, '') like %s",
        waiting_for,
    )


@contextmanager
def a_build_that_waits_for(warehouse, table):
    """Another process builds, and stands still in the model that writes the table; then kill -9."""
    folder = str(warehouse.project.folder)
    with psycopg.connect(warehouse.url) as held:
        held.execute(f"lock table {table} in access exclusive mode")
        # in a group of its own, so that nothing of it outlives the kill
        other = subprocess.Popen(
            [
                *(sys.executable, "-m", "dbt.cli.main", "build", "--quiet", "--target", "prod"),
                *("--project-dir", folder, "--profiles-dir", folder),
                *("--target-path", f"{folder}/target/other", "--log-path", f"{folder}/logs"),
                *("--exclude-resource-type", "unit_test"),
            ],
            start_new_session=True,
        )
        try:
            wait_for(lambda: sessions_of_dbt(warehouse, "Lock"), "the build never got there")
            yield
        finally:
            os.killpg(other.pid, signal.SIGKILL)
            other.wait()
    wait_for(lambda: not sessions_of_dbt(warehouse), "the killed build's sessions stayed")


def test_a_second_build_is_refused_and_a_killed_one_is_made_good(warehouse):
    """While one dbt builds, another says so and touches nothing; kill -9 leaves no lock behind."""
    warehouse.load("1.zip", ROWS[:4])
    assert warehouse.build().is_clean
    warehouse.load("2.zip", ROWS[4:])
    with a_build_that_waits_for(warehouse, "dwh.permanent_user_properties"):
        second = warehouse.build()
        assert "another build holds the warehouse" in second.messages
        assert not second.having("success")
    third = warehouse.build(tests="data")
    assert third.is_clean, third
    incremental = warehouse.marts()
    assert warehouse.execute("select from dwh.tmp_user_properties where not migrated") == []
    assert len(incremental["events_part"]) == 9
    assert warehouse.refreshed() == incremental


@pytest.mark.slow
def test_a_build_between_two_models_is_at_work_too(warehouse):
    """dbt has no session between nodes; a turn that is not given back is honoured all the same."""
    warehouse.load("1.zip", ROWS)
    assert warehouse.build().is_clean
    before = warehouse.marts()
    take_turn = "insert into intermediate.build_turn values ('another')"
    warehouse.execute(take_turn)
    with psycopg.connect(warehouse.url, application_name="dwh-helper dbt"):
        assert "another build holds the warehouse" in warehouse.build().messages
    warehouse.load("2.zip", [event(20, 1, {"ehr_id": "P9"})])
    again = warehouse.build()
    assert again.is_clean, "nobody was there: the turn was a dead build's"
    assert len(warehouse.marts()["events_part"]) == len(before["events_part"]) + 1
    assert warehouse.execute("select from intermediate.build_turn") == []


def test_a_model_out_of_turn_writes_nothing(warehouse):
    """A build that slept while another took over fails at its next model."""
    warehouse.load("1.zip", ROWS)
    assert warehouse.build().is_clean
    before = warehouse.marts()
    warehouse.load("2.zip", [event(20, 1, {"ehr_id": "P9"})])
    # another build takes the turn as soon as the first model has done its work
    warehouse.execute(
        "create function intermediate.take_over() returns trigger language plpgsql as"
        " $$ begin update intermediate.build_turn set invocation_id = 'another';"
        " return null; end $$"
    )
    warehouse.execute(
        "create trigger take_over after update or insert on intermediate.int_loads__validated"
        " execute function intermediate.take_over()"
    )
    build = warehouse.build()
    assert "another build has taken over" in build.messages
    assert "int_loads__validated" in build.having("success")
    assert "int_events__deduplicated" in build.having("error")
    assert warehouse.marts() == before
    warehouse.execute("drop function intermediate.take_over cascade")
    assert warehouse.build().is_clean
    incremental = warehouse.marts()
    assert warehouse.refreshed() == incremental


@pytest.mark.slow
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


@pytest.mark.usefixtures("statistics")
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
        assert len(warehouse.marts("dev_ada_")["events_part"]) == 9
        assert warehouse.execute(
            "select nspname from pg_namespace where nspname like 'dev%' order by 1"
        ) == [(f"dev_ada_{name}",) for name in sorted(BUILT_SCHEMAS)]
    finally:
        for name in BUILT_SCHEMAS:
            warehouse.execute(f"drop schema if exists dev_ada_{name} cascade")
    assert warehouse.build().is_clean
    assert set(warehouse.marts()) == {*MARTS, *STATISTICS}

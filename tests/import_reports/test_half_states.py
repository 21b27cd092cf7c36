"""However an import ends, readers see the state before it or the one behind it, nothing else."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context

import psycopg
import pytest
from raw_loads import query
from report_databases import Databases

from flows.errors import Stopped
from flows.import_reports import import_sources
from flows.sandbox import prostheses
from flows.settings import PROJECT
from flows.stopping import stoppable

EVENTS = 150_000
#: Users, events, events of nobody, and the import that they are of.
STATE = """
select
    (select count(*) from raw.crm_users),
    (select count(*) from raw.telemetry_events),
    (select count(*) from raw.orphaned_telemetry_events),
    (select count(distinct import_id) from raw.telemetry_events),
    (select max(import_id) from raw.report_imports where status = 'imported')
"""
IMPORT = "from flows.import_reports import import_sources; import_sources()"


@pytest.fixture
def changed(empty_sources: Databases) -> Databases:
    """An import stands; by now users have gone, and events of half of them have come anew."""
    size = prostheses.Prostheses(users=50, orphans=5, events=EVENTS)
    prostheses.invent(empty_sources.crm, empty_sources.telemetry, size)
    import_sources()
    query(empty_sources.crm, "delete from users where user_id <= 10")
    query(empty_sources.telemetry, "delete from telemetry_events where id % 3 = 0")
    return empty_sources


def state(databases: Databases) -> tuple[int, ...]:
    return query(databases.warehouse, STATE)[0]


@contextmanager
def watched(databases: Databases) -> Iterator[set[tuple[int, ...]]]:
    """Every state that a reader sees meanwhile; the reader never waits for a lock, either."""
    seen: set[tuple[int, ...]] = set()
    done = threading.Event()

    def look() -> None:
        with psycopg.connect(databases.warehouse, autocommit=True) as connection:
            connection.execute("set lock_timeout = '1s'")
            while not done.is_set():
                seen.add(connection.execute(STATE).fetchone())

    with ThreadPoolExecutor(1) as readers:
        reader = readers.submit(look)
        try:
            yield seen
        finally:
            done.set()
            reader.result()


def begin(databases: Databases) -> subprocess.Popen[bytes]:
    """An import in a process of its own, which has begun to write events."""
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORT], cwd=PROJECT, env=os.environ | {"PYTHONPATH": str(PROJECT)}
    )
    wait_for_copy(databases)
    return process


def wait_for_copy(databases: Databases) -> None:
    query(
        databases.warehouse,
        "do $$ begin while not exists (select from pg_stat_progress_copy where datname ="
        " current_database() and tuples_processed > 1000) loop"
        " perform pg_sleep(0.002), pg_stat_clear_snapshot(); end loop; end $$",
    )


def test_readers_see_the_old_state_or_the_new_one(changed):
    """While an import replaces all, on another month too, and nobody waits for it."""
    query(
        changed.telemetry,
        "update telemetry_events set event_timestamp = '2030-01-01' where id = 1",
    )
    before = state(changed)
    with watched(changed) as seen:
        import_sources()
    after = state(changed)
    assert before != after
    assert seen <= {before, after}
    assert before in seen


def test_a_killed_import_leaves_nothing_and_the_next_one_mends_it(changed):
    """kill -9 in the middle of the events, three times; the ledger goes on saying `importing`."""
    before = state(changed)
    with watched(changed) as seen:
        for _ in range(3):
            process = begin(changed)
            process.kill()
            process.wait()
        assert state(changed) == before
    assert seen == {before}
    assert changed.imports()[1:] == [("importing", None)] * 3
    result = import_sources()
    assert (result.events, result.users) == (EVENTS * 2 // 3, 40)
    everything = query(changed.telemetry, "select id, user_id from telemetry_events order by 1")
    assert sorted(row[:2] for row in changed.kept() + changed.orphaned()) == everything


def test_a_warehouse_session_that_is_ended_is_begun_anew(changed):
    """Trouble that passes costs one try; nothing of it stays."""
    ended = threading.Thread(
        target=lambda: (
            wait_for_copy(changed),
            query(
                changed.warehouse,
                "select pg_terminate_backend(pid) from pg_stat_activity where pid ="
                " (select pid from pg_stat_progress_copy where datname = current_database())",
            ),
        )
    )
    ended.start()
    result = import_sources()
    ended.join()
    assert (result.events, result.users) == (EVENTS * 2 // 3, 40)
    # the ledger could not be told through a session that is gone
    assert [status for status, _ in changed.imports()] == ["imported", "importing", "imported"]


def test_two_imports_at_once_take_turns(changed):
    """Both succeed; the second waits, and finds what the first left."""
    said: list[str] = []
    with ThreadPoolExecutor(2) as crew:
        first = crew.submit(import_sources)
        wait_for_copy(changed)
        second = crew.submit(import_sources, say=lambda text, *_: said.append(text))
        results = [first.result(), second.result()]
    assert [result.import_id for result in results] == [2, 3]
    assert [result.events for result in results] == [EVENTS * 2 // 3] * 2
    assert said[0] == "another import is at work; waiting"
    assert state(changed)[3:] == (1, 3)


def test_a_cancelled_import_says_so(changed):
    """It ends within seconds in the middle of its events, and nothing of it stays."""
    before = state(changed)
    with ThreadPoolExecutor(1) as crew:
        with stoppable():
            running = crew.submit(copy_context().run, import_sources)
            wait_for_copy(changed)
        started = time.monotonic()
        with pytest.raises(Stopped):
            running.result()
        assert time.monotonic() - started < 10
    assert state(changed) == before
    assert changed.imports()[1][0] == "failed"
    import_sources()

"""The ledger gives load_seq in commit order and knows a file's chain, tip and half-done load."""

import threading

import pytest

from flows.warehouse import ledger
from flows.warehouse.connection import connect
from flows.warehouse.ledger import FileState
from flows.warehouse.migrate import migrate

KEY = "amplitude/web/2025_week_02.zip"


@pytest.fixture
def warehouse(database_url):
    migrate(database_url)
    with connect(database_url, autocommit=True) as connection:
        yield connection


def begun(warehouse, key=KEY, first_line=0):
    return ledger.begin(
        warehouse,
        source="amplitude_web",
        file_key=key,
        etag="e",
        size_bytes=1,
        first_line=first_line,
    )


def completed(warehouse, key=KEY, first_line=0, last_line=9, supersedes=False):
    load = begun(warehouse, key, first_line)
    ledger.advance(warehouse, load.load_id, last_line=last_line, rows=10, checksum="c")
    return ledger.complete(warehouse, load, checksum="c", supersedes=supersedes)


def rows(warehouse, columns):
    return warehouse.execute(f"select {columns} from raw.loads order by load_id").fetchall()


def test_migrate_twice_and_at_once_makes_one_schema(database_url):
    """Two loaders may start together on an empty database."""
    threads = [threading.Thread(target=migrate, args=(database_url,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    migrate(database_url)
    with connect(database_url) as connection:
        assert connection.execute("select * from raw.alembic_version").fetchall() == [("0007",)]
        assert connection.execute("show timezone").fetchone() == ("UTC",)


def test_a_load_is_unseen_until_it_is_complete(warehouse):
    """load_seq comes with completion and not before."""
    load = begun(warehouse)
    ledger.advance(warehouse, load.load_id, last_line=4, rows=5, checksum="a")
    ledger.advance(warehouse, load.load_id, last_line=9, rows=4, checksum="b")
    columns = "status, row_count, last_line, checksum, load_seq, finished_at is null"
    assert rows(warehouse, columns) == [("loading", 9, 9, "b", None, True)]
    ledger.complete(warehouse, load, checksum="b", supersedes=False)
    assert rows(warehouse, columns) == [("loaded", 9, 9, "b", 1, False)]


def test_load_seq_grows_in_commit_order(warehouse, database_url):
    """A completion waits for the one before it to commit, so no reader sees 2 before 1."""
    first, second = begun(warehouse, "1.zip"), begun(warehouse, "2.zip")
    with connect(database_url, autocommit=True) as other:
        finished = threading.Event()

        def complete_second():
            ledger.complete(other, second, checksum="c", supersedes=False)
            finished.set()

        with warehouse.transaction():
            ledger.complete(warehouse, first, checksum="c", supersedes=False)
            thread = threading.Thread(target=complete_second)
            thread.start()
            assert not finished.wait(0.5)
        thread.join()
    assert rows(warehouse, "file_key, load_seq") == [("1.zip", 1), ("2.zip", 2)]


def test_a_superseding_load_takes_the_place_of_the_whole_chain(warehouse):
    """The old loads keep their status and rows until dbt has admitted the new one."""
    first = completed(warehouse)
    second = completed(warehouse, first_line=10, last_line=19)
    other = completed(warehouse, key="other.zip")
    assert ledger.state(warehouse, KEY) == FileState(tip=second)
    third = completed(warehouse, supersedes=True)
    assert rows(warehouse, "load_id, status, superseded_by") == [
        (first.load_id, "loaded", third.load_id),
        (second.load_id, "loaded", third.load_id),
        (other.load_id, "loaded", None),
        (third.load_id, "loaded", None),
    ]
    assert ledger.states(warehouse, [KEY, "other.zip", "none.zip"]) == {
        KEY: FileState(tip=third),
        "other.zip": FileState(tip=other),
    }


def test_retire_loads_deletes_rows_and_keeps_the_withdrawn_mark(warehouse):
    """retire_loads takes the rows of exactly the loads that it is given, superseded as they are."""
    ids = [completed(warehouse, key=f"{number}.zip").load_id for number in range(3)]
    warehouse.execute("update raw.loads set superseded_by = %s", (ids[2],))
    for load_id in ids:
        warehouse.execute(
            "insert into raw.amplitude_events (load_id, line_number) values (%s, 0), (%s, 1)",
            (load_id, load_id),
        )
    warehouse.execute("update raw.loads set status = 'withdrawn' where load_id = %s", (ids[1],))
    deleted = warehouse.execute("select raw.retire_loads(%s)", (ids[:2],)).fetchone()
    assert deleted == (4,)
    assert rows(warehouse, "status") == [("superseded",), ("withdrawn",), ("loaded",)]
    left = warehouse.execute("select distinct load_id from raw.amplitude_events").fetchall()
    assert left == [(ids[2],)]


def test_retire_loads_finds_every_landing_table(warehouse):
    """Also those of imported and of direct rows, and any that a later migration makes."""
    load_id = completed(warehouse).load_id
    warehouse.execute("update raw.loads set superseded_by = load_id")
    warehouse.execute(
        "insert into raw.import_events (load_id, line_number, content_hash, rejected_reason)"
        " values (%s, 0, gen_random_uuid(), 'no uuid')",
        (load_id,),
    )
    warehouse.execute(
        "insert into raw.direct_rows (load_id, line_number, content_hash, table_name, uuid,"
        " event_time, put_in_at, row_values) values (%s, 0, gen_random_uuid(), 'events_part',"
        " gen_random_uuid(), now(), now(), '{}')",
        (load_id,),
    )
    warehouse.execute("create table raw.later (load_id bigint, line_number bigint)")
    warehouse.execute("insert into raw.later values (%s, 0)", (load_id,))
    assert warehouse.execute("select raw.retire_loads(%s)", ([load_id],)).fetchone() == (3,)
    for table in ("import_events", "direct_rows", "later"):
        assert warehouse.execute(f"select from raw.{table}").fetchall() == []


def test_a_partial_load_is_known_resumed_and_discarded(warehouse):
    """A failed load waits for the next run; one withdrawn before completion is never resumed."""
    partial = begun(warehouse)
    ledger.fail(warehouse, partial.load_id, "why")
    state = ledger.state(warehouse, KEY)
    assert state.tip is None
    assert state.partial is not None
    assert (state.partial.status, state.partial.error) == ("failed", "why")
    resumed = ledger.resume(warehouse, partial.load_id, etag="f", size_bytes=2, first_line=0)
    assert (resumed.status, resumed.error, resumed.etag) == ("loading", None, "f")
    warehouse.execute("update raw.loads set status = 'withdrawn'")
    state = ledger.state(warehouse, KEY)
    assert (state.tip, state.partial) == (None, None)
    assert state.known("f", 2) == state.refused
    assert state.known("g", 2) is None
    ledger.discard(warehouse, partial.load_id, "raw.amplitude_events")
    assert rows(warehouse, "*") == []


def test_a_file_is_held_by_one_session(warehouse, database_url):
    """Two loaders take turns at one file and do not disturb each other at others."""
    with connect(database_url, autocommit=True) as other:
        assert ledger.lock_file(warehouse, KEY, wait=False)
        assert not ledger.lock_file(other, KEY, wait=False)
        assert ledger.lock_file(other, "other.zip", wait=False)
        ledger.unlock_file(warehouse, KEY)
        assert ledger.lock_file(other, KEY, wait=True)

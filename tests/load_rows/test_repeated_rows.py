"""The rows that were put in last count, also where the same rows were put in before."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from bucket_contents import keys_in
from raw_loads import query
from rows_put_in import LOAD, as_ndjson, event, uuid_of

from flows.errors import BadRequest
from flows.load_raw import load_archives
from flows.load_rows import put_in_rows
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse import ledger
from flows.warehouse.connection import connect
from flows.withdraw_load import withdraw

A, B, C = ([event(1, event_type=name), event(2, event_type=name)] for name in "ABC")


@pytest.fixture
def database_url(flow_database_url):
    return flow_database_url


def put(rows, table="events_part", **arguments):
    """The archive's number, and how many ids were inserted and known."""
    result = put_in_rows(table, rows, **arguments)
    name = result.file_key.rpartition("/")[2].removesuffix(".ndjson.gz")
    return int(name.partition("-")[2] or 1), len(result.inserted_ids), result.duplicates


def standing(url):
    """Type of event 1 in the newest row of those that count, which the build takes."""
    return query(
        url,
        "select row_values ->> 'event_type' from raw.direct_rows inner join raw.loads"
        " using (load_id) where status = 'loaded' and uuid = %s order by put_in_at desc limit 1",
        uuid_of(1),
    )[0][0]


def test_rows_put_in_again_stand_after_the_next_build(url, bucket):
    """In each table, whichever of both tables of records the other row of an id was put into."""
    first = {
        "events_part": A,
        "user_locations": [{"uuid": uuid_of(1), "city": "Rome"}],
        "tmp_user_properties": [
            {"uuid": uuid_of(1), "user_properties": {"ehr_id": "P1", "gender": "m"}}
        ],
    }
    second = {
        "events_part": B,
        "user_locations": [{"uuid": uuid_of(1), "city": "Bonn"}],
        "permanent_user_properties": [{"uuid": uuid_of(1), "ehr_id": "P1", "gender": "as typed"}],
    }
    seen = []
    for tables in (first, second, first):
        for table, rows in tables.items():
            put(rows, table)
        build(settings=Dwh(database_url=url))
        seen += query(
            url,
            "select event_type, city, gender from dwh.events_part inner join dwh.user_locations"
            " using (uuid) cross join dwh.permanent_user_properties where events_part.uuid = %s",
            uuid_of(1),
        )
    assert seen == [("A", "Rome", "male"), ("B", "Bonn", "as typed"), ("A", "Rome", "male")]


def test_each_turn_counts_and_an_emptied_warehouse_is_loaded_alike(url, bucket):
    """A-B-A-B-A: a further archive each time, all ids known; what stands twice brings nothing."""
    turns = [(A, 1, 2), (B, 1, 0), (A, 2, 0), (B, 2, 0), (A, 3, 0)]
    for count, (rows, number, inserted) in enumerate(turns, start=1):
        assert put(rows) == (number, inserted, 2 - inserted)
        assert put(rows) == (number, 0, 2)
        assert standing(url) == rows[0]["event_type"]
        assert len(keys_in(bucket)) == count
    query(url, "truncate raw.loads, raw.direct_rows restart identity")
    assert load_archives("direct").rows == 10
    assert standing(url) == "A"


def test_one_row_that_was_overtaken_brings_all_of_its_call_again(url, bucket):
    """Under the same ids, also those that follow from the call."""
    rows = [event(1, event_type="A"), {"event_type": "without id"}]
    assert put(rows) == (1, 2, 0)
    assert put([event(1, event_type="B")]) == (1, 0, 1)
    assert put(rows) == (2, 0, 2)
    assert standing(url) == "A"
    assert query(url, "select count(*), count(distinct uuid) from raw.direct_rows") == [(5, 2)]


def test_rows_of_another_table_overtake_nothing(url, bucket):
    """The same id is of another part there; the repeat stays without effect."""
    put(A)
    put([{"uuid": uuid_of(1), "city": "Rome"}], "user_locations")
    assert put(A) == (1, 0, 2)


def test_the_clocks_of_workers_may_differ(url, bucket):
    """B's is ahead, or the same to the microsecond: rows put in again are later all the same."""
    now = datetime(2025, 1, 6, 12, tzinfo=UTC)
    for number, ahead in enumerate((timedelta(), timedelta(hours=1))):
        a, b = ([event(number, event_type=name)] for name in "AB")
        put(a, now=lambda: now)
        put(b, now=lambda at=now + ahead: at)
        assert [put(rows, now=lambda: now)[0] for rows in (a, a, b, b, a)] == [2, 2, 2, 2, 3]


def test_two_at_once_put_in_again_once(url, bucket):
    """One further archive and load, whoever writes it."""
    put(A)
    put(B)
    with ThreadPoolExecutor(4) as crew:
        calls = [crew.submit(put, A) for _ in range(4)]
        assert [call.result() for call in calls] == [(2, 0, 2)] * 4
    assert len(keys_in(bucket)) == 3
    assert query(url, "select count(*) from raw.loads") == [(3,)]
    assert standing(url) == "A"


def test_a_call_killed_behind_its_archive_goes_on_with_it(url, bucket, file):
    """kill -9 before the load: the next call loads that archive and writes none."""
    before = put_in_rows("events_part", A).file_key
    put(B)
    archived = before.replace(".ndjson.gz", "-2.ndjson.gz")
    with connect(url, autocommit=True) as other_loader:
        ledger.lock_file(other_loader, archived, wait=True)
        process = subprocess.Popen(
            [sys.executable, "-c", LOAD, file("a.ndjson", as_ndjson(A))], env=os.environ.copy()
        )
        while process.poll() is None and archived not in keys_in(bucket):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert standing(url) == "B"
    assert put(A) == (2, 0, 2)
    assert standing(url) == "A"
    assert put(A) == (2, 0, 2)
    assert len(keys_in(bucket)) == 3


def test_an_archive_that_was_overtaken_before_it_was_loaded_is_followed_by_another(url, bucket):
    """A's first call ended behind its archive; then B was put in, then A."""
    put(A)
    query(url, "truncate raw.loads, raw.direct_rows restart identity")
    assert put(B) == (1, 2, 0)
    assert put(A) == (2, 0, 2)
    assert standing(url) == "A"
    assert query(url, "select count(*) from raw.loads where status = 'loaded'") == [(3,)]


def test_a_withdrawn_load_overtakes_nothing(url, bucket):
    """Without B, A stands as it was put in first."""
    put(A)
    withdraw(put_in_rows("events_part", B).load_id, "a test's")
    assert standing(url) == "A"
    assert put(A) == (1, 0, 2)


def test_rows_are_refused_where_their_last_load_was_withdrawn(url, bucket):
    """Their earlier loads stand as before; withdrawing one of those refuses nothing."""
    first = put_in_rows("events_part", A).load_id
    put(B)
    put(A)
    withdraw(first, "a test's")
    assert put(A) == (2, 0, 2)
    put(C)
    third = put_in_rows("events_part", A)
    withdraw(third.load_id, "a test's")
    assert standing(url) == "C"
    with pytest.raises(BadRequest, match=f"-3.ndjson.gz was taken out .*load {third.load_id}"):
        put(A)
    assert put(C) == (1, 0, 2)
    assert standing(url) == "C"

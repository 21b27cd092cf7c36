"""Rows are archived, loaded in batches and told by their ids; the same rows again bring nothing."""

import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from bucket_contents import body_of, keys_in
from killed_loads import kill_behind
from raw_loads import query
from rows_put_in import FORMS, LOAD, as_ndjson, event, expected, rows_in_raw, uuid_of

from flows.errors import BadRequest
from flows.load_raw import load_archives
from flows.load_rows import put_in_rows
from flows.withdraw_load import withdraw

EVENTS = [event(number) for number in range(5)]


def told(result):
    return result.count, result.batches, len(result.inserted_ids), result.duplicates


def sizes_of_batches(url):
    """Rows of each transaction, in the order of their lines."""
    return [
        count
        for (count,) in query(
            url,
            "select count(*) from raw.direct_rows group by xmin order by min(line_number)",
        )
    ]


def test_2500_rows_are_3_batches_and_their_ids_come_in_order(url, bucket):
    """At 1,000 rows a batch; each is a transaction, and all are one load."""
    rows = [event(number) for number in range(2500, 0, -1)]
    result = put_in_rows("events_part", rows)
    assert told(result) == (2500, 3, 2500, 0)
    assert result.inserted_ids == tuple(row["uuid"] for row in rows)
    assert sizes_of_batches(url) == [1000, 1000, 500]
    assert rows_in_raw(url) == expected(rows)
    assert keys_in(bucket) == [result.file_key]
    assert query(url, "select source, file_key, status, row_count, load_id from raw.loads") == [
        ("direct", result.file_key, "loaded", 2500, result.load_id)
    ]


def test_a_row_beyond_the_bytes_of_a_batch_goes_alone(url, bucket, monkeypatch):
    """And no other batch passes either limit, whatever blocks the archive is read in."""
    monkeypatch.setenv("DWH_MAX_WRITE_BATCH_BYTES", "2000000")
    monkeypatch.setenv("DWH_MAX_ROWS_PER_INSERT", "20")
    sizes = [10] * 3 + [3_000_000] + [10] * 45 + [150_000] * 30
    rows = [event(number, user_id="x" * size) for number, size in enumerate(sizes)]
    result = put_in_rows("events_part", rows)
    assert sizes_of_batches(url) == [3, 1, 20, 20, 18, 13, 4]
    assert told(result) == (79, 7, 79, 0)
    assert rows_in_raw(url) == expected(rows)


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("form", FORMS)
def test_every_format_brings_the_same_rows_once(url, bucket, file, form, packing):
    """Numbers of a CSV are numbers; the rows make the name of the archive, not the file."""
    content = FORMS[form](EVENTS)
    path = file(f"rows.{form}{packing}", gzip.compress(content) if packing else content)
    result = put_in_rows("events_part", path=path)
    assert told(result) == (5, 1, 5, 0)
    assert rows_in_raw(url) == expected(EVENTS)
    assert told(put_in_rows("events_part", EVENTS)) == (5, 0, 0, 5)
    assert keys_in(bucket) == [result.file_key]


def test_an_object_of_s3_is_taken_and_format_says_what_its_name_does_not(url, bucket):
    """It stays where it lies; what counts is the archive."""
    bucket.client.put_object(Bucket=bucket.name, Key="inbox/rows", Body=as_ndjson(EVENTS))
    with pytest.raises(BadRequest, match="does not tell its format"):
        put_in_rows("events_part", key="inbox/rows")
    assert told(put_in_rows("events_part", key="inbox/rows", format="ndjson")) == (5, 1, 5, 0)
    assert len(keys_in(bucket)) == 2


def test_what_is_left_out_follows_from_the_call(url, bucket):
    """uuids are in the order of rows and the same when repeated; the time is that of putting in."""
    rows = [{"event_type": f"e{number}"} for number in range(12)]
    noon = datetime(2025, 1, 6, 12, tzinfo=UTC)
    result = put_in_rows("events_part", rows, now=lambda: noon)
    ids = result.inserted_ids
    assert list(ids) == sorted(set(ids))
    assert len(ids) == 12
    assert {row[3] for row in rows_in_raw(url)} == {"2025-01-06 12:00:00+00"}
    before = rows_in_raw(url)
    assert told(put_in_rows("events_part", rows)) == (12, 0, 0, 12)
    query(url, "truncate raw.loads, raw.direct_rows restart identity")
    (load,) = load_archives("direct").loads
    assert (load.status, load.rows) == ("loaded", 12)
    assert rows_in_raw(url) == before
    other = put_in_rows("events_part", rows[:11])
    assert not set(other.inserted_ids) & set(ids)


def test_known_ids_are_told(url, bucket):
    """Ids of earlier calls for the table, and repeats within the call; no other table's."""
    put_in_rows("events_part", EVENTS)
    again = [event(number, event_type="else") for number in (7, 0, 6, 4, 6)]
    result = put_in_rows("events_part", again)
    assert (result.inserted_ids, result.duplicates) == ((uuid_of(7), uuid_of(6)), 3)
    place = {"uuid": uuid_of(0), "city": "Bonn"}
    assert put_in_rows("user_locations", [place]).inserted_ids == (uuid_of(0),)
    record = {"uuid": uuid_of(0), "user_properties": {"ehr_id": "P1"}}
    assert put_in_rows("tmp_user_properties", [record]).duplicates == 0
    typed = {"uuid": uuid_of(0), "ehr_id": "P1"}
    assert put_in_rows("permanent_user_properties", [typed]).duplicates == 1


def test_withdrawn_rows_are_not_put_in_again(url, bucket):
    """Their ids are new again in another call; the same call is refused."""
    load_id = put_in_rows("events_part", EVENTS).load_id
    withdraw(load_id, "a test's")
    with pytest.raises(BadRequest, match="withdraw_load"):
        put_in_rows("events_part", EVENTS)
    assert put_in_rows("events_part", EVENTS[:2]).duplicates == 0


def test_two_at_once_put_the_rows_in_once(url, bucket):
    """One tells them as inserted, the other as known; one archive, one load."""
    rows = [{"event_type": f"e{number}"} for number in range(1500)]
    put_in_rows("events_part", EVENTS)
    with ThreadPoolExecutor(4) as crew:
        calls = [crew.submit(put_in_rows, "events_part", rows) for _ in range(4)]
        results = [call.result() for call in calls]
    assert sorted(result.duplicates for result in results) == [0, 1500, 1500, 1500]
    assert query(url, "select count(*), count(distinct uuid) from raw.direct_rows") == [
        (1505, 1505)
    ]
    assert query(url, "select count(*) from raw.loads") == [(2,)]
    assert len(keys_in(bucket)) == 2


def test_a_killed_call_goes_on(url, bucket, file, monkeypatch):
    """kill -9 between two batches: the next call writes the rest, each row stands there once."""
    monkeypatch.setenv("DWH_MAX_ROWS_PER_INSERT", "10")
    rows = [{"event_type": "opened", "user_id": str(number)} for number in range(10_000)]
    path = file("a.ndjson", as_ndjson(rows))
    process = subprocess.Popen([sys.executable, "-c", LOAD, path], env=os.environ.copy())
    held = kill_behind(process, url, 200)
    assert 0 < held < len(rows)
    assert rows_in_raw(url) == []
    result = put_in_rows("events_part", path=path)
    assert told(result) == (10_000, (10_000 - held) // 10, 10_000, 0)
    assert [json.loads(row[4])["user_id"] for row in rows_in_raw(url)] == [
        row["user_id"] for row in rows
    ]


PEAK = LOAD + "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
def test_memory_stays_constant(url, bucket, file, form):
    """Ten times the rows take no more memory, but for their ids."""
    peaks = []
    for count in (1_000, 10_000):
        rows = [event(number, user_id=f"{number}" + "x" * 10_000) for number in range(count)]
        answer = subprocess.run(
            [sys.executable, "-c", PEAK, file(f"{count}.{form}", FORMS[form](rows))],
            env=os.environ.copy(),
            check=True,
            capture_output=True,
        )
        peaks.append(int(answer.stdout) // 1024)
    assert peaks[1] < peaks[0] + 64, peaks


def test_the_archive_is_gzipped_ndjson_of_its_rows(url, bucket):
    """What raw says follows from it alone."""
    result = put_in_rows("user_locations", [{"uuid": uuid_of(1), "latitude": "1"}],
                         now=lambda: datetime(2025, 1, 6, tzinfo=UTC))  # fmt: skip
    assert result.file_key.startswith("direct/user_locations/")
    assert json.loads(gzip.decompress(body_of(bucket, result.file_key))) == {
        "uuid": uuid_of(1),
        "event_time": "2025-01-06 00:00:00.000000",
        "put_in_at": "2025-01-06 00:00:00.000000",
        "row_values": {"latitude": 1.0},
    }

"""The same rows give the same gzip, written once; the index beside it is a memo."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.lake.archive_index import DayEntry
from flows.lake.bucket import Bucket
from flows.lake.day_archive import store_rows
from flows.lake.day_index import DayIndex, IndexedDay, RunningJob, change_index, read_index
from flows.lake.gzip_reader import open_gzip
from flows.lake.row_sorter import RowSorter

KEY = "appmetrica/1111/events/2025-01-06.ndjson.gz"
INDEX = "appmetrica/1111/events/index.json"
ASKED = datetime(2025, 1, 8, 0, 30, tzinfo=UTC)


def sorter(folder: Path, rows: list[bytes]) -> RowSorter:
    found = RowSorter(folder, run_bytes=1000)
    found.put(0, rows)
    return found


def object_of(bucket: Bucket) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()


@pytest.mark.parametrize("rows", [[], [b'{"a":1}'], [b'{"a":%d}' % n for n in range(50_000)]])
def test_rows_go_in_sorted_and_come_out_whole(
    bucket: Bucket, tmp_path: Path, rows: list[bytes]
) -> None:
    """Any gunzip reads it, and so does the loader's reader; header and entry tell nothing new."""
    stored = store_rows(bucket, KEY, sorter(tmp_path, rows), tmp_path)
    body = object_of(bucket)
    content = b"".join(row + b"\n" for row in sorted(rows))
    assert gzip.decompress(body) == content
    assert b"".join(open_gzip(bucket, KEY, stored.version).blocks()) == content
    assert body[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert (stored.key, stored.version.size_bytes, stored.written) == (KEY, len(body), True)
    assert stored.entry == DayEntry(
        bytes=len(content),
        complete=True,
        crc32=int.from_bytes(body[-8:-4], "little"),
        deflated_bytes=len(body) - 20,
        lines=len(rows),
    )


def test_an_object_that_is_there_already_is_left_alone(bucket: Bucket, tmp_path: Path) -> None:
    """Its bytes decide, not size, name or checksum."""
    rows = [b'{"a":%d}' % n for n in range(50_000)]
    first = store_rows(bucket, KEY, sorter(tmp_path, rows), tmp_path)
    again = store_rows(bucket, KEY, sorter(tmp_path, rows[::-1]), tmp_path)
    assert (again.version, again.written) == (first.version, False)
    body = object_of(bucket)
    damaged = body[:5000] + bytes([body[5000] ^ 1]) + body[5001:]
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=damaged)
    assert store_rows(bucket, KEY, sorter(tmp_path, rows), tmp_path).written
    assert object_of(bucket) == body


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.sampled_from([b'{"a":1}', b'{"a":2}', b'{"b":"xyz"}'])), data=st.data())
def test_the_same_rows_give_the_same_bytes(
    bucket: Bucket, tmp_path: Path, rows: list[bytes], data: st.DataObject
) -> None:
    """Equal rows stay as often as they came; the order of coming does not matter."""
    store_rows(bucket, KEY, sorter(tmp_path, rows), tmp_path)
    first = object_of(bucket)
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    shuffled = data.draw(st.permutations(rows))
    store_rows(bucket, KEY, sorter(tmp_path, shuffled), tmp_path)
    assert object_of(bucket) == first


def test_the_index_keeps_days_and_jobs(bucket: Bucket) -> None:
    """A day that is stored ends its job; days and jobs stand in order."""
    job = RunningJob("0123456789abcdef", ASKED, 4, 2)
    entry = IndexedDay(rows=1, bytes=8, crc32="0a1b2c3d", asked_at=ASKED, confirmed=True)
    assert read_index(bucket, INDEX) == DayIndex()
    change_index(bucket, INDEX, lambda index: index.with_job("2025-01-06", job))
    change_index(bucket, INDEX, lambda index: index.with_job("snapshot", job))
    change_index(bucket, INDEX, lambda index: index.with_day(date(2025, 1, 7), entry))
    changed = change_index(bucket, INDEX, lambda index: index.with_day(date(2025, 1, 6), entry))
    assert (
        read_index(bucket, INDEX)
        == changed
        == DayIndex({date(2025, 1, 6): entry, date(2025, 1, 7): entry}, {"snapshot": job})
    )
    assert list(changed.days) == [date(2025, 1, 6), date(2025, 1, 7)]
    body = bucket.client.get_object(Bucket=bucket.name, Key=INDEX)["Body"].read()
    assert body == (
        b'{"days":{"2025-01-06":{"rows":1,"bytes":8,"crc32":"0a1b2c3d",'
        b'"asked_at":"2025-01-08T00:30:00Z","confirmed":true},'
        b'"2025-01-07":{"rows":1,"bytes":8,"crc32":"0a1b2c3d",'
        b'"asked_at":"2025-01-08T00:30:00Z","confirmed":true}},'
        b'"jobs":{"snapshot":{"job_id":"0123456789abcdef","asked_at":"2025-01-08T00:30:00Z",'
        b'"parts_count":4,"part_number":2}}}'
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"days":{"6 January":{}}}', b"\xff", b'{"days":'])
def test_an_index_that_cannot_be_read_is_an_empty_one(bucket: Bucket, body: bytes) -> None:
    """Days are asked again then, nothing worse."""
    bucket.client.put_object(Bucket=bucket.name, Key=INDEX, Body=body)
    assert read_index(bucket, INDEX) == DayIndex()

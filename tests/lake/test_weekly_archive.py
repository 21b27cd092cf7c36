"""Weekly archives: days come and go, and the bytes depend on the days alone."""

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.errors import ArchiveFailed
from flows.lake.archive_index import ArchiveIndex, DayEntry, days_of
from flows.lake.bucket import Bucket
from flows.lake.day_file import DayFile, DayWriter
from flows.lake.objects import upload
from flows.lake.weekly_archive import WeeklyArchive, covers_week, read_archive, write_days
from flows.windows import IsoWeek

WEEK = IsoWeek(2025, 2)
DAYS = days_of(WEEK)
MONDAY = DAYS[0]


def day_file(directory: Path, content: bytes, *, complete: bool = True) -> DayFile:
    with DayWriter(directory / uuid4().hex) as writer:
        writer.add_hour([content])
        return writer.finish(complete=complete)


def write(
    bucket: Bucket, key: str, new: Mapping[date, DayFile], *, replace_foreign: bool = False
) -> tuple[WeeklyArchive, bool]:
    return write_days(bucket, key, "web", WEEK, new, replace_foreign=replace_foreign)


def read(bucket: Bucket, key: str) -> WeeklyArchive:
    archive = read_archive(bucket, key, "web", WEEK)
    assert archive is not None
    return archive


def stored(bucket: Bucket, key: str) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()


def ndjson(bucket: Bucket, key: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(stored(bucket, key))) as archive:
        return archive.read("2025_week_02.ndjson")


def unfinished(bucket: Bucket) -> int:
    return len(bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []))


def test_a_new_archive_holds_its_days_in_order_of_time(bucket: Bucket, tmp_path: Path) -> None:
    """The zip has one member with all days, and says in its comment which."""
    days = {
        DAYS[4]: day_file(tmp_path, b"e\n", complete=False),
        DAYS[1]: day_file(tmp_path, b"b\nbb\n"),
        DAYS[2]: day_file(tmp_path, b""),
    }
    assert read_archive(bucket, "a.zip", "web", WEEK) is None
    archive, written = write(bucket, "a.zip", days)
    assert written
    assert ndjson(bucket, "a.zip") == b"b\nbb\ne\n"
    assert archive.index == ArchiveIndex(
        "web", WEEK, {day: days[day].entry for day in (DAYS[1], DAYS[2], DAYS[4])}
    )
    assert read(bucket, "a.zip") == archive
    content = stored(bucket, "a.zip")
    assert archive.version.size_bytes == len(content)
    assert archive.version.etag == bucket.client.head_object(Bucket=bucket.name, Key="a.zip")[
        "ETag"
    ].strip('"')
    assert unfinished(bucket) == 0


def test_a_day_is_replaced_and_the_others_are_kept(bucket: Bucket, tmp_path: Path) -> None:
    """Only the named day changes; its neighbours stay byte for byte."""
    write(bucket, "a.zip", {day: day_file(tmp_path, f"{day}\n".encode()) for day in DAYS})
    archive, written = write(bucket, "a.zip", {DAYS[3]: day_file(tmp_path, b"new\nlines\n")})
    assert written
    expected = [b"new\nlines\n" if day == DAYS[3] else f"{day}\n".encode() for day in DAYS]
    assert ndjson(bucket, "a.zip") == b"".join(expected)
    assert archive.index.lines == 8
    assert read(bucket, "a.zip") == archive


LINE = st.binary(min_size=1, max_size=30).map(lambda line: line.hex().encode() + b"\n")
WEEK_OF_DAYS = st.dictionaries(
    st.sampled_from(DAYS),
    st.tuples(st.lists(LINE, max_size=20).map(b"".join), st.booleans()),
    min_size=1,
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(WEEK_OF_DAYS, min_size=1, max_size=4))
def test_the_way_to_an_archive_leaves_no_trace(
    bucket: Bucket, tmp_path: Path, rounds: list[dict[date, tuple[bytes, bool]]]
) -> None:
    """Days put in one by one, some replaced, give the bytes of writing the last state once."""
    key, fresh_key = f"{uuid4().hex}.zip", f"{uuid4().hex}.zip"
    state: dict[date, tuple[bytes, bool]] = {}
    for days in rounds:
        state |= days
        files = {
            day: day_file(tmp_path, content, complete=complete)
            for day, (content, complete) in days.items()
        }
        archive, _ = write(bucket, key, files)
    fresh = {
        day: day_file(tmp_path, content, complete=complete)
        for day, (content, complete) in state.items()
    }
    write(bucket, fresh_key, fresh)
    assert stored(bucket, key) == stored(bucket, fresh_key)
    assert ndjson(bucket, key) == b"".join(state[day][0] for day in sorted(state))
    assert archive.index.days == {day: fresh[day].entry for day in sorted(state)}


def test_an_archive_that_would_not_change_is_not_written(bucket: Bucket, tmp_path: Path) -> None:
    """The same days again leave the object as it is; a day that became complete is a change."""
    young = {MONDAY: day_file(tmp_path, b"a\n", complete=False)}
    first, written = write(bucket, "a.zip", young)
    assert written
    modified = bucket.client.head_object(Bucket=bucket.name, Key="a.zip")["LastModified"]
    assert write(bucket, "a.zip", {MONDAY: day_file(tmp_path, b"a\n", complete=False)}) == (
        first,
        False,
    )
    assert bucket.client.head_object(Bucket=bucket.name, Key="a.zip")["LastModified"] == modified
    archive, written = write(bucket, "a.zip", {MONDAY: day_file(tmp_path, b"a\n")})
    assert written
    assert archive.index.days[MONDAY].complete


def test_content_decides_where_the_checksum_is_equal(bucket: Bucket, tmp_path: Path) -> None:
    """Two days with one entry but other bytes are two days: a CRC-32 proves nothing."""
    file = day_file(tmp_path, b"".join(b"%d\n" % n for n in range(1000)))
    write(bucket, "a.zip", {MONDAY: file})
    other = DayFile(tmp_path / "other", file.entry)
    data = bytearray(file.path.read_bytes())
    data[100] ^= 1
    other.path.write_bytes(data)
    _, written = write(bucket, "a.zip", {MONDAY: other})
    assert written
    assert bytes(data) in stored(bucket, "a.zip")


def test_many_parts_come_out_as_one_archive(bucket: Bucket, tmp_path: Path) -> None:
    """An archive of several parts is proven by its ETag, and kept days cross part borders."""
    noise = [os.urandom(6_000_000).hex().encode() + b"\n" for _ in range(3)]
    write(bucket, "a.zip", {DAYS[i]: day_file(tmp_path, noise[i]) for i in range(3)})
    archive, written = write(bucket, "a.zip", {DAYS[1]: day_file(tmp_path, b"small\n")})
    assert written
    assert archive.version.size_bytes > 8 * 1024 * 1024
    assert ndjson(bucket, "a.zip") == noise[0] + b"small\n" + noise[2]


def foreign_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2025_week_02.ndjson", "x\n")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [foreign_zip(), b"", b"hello", b"\x00" * 200_000])
def test_a_foreign_object_is_not_touched(bucket: Bucket, tmp_path: Path, content: bytes) -> None:
    """An object that is no archive of ours is an error, until it is to be replaced."""
    bucket.client.put_object(Bucket=bucket.name, Key="a.zip", Body=content)
    days = {MONDAY: day_file(tmp_path, b"a\n")}
    for attempt in (
        lambda: read_archive(bucket, "a.zip", "web", WEEK),
        lambda: write(bucket, "a.zip", days),
    ):
        with pytest.raises(ArchiveFailed, match="refresh=True") as caught:
            attempt()
        assert caught.value.file_key == "a.zip"
    assert stored(bucket, "a.zip") == content
    write(bucket, "a.zip", days, replace_foreign=True)
    assert ndjson(bucket, "a.zip") == b"a\n"


def test_an_archive_of_another_week_or_source_is_foreign(bucket: Bucket, tmp_path: Path) -> None:
    """A copy under the wrong key is found out by its comment."""
    write(bucket, "a.zip", {MONDAY: day_file(tmp_path, b"a\n")})
    with pytest.raises(ArchiveFailed, match="format, source and week"):
        read_archive(bucket, "a.zip", "mobile", WEEK)
    with pytest.raises(ArchiveFailed, match="format, source and week"):
        read_archive(bucket, "a.zip", "web", IsoWeek(2025, 3))


def test_damage_in_a_kept_day_does_not_travel_on(bucket: Bucket, tmp_path: Path) -> None:
    """A kept day is checked on the way; the old object stays, and the day can be put in anew."""
    content = b"".join(b"%d\n" % n for n in range(10_000))
    days = {day: day_file(tmp_path, content) for day in DAYS[:3]}
    archive, _ = write(bucket, "a.zip", days)
    damaged = bytearray(stored(bucket, "a.zip"))
    damaged[archive.start_of(DAYS[1]) + 500] ^= 0x10
    bucket.client.put_object(Bucket=bucket.name, Key="a.zip", Body=bytes(damaged))
    with pytest.raises(ArchiveFailed, match=f"{DAYS[1]} is damaged"):
        write(bucket, "a.zip", {DAYS[0]: day_file(tmp_path, b"a\n")})
    assert stored(bucket, "a.zip") == damaged
    assert unfinished(bucket) == 0
    write(bucket, "a.zip", {DAYS[1]: days[DAYS[1]]})
    assert ndjson(bucket, "a.zip") == content * 3


def test_another_writer_of_the_same_week_is_noticed(bucket: Bucket, tmp_path: Path) -> None:
    """A day that someone else put in during the merge is kept: the merge starts over."""
    write(bucket, "other.zip", {DAYS[1]: day_file(tmp_path, b"theirs\n")})
    ours = day_file(tmp_path, b"ours\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    results: list[tuple[WeeklyArchive, bool]] = []
    merge = threading.Thread(
        target=lambda: results.append(write(bucket, "a.zip", {MONDAY: DayFile(pipe, ours.entry)}))
    )
    merge.start()
    with pipe.open("wb") as writing:  # opens when the merge reads the day, so after it looked
        bucket.client.put_object(Bucket=bucket.name, Key="a.zip", Body=stored(bucket, "other.zip"))
        writing.write(ours.path.read_bytes())
    pipe.unlink()
    ours.path.rename(pipe)  # what the merge reads when it starts over
    merge.join(30)
    ((archive, written),) = results
    assert written
    assert list(archive.index.days) == [MONDAY, DAYS[1]]
    assert ndjson(bucket, "a.zip") == b"ours\ntheirs\n"
    assert unfinished(bucket) == 0


def test_an_upload_that_breaks_leaves_the_old_object(bucket: Bucket, tmp_path: Path) -> None:
    """Nothing is visible before the last part is there, and no parts are left behind."""
    write(bucket, "a.zip", {MONDAY: day_file(tmp_path, b"a\n")})
    before = stored(bucket, "a.zip")
    missing = DayFile(tmp_path / "missing", DayEntry(1, True, 1, 1, 1))
    with pytest.raises(FileNotFoundError):
        write(bucket, "a.zip", {DAYS[1]: missing})
    assert stored(bucket, "a.zip") == before
    assert unfinished(bucket) == 0


def test_fewer_bytes_than_announced_are_noticed(bucket: Bucket) -> None:
    """What stands in S3 is compared with what was to be written."""
    with pytest.raises(ArchiveFailed, match="instead of 9") as caught:
        upload(bucket, "a", lambda: [b"1234", b"5678"], 9, lambda: None)
    assert caught.value.file_key == "a"
    assert bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", []) == []


def test_a_missing_bucket_is_named(bucket: Bucket) -> None:
    """A 404 of the bucket is not taken for a missing archive."""
    with pytest.raises(ArchiveFailed, match="S3_BUCKET_NAME"):
        read_archive(Bucket(bucket.client, "no-such-bucket"), "a.zip", "web", WEEK)


def test_an_s3_that_is_away_is_an_error_that_names_the_key(bucket: Bucket) -> None:
    """Errors of the S3 client arrive as ours."""
    with pytest.raises(ArchiveFailed) as caught:
        read_archive(Bucket(bucket.client, "Not A Bucket Name!"), "a.zip", "web", WEEK)
    assert caught.value.file_key == "a.zip"


def test_a_week_is_covered_when_all_its_days_that_have_begun_are_asked() -> None:
    """Days to come cannot be asked, so the running week counts as covered without them."""
    assert covers_week(WEEK, DAYS, MONDAY + timedelta(days=30))
    assert not covers_week(WEEK, DAYS[1:], MONDAY + timedelta(days=30))
    assert covers_week(WEEK, DAYS[:3], DAYS[2])
    assert not covers_week(WEEK, DAYS[:3], DAYS[3])


@pytest.mark.parametrize(
    "comment",
    [
        b"",
        b"{",
        b"[]",
        b'{"days":{},"format":1}',
        b'{"days":{},"format":2,"source":"web","week":"2025_week_02"}',
        b'{"days":{"2025-01-13":{"bytes":0,"complete":true,"crc32":0,"deflated_bytes":0,"lines":0}},'
        b'"format":1,"source":"web","week":"2025_week_02"}',
        b'{"days":{"2025-01-06":{"bytes":0,"complete":1,"crc32":0,"deflated_bytes":0,"lines":0}},'
        b'"format":1,"source":"web","week":"2025_week_02"}',
        b'{"days":{"2025-01-06":{"bytes":-1,"complete":true,"crc32":0,"deflated_bytes":0,"lines":0}},'
        b'"format":1,"source":"web","week":"2025_week_02"}',
        b'{"days":{"2025-01-06":{"lines":0}},"format":1,"source":"web","week":"2025_week_02"}',
    ],
)
def test_a_comment_that_is_no_index_is_refused(comment: bytes) -> None:
    """Every malformed or foreign comment is a ValueError, never half an index."""
    with pytest.raises(ValueError, match="its zip comment"):
        ArchiveIndex.from_comment(comment, "web", WEEK)


def test_the_index_reads_what_it_wrote() -> None:
    """The comment is compact JSON with sorted keys, and comes back as the same index."""
    index = ArchiveIndex("web", WEEK, {MONDAY: DayEntry(10, True, 7, 5, 2)})
    comment = index.to_comment()
    assert comment == (
        b'{"days":{"2025-01-06":{"bytes":10,"complete":true,"crc32":7,"deflated_bytes":5,"lines":2}},'
        b'"format":1,"source":"web","week":"2025_week_02"}'
    )
    assert ArchiveIndex.from_comment(comment, "web", WEEK) == index


def test_the_bytes_of_an_archive_are_known(bucket: Bucket, tmp_path: Path) -> None:
    """The same input gives the same bytes: in this run, and as long as isal keeps its output."""
    days = {day: day_file(tmp_path, f"{day}\n".encode() * 100) for day in DAYS}
    write(bucket, "a.zip", days)
    write(bucket, "b.zip", dict(reversed(days.items())))
    digests = {hashlib.sha256(stored(bucket, key)).hexdigest() for key in ("a.zip", "b.zip")}
    assert len(digests) == 1

"""No file, however broken, crashes a reader, hangs it, fills the memory or shows half of itself."""

import gzip
import io
import itertools
import json
import zipfile
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from fuzz import SOUP, fuzzed, spoilt, watched
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ArchiveFailed, DwhHelperError, Interrupted, VendorFailed
from flows.lake.archive_reader import open_archive
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.line_stream import LineStream, Slab
from flows.lake.objects import look
from flows.load_raw import load_archives
from flows.settings import Limits
from flows.vendors.amplitude_zip import read_hours
from flows.vendors.appmetrica_json import read_rows
from flows.warehouse.landing import landing_of
from flows.windows import Window

LINES = [
    {"event_id": 1, "event_type": "a", "event_time": "2025-01-06 09:00:00.000001"},
    {"event_id": 2, "uuid": "123e4567-e89b-42d3-a456-426614174000", "user_properties": {"a": "я"}},
    {"event_id": 3, "data": {"n": [1, 2.5, None, "\u0001"]}, "paying": True, "unknown": "x"},
]
NDJSON = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
OTHER_NDJSON = b"".join(b'{"event_id":%d}\n' % number for number in range(300))
CONTENTS = (NDJSON, OTHER_NDJSON)
DAY = Window(datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC))


def zipped(content: bytes, name: str = "w.ndjson", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = b'{"days":{}}'
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return file.getvalue()


def answer(content: bytes) -> bytes:
    """An export of Amplitude: gzip in zip."""
    return zipped(gzip.compress(content, mtime=0), "1/1_2025-01-06_9#1.json.gz")


ZIPS = (*map(zipped, CONTENTS), zipped(NDJSON, method=zipfile.ZIP_STORED), zipped(b""))
GZIPS = tuple(gzip.compress(content, mtime=0) for content in (*CONTENTS, b""))
ANSWERS = (*map(answer, CONTENTS), answer(b""))
ROWS = json.dumps({"data": LINES}).encode(), json.dumps({"data": LINES}, indent=1).encode()


def both(short: int, long: int) -> pytest.MarkDecorator:
    """A short run in `make test`, a long one in `make soak`."""
    return pytest.mark.parametrize("examples", [short, pytest.param(long, marks=pytest.mark.soak)])


@both(80, 20_000)
def test_an_archive_is_read_whole_or_refused(bucket: Bucket, examples: int) -> None:
    """Zip and gzip: what comes out is what once went in, or an error names the key."""

    @given(
        st.one_of(
            st.tuples(st.just("amplitude/web/a.zip"), spoilt(*ZIPS)),
            st.tuples(st.just("appmetrica/1/events/2025-01-06.ndjson.gz"), spoilt(*GZIPS)),
        )
    )
    @fuzzed(examples)
    def check(case: tuple[str, bytes]) -> None:
        key, body = case
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
        version = look(bucket, key)
        assert version is not None
        opener = open_archive if key.endswith(".zip") else open_gzip
        with watched():
            try:
                content = b"".join(opener(bucket, key, version).blocks())
            except (Interrupted, ArchiveFailed) as error:
                assert error.file_key == key
                return
        assert content in (*CONTENTS, b"")

    check()


@both(150, 20_000)
def test_a_vendor_s_answer_is_read_whole_or_broken(tmp_path: Path, examples: int) -> None:
    """Amplitude's zip of gzips: all of an hour's events, or VendorFailed."""
    path = tmp_path / "answer.zip"

    @given(spoilt(*ANSWERS))
    @fuzzed(examples)
    def check(body: bytes) -> None:
        path.write_bytes(body)
        with watched():
            try:
                found = [(hour.hour, b"".join(blocks)) for hour, blocks in read_hours(path, DAY)]
            except VendorFailed as error:
                assert len(str(error)) < 500
                return
        # another name in the directory is another hour; one member may stand there twice
        assert all(0 <= hour <= 23 for hour, _ in found)
        assert {part for _, part in found} <= {*CONTENTS, b"", *(c * 2 for c in CONTENTS)}

    check()


@both(150, 50_000)
def test_rows_are_whole_or_the_answer_is_broken(tmp_path: Path, examples: int) -> None:
    """AppMetrica's JSON: each row is one line that reads as an object, or VendorFailed."""
    path = tmp_path / "answer.json"

    @given(st.one_of(spoilt(*ROWS), SOUP, SOUP.map(lambda soup: b'{"data":[' + soup + b"]}")))
    @fuzzed(examples)
    def check(body: bytes) -> None:
        path.write_bytes(body)
        with watched(), suppress(VendorFailed):
            for row in read_rows(path, "events"):
                assert row.startswith(b"{")
                assert b"\n" not in row

    check()


KEYS = (
    ("amplitude_web", "amplitude/web/a.zip"),
    *(
        ("appmetrica", f"appmetrica/1/{table}/2025-01-06.ndjson.gz")
        for table in ("events", "profiles_v2", "crashes")
    ),
)


@both(200, 50_000)
def test_lines_become_rows_or_are_refused_by_number(examples: int) -> None:
    """Both ways of making rows stop at the same line, and give as many rows as lines before it."""

    @given(st.sampled_from(KEYS), st.one_of(spoilt(*CONTENTS), SOUP))
    @fuzzed(examples)
    def check(landing: tuple[str, str], data: bytes) -> None:
        source, key = landing
        slab = Slab(7, data.removesuffix(b"\n") + b"\n")
        make_block = landing_of(source).table_of(key).make_block
        with watched():
            plain, careful = make_block(slab, 1, False), make_block(slab, 1, True)
        assert (plain.line_count, plain.row_count, plain.refused) == (
            careful.line_count,
            careful.row_count,
            careful.refused,
        )
        taken = slab.lines[: plain.line_count]
        assert plain.row_count == sum(bool(line.strip(b" \t\r")) for line in taken)
        assert (plain.refused is None) == (plain.line_count == len(slab.lines))
        plain.data.decode()

    check()


@pytest.mark.parametrize(("source", "key"), KEYS)
@pytest.mark.parametrize(
    ("data", "lines_before"),
    [(b'{"a":1}\n{"a":2}{"a":3}\n\n{"a":4}\n', 1), (b'{"a":2}{"a":3}\n{"a":\n4}\n', 0)],
)
def test_lines_and_objects_are_not_counted_but_matched(source, key, data, lines_before) -> None:
    """Two objects on one line are no event, though a blank line makes their numbers agree."""
    block = landing_of(source).table_of(key).make_block(Slab(0, data), 1, False)
    assert (block.row_count, block.line_count) == (lines_before, lines_before)
    assert block.refused is not None
    assert block.refused.line_number == lines_before


@both(25, 5_000)
def test_a_load_is_seen_whole_or_not_at_all(settings_env, bucket: Bucket, examples: int) -> None:
    """Whatever lay in S3, dbt sees all of it or nothing; a mended file then stands there alone."""
    url = settings_env["DWH_DATABASE_URL"]
    numbers = itertools.count()
    load_archives("amplitude_web")

    @given(
        st.one_of(
            st.tuples(st.just(""), spoilt(*ZIPS)),
            st.tuples(st.just("lines"), st.one_of(spoilt(*CONTENTS), SOUP)),
        )
    )
    @fuzzed(examples)
    def check(case: tuple[str, bytes]) -> None:
        kind, body = case
        key = f"amplitude/web/{next(numbers)}.zip"
        bucket.client.put_object(
            Bucket=bucket.name, Key=key, Body=zipped(body) if kind == "lines" else body
        )
        with watched(None):
            try:
                (load,) = load_archives("amplitude_web", key=key).loads
            except DwhHelperError as error:
                assert isinstance(error, Interrupted | ArchiveFailed)
                assert seen(url, key) == []
            else:
                assert len(seen(url, key)) == load.rows
                assert kind != "lines" or load.rows == sum(
                    bool(line.strip(b" \t\r")) for line in body.split(b"\n")
                )
            bucket.client.put_object(Bucket=bucket.name, Key=key, Body=zipped(OTHER_NDJSON))
            load_archives("amplitude_web", key=key)
        assert seen(url, key) == list(range(300))

    check()


def seen(url: str, key: str) -> list[int | None]:
    """event_id of each row of the file that dbt may see."""
    with psycopg.connect(url) as connection:
        return [
            number
            for (number,) in connection.execute(
                "select event_id from raw.amplitude_events inner join raw.loads using (load_id)"
                " where load_seq is not null and superseded_by is null and status = 'loaded'"
                " and file_key = %s order by line_number",
                [key],
            )
        ]


def test_a_line_without_end_takes_no_more_than_its_limit(bucket: Bucket) -> None:
    """What no newline ever ends is given up at the limit, by its number."""
    key = "appmetrica/1/events/2025-01-06.ndjson.gz"
    body = gzip.compress(NDJSON + bytes(100_000_000), 1)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    version = look(bucket, key)
    assert version is not None
    archive = open_gzip(bucket, key, version, Limits(line_max_bytes=2_000_000))
    with watched(), closing(LineStream(archive)) as stream:
        assert stream.advance(len(LINES))
        with pytest.raises(Interrupted, match="longer than 2,000,000 bytes") as caught:
            stream.take()
    assert (caught.value.reason, caught.value.failed_line) == ("unreadable_line", len(LINES))

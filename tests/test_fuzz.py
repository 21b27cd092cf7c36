"""No file, however broken, crashes a reader, hangs it, fills the memory or shows half of itself."""

import gzip
import itertools
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from fuzz import (
    ANSWERS,
    CONTENTS,
    GZIP_KEY,
    GZIPS,
    KEYS,
    LINES,
    NDJSON,
    OTHER_NDJSON,
    ROWS,
    SOUP,
    ZIP_KEY,
    ZIPS,
    demand_numbered_refusal,
    demand_whole_archive,
    demand_whole_hours,
    demand_whole_rows,
    fuzzed,
    spoilt,
    watched,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ArchiveFailed, DwhHelperError, Interrupted
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.line_stream import LineStream, Slab
from flows.lake.objects import look
from flows.load_raw import load_archives
from flows.settings import Limits
from flows.warehouse.landing import landing_of


def both(short: int, long: int) -> pytest.MarkDecorator:
    """A short run in `make test`, a long one in `make soak`."""
    return pytest.mark.parametrize("examples", [short, pytest.param(long, marks=pytest.mark.soak)])


@both(80, 20_000)
def test_an_archive_is_read_whole_or_refused(bucket: Bucket, examples: int) -> None:
    """Zip and gzip: what comes out is what once went in, or an error names the key."""

    @given(
        st.one_of(
            st.tuples(st.just(ZIP_KEY), spoilt(*ZIPS)),
            st.tuples(st.just(GZIP_KEY), spoilt(*GZIPS)),
        )
    )
    @fuzzed(examples)
    def check(case: tuple[str, bytes]) -> None:
        with watched():
            demand_whole_archive(bucket, *case)

    check()


@both(150, 20_000)
def test_a_vendor_s_answer_is_read_whole_or_broken(tmp_path: Path, examples: int) -> None:
    """Amplitude's zip of gzips: all of an hour's events, or VendorFailed."""
    path = tmp_path / "answer.zip"

    @given(spoilt(*ANSWERS))
    @fuzzed(examples)
    def check(body: bytes) -> None:
        with watched():
            demand_whole_hours(path, body)

    check()


@both(150, 50_000)
def test_rows_are_whole_or_the_answer_is_broken(tmp_path: Path, examples: int) -> None:
    """AppMetrica's JSON: each row is one line that reads as an object, or VendorFailed."""
    path = tmp_path / "answer.json"

    @given(st.one_of(spoilt(*ROWS), SOUP, SOUP.map(lambda soup: b'{"data":[' + soup + b"]}")))
    @fuzzed(examples)
    def check(body: bytes) -> None:
        with watched():
            demand_whole_rows(path, body)

    check()


@both(200, 50_000)
def test_lines_become_rows_or_are_refused_by_number(examples: int) -> None:
    """Both ways of making rows stop at the same line, and give as many rows as lines before it."""

    @given(st.sampled_from(KEYS), st.one_of(spoilt(*CONTENTS), SOUP))
    @fuzzed(examples)
    def check(landing: tuple[str, str], data: bytes) -> None:
        with watched():
            demand_numbered_refusal(*landing, data)

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
    key = GZIP_KEY
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

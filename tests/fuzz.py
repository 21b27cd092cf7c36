"""Spoilt input (bytes that were right once, soups of what JSON is made of), and what must hold."""

import gzip
import io
import json
import signal
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from flows.errors import ArchiveFailed, Interrupted, VendorFailed
from flows.lake.archive_reader import open_archive
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.line_stream import Slab
from flows.lake.objects import look
from flows.vendors.amplitude_zip import read_hours
from flows.vendors.appmetrica_json import read_rows
from flows.warehouse.landing import landing_of
from flows.windows import Window

#: No example here is larger than some KB; whoever needs longer than this hangs.
LONGEST_S = 60
#: What a reader may hold at once: a few blocks of a megabyte and a zip's directory.
MOST_BYTES = 24 * 1024 * 1024

NUMBERS = [0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
TOKENS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b" ", b"\t", b"\r"),
    *(b"\x00", b"\x01", b"\x02", b"null", b"true", b"NaN", b"Infinity"),
    *(b"-", b"0", b"1", b"1e999", b"1" * 5000, b"0.1"),
    *(b'"event_id"', b'"uuid"', b'"event_time"', b'"user_properties"', b'"data"', b'""', b'"a"'),
    *(b"\\u0000", b"\\ud800", b"\\u0001", b"\\n", b"\xff", b"\xc3", b"\xef\xbb\xbf", "я".encode()),
    *(b"[" * 3000, b'{"a":' * 3000, b"\n", b"\n\n", b'"2025-13-45 99:99:99"'),
]  # fmt: skip
SOUP = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)


LINES = [
    {"event_id": 1, "event_type": "a", "event_time": "2025-01-06 09:00:00.000001"},
    {"event_id": 2, "uuid": "123e4567-e89b-42d3-a456-426614174000", "user_properties": {"a": "я"}},
    {"event_id": 3, "data": {"n": [1, 2.5, None, "\u0001"]}, "paying": True, "unknown": "x"},
]
NDJSON = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
OTHER_NDJSON = b"".join(b'{"event_id":%d}\n' % number for number in range(300))
CONTENTS = (NDJSON, OTHER_NDJSON)
ZIP_KEY, GZIP_KEY = "amplitude/web/a.zip", "appmetrica/1/events/2025-01-06.ndjson.gz"
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


KEYS = (
    ("amplitude_web", "amplitude/web/a.zip"),
    *(
        ("appmetrica", f"appmetrica/1/{table}/2025-01-06.ndjson.gz")
        for table in ("events", "profiles_v2", "crashes")
    ),
)


def spoilt(*good: bytes) -> st.SearchStrategy[bytes]:
    """One of these texts with some of its bytes changed, lost, doubled, or put elsewhere."""

    @st.composite
    def spoil(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(good))
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(data)))
            end = min(len(data), at + draw(st.integers(1, 64)))
            number = draw(st.sampled_from(NUMBERS))
            width = draw(st.sampled_from([1, 2, 4, 8]))
            data = draw(
                st.sampled_from(
                    [
                        data[:at],
                        data[at:],
                        data[:at] + data[end:],
                        data[:end] + data[at:],
                        data[:at] + bytes([data[at] ^ 1 << number % 8] if at < len(data) else [])
                        + data[at + 1 :],
                        data[:at] + (number % 256**width).to_bytes(width, "little")
                        + data[at + width :],
                        data[:at] + draw(SOUP) + data[at:],
                        data[:at] + draw(st.sampled_from(good)) + data[at:],
                        data[end:] + data[:end],
                    ]
                )
            )  # fmt: skip
        return data

    return spoil()


def fuzzed(examples: int) -> settings:
    """So many examples, of which none is too slow for hypothesis: `watched` sees to that."""
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip


@contextmanager
def watched(most_bytes: int | None = MOST_BYTES) -> Iterator[None]:
    """The block neither hangs nor takes more memory than this; None: only does not hang."""

    def hang(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end after {LONGEST_S} s: {frame}")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    if most_bytes is not None:
        tracemalloc.start()
    try:
        yield
        if most_bytes is not None:
            assert tracemalloc.get_traced_memory()[1] <= most_bytes
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def demand_whole_archive(bucket: Bucket, key: str, body: bytes) -> None:
    """What comes out of zip or gzip is what once went in, or an error names the key."""
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    version = look(bucket, key)
    assert version is not None
    opener = open_archive if key.endswith(".zip") else open_gzip
    content, blamed = b"", key
    try:
        content = b"".join(opener(bucket, key, version).blocks())
    except (Interrupted, ArchiveFailed) as error:
        blamed = error.file_key or ""
    assert blamed == key
    assert content in (*CONTENTS, b"")


def demand_whole_hours(path: Path, body: bytes) -> None:
    """An answer of Amplitude gives all of an hour's events, or VendorFailed."""
    path.write_bytes(body)
    found, told = [], ""
    try:
        found = [(hour.hour, b"".join(blocks)) for hour, blocks in read_hours(path, DAY)]
    except VendorFailed as error:
        told = str(error)
    assert len(told) < 500
    # another name in the directory is another hour; one member may stand there twice
    assert all(0 <= hour <= 23 for hour, _ in found)
    assert {part for _, part in found} <= {*CONTENTS, b"", *(c * 2 for c in CONTENTS)}


def demand_whole_rows(path: Path, body: bytes) -> None:
    """Each row of an answer of AppMetrica is one line that reads as an object, or VendorFailed."""
    path.write_bytes(body)
    with suppress(VendorFailed):
        for row in read_rows(path, "events"):
            assert row.startswith(b"{")
            assert b"\n" not in row


def demand_numbered_refusal(source: str, key: str, data: bytes) -> None:
    """Both ways of making rows stop at the same line, with as many rows as lines before it."""
    slab = Slab(7, data.removesuffix(b"\n") + b"\n")
    make_block = landing_of(source).table_of(key).make_block
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

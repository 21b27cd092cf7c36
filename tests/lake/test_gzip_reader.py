"""A gzip archive is read as a stream; what cannot be trusted is refused with key and reason."""

import gzip
import struct
import zlib

import pytest

from flows.errors import ArchiveFailed, Interrupted
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.inflate import BLOCK_BYTES
from flows.lake.objects import ObjectChanged, ObjectVersion, look
from flows.settings import BOMB_FLOOR_BYTES, Limits

KEY = "appmetrica/1111/events/2025-01-06.ndjson.gz"
LINES = b'{"event_name":"a"}\n' * 20_000
GOOD = gzip.compress(LINES, mtime=0)
MIDDLE = len(GOOD) // 2


def put(bucket: Bucket, body: bytes) -> ObjectVersion:
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=body)
    version = look(bucket, KEY)
    assert version is not None
    return version


def read(bucket: Bucket, body: bytes) -> bytes:
    return b"".join(open_gzip(bucket, KEY, put(bucket, body)).blocks())


@pytest.mark.parametrize("content", [b"", b"x", LINES, bytes(range(256)) * 30_000])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_content_comes_back_whole(bucket: Bucket, content: bytes, level: int) -> None:
    """Empty or larger than a block, the bytes are those that went in."""
    assert read(bucket, gzip.compress(content, level)) == content


def test_a_foreign_header_is_read(bucket: Bucket) -> None:
    """A file that a person packed has a name, a time, a comment; they do not matter."""
    named = (
        b"\x1f\x8b\x08\x1c"
        + struct.pack("<IBB", 1_700_000_000, 2, 3)
        + struct.pack("<H", 4)
        + b"more"
        + b"day.ndjson\0"
        + b"a comment\0"
    )
    assert read(bucket, named + GOOD[10:]) == LINES


def test_blocks_are_small(bucket: Bucket) -> None:
    """Memory does not depend on the size of the file; its trailer tells how much will come."""
    archive = open_gzip(bucket, KEY, put(bucket, gzip.compress(LINES * 10)))
    assert max(map(len, archive.blocks())) <= BLOCK_BYTES
    assert (archive.key, archive.ndjson_bytes) == (KEY, len(LINES) * 10)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the object is empty"),
        (b"\x1f", "it is no gzip file"),
        (GOOD[:12], "it is no gzip file"),
        (b"<html>Bad Gateway</html>", "it is no gzip file"),
        (b"PK\3\4" + GOOD, "it is no gzip file"),
        (zlib.compress(LINES), "it is no gzip file"),
        (GOOD[:-9], "its gzip data are damaged: the stream is cut"),
        (GOOD[:-1], "its gzip data are damaged: the stream is cut"),
        (GOOD[:MIDDLE], "its gzip data are damaged: the stream is cut"),
        (
            GOOD[:MIDDLE] + b"\xff" * 40 + GOOD[MIDDLE + 40 :],
            "its gzip data are damaged: the stream does not inflate",
        ),
        (
            GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:],
            "its gzip data are damaged: the stream does not inflate",
        ),
        (
            GOOD[:-4] + struct.pack("<I", len(LINES) + 1),
            "its gzip data are damaged: the stream does not inflate",
        ),
        (GOOD + GOOD, "its gzip data are damaged: bytes stand behind the stream's end"),
        (GOOD + b"\0", "its gzip data are damaged: bytes stand behind the stream's end"),
        (
            GOOD + bytes(3 * BLOCK_BYTES),
            "its gzip data are damaged: bytes stand behind the stream's end",
        ),
    ],
)
def test_what_cannot_be_trusted_is_refused(bucket: Bucket, body: bytes, why: str) -> None:
    """Each damage has its own sentence, and a key to look at."""
    with pytest.raises(Interrupted) as caught:
        read(bucket, body)
    error = caught.value
    assert (error.reason, error.file_key, error.failed_line) == ("unreadable_file", KEY, None)
    assert error.error_message == f"{KEY} cannot be read: {why}"


def test_a_bomb_stops_before_it_has_inflated(bucket: Bucket) -> None:
    """What is more than 500 times its size is refused early, whatever its trailer promises."""
    body = gzip.compress(bytes(2 * BOMB_FLOOR_BYTES))
    archive = open_gzip(bucket, KEY, put(bucket, body[:-4] + struct.pack("<I", 10)))
    read: list[int] = []
    with pytest.raises(Interrupted, match="gzip bomb"):
        read.extend(len(block) for block in archive.blocks())
    assert sum(read) <= BOMB_FLOOR_BYTES + BLOCK_BYTES


def test_more_than_the_setting_allows_is_a_bomb(bucket: Bucket) -> None:
    """The trailer counts modulo 4 GiB, so what comes out is counted."""
    version = put(bucket, GOOD)
    assert len(list(open_gzip(bucket, KEY, version, Limits(archive_max_bytes=len(LINES))).blocks()))
    with pytest.raises(Interrupted, match="gzip bomb"):
        list(open_gzip(bucket, KEY, version, Limits(archive_max_bytes=len(LINES) - 1)).blocks())


def test_an_object_that_changes_or_vanishes_is_no_finding(bucket: Bucket) -> None:
    """That is the archive's trouble, not the data's; bytes of two versions are never mixed."""
    archive = open_gzip(bucket, KEY, put(bucket, GOOD))
    put(bucket, gzip.compress(LINES * 2))
    with pytest.raises(ObjectChanged):
        list(archive.blocks())
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    with pytest.raises(ArchiveFailed):
        list(archive.blocks())

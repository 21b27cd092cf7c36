"""Day archives: one gzip member of NDJSON, rows in the order of their bytes, nothing of the clock.

The same rows give the same bytes, in whatever order the vendor sent them. A day may have many GB;
memory stays at a few MB.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.lake.archive_index import DayEntry
from flows.lake.bucket import Bucket
from flows.lake.day_file import FINAL_BLOCK, DayFile, DayWriter
from flows.lake.objects import ObjectChanged, ObjectVersion, look, read_range, upload
from flows.lake.row_sorter import RowSorter

# Magic, deflate, no flags, no time, no hint, unknown system (RFC 1952).
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_TRAILER = struct.Struct("<II")
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredArchive:
    """An archive in S3. entry: of its content; written: whether the object was changed."""

    key: str
    version: ObjectVersion
    entry: DayEntry
    written: bool


def store_rows(
    bucket: Bucket,
    key: str,
    rows: RowSorter,
    directory: Path,
    other_key: Callable[[], str] | None = None,
    *,
    is_first: bool = False,
) -> StoredArchive:
    """Put all rows under a key; an object that has exactly these bytes already is left alone.

    directory: for one file of the size of the object. other_key: the next key to try where another
    object stands under the one before; without it that object is replaced. is_first: an object
    with these bytes cannot be of an earlier try, so it is another one. What is written is proven to
    stand in S3. Raises ArchiveFailed.
    """
    with DayWriter(directory / "day.deflate") as writer:
        writer.add_hour(rows.pieces())
        file = writer.finish(complete=True)
    old = look(bucket, key)
    while old is not None:
        if not is_first and _is(bucket, key, old, file):
            return StoredArchive(key, old, file.entry, written=False)
        if other_key is None:
            break
        key = other_key()
        old = look(bucket, key)
    version = upload(bucket, key, lambda: _pieces(file), _size_bytes(file), lambda: None)
    return StoredArchive(key, version, file.entry, written=True)


def _pieces(file: DayFile) -> Iterator[bytes]:
    yield _HEADER
    with file.path.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece
    yield FINAL_BLOCK
    yield _TRAILER.pack(file.entry.crc32, file.entry.bytes & 0xFFFFFFFF)


def _size_bytes(file: DayFile) -> int:
    return len(_HEADER) + file.entry.deflated_bytes + len(FINAL_BLOCK) + _TRAILER.size


def _is(bucket: Bucket, key: str, version: ObjectVersion, file: DayFile) -> bool:
    """Whether an object is this day, byte by byte."""
    if version.size_bytes != _size_bytes(file):
        return False
    held = b""
    theirs = read_range(bucket, key, version, 0, version.size_bytes)
    try:
        for piece in _pieces(file):
            while len(held) < len(piece):
                held += next(theirs)
            if held[: len(piece)] != piece:
                return False
            held = held[len(piece) :]
    except ObjectChanged:
        return False
    return True

"""One day's NDJSON as a file of raw deflate data that can be put into an archive as it is.

Each hour is a deflate stream of its own that ends on a byte border without the final mark (a full
flush), so hours and days stand behind each other in one valid stream, whoever made them and when:
replacing a day gives the same bytes as writing the whole week anew. Memory: a few MB, whatever the
day's size.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from isal import isal_zlib

from flows.lake.archive_index import DayEntry

#: Level 1 of isal: the fastest whose output is no larger than deflate level 1
#: (benchmarks/archive.py).
LEVEL = 1
_RAW = -15  # a bare deflate stream: the zip around it has its own header

#: The compressor's output depends on how its input is cut, so it is always cut like this.
BLOCK_BYTES = 1024 * 1024

#: Closes a stream of days: an empty block with the final mark.
FINAL_BLOCK = b"\x03\x00"

_BLANK_LINES = re.compile(rb"\n(?:[ \t\r\v\f]*\n)+")
_BLANK_START = re.compile(rb"(?:[ \t\r\v\f]*\n)+")


def tidy(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """NDJSON without blank lines and with a newline at its end; every line is left byte for byte.

    blocks: pieces of any size, cut anywhere.
    """
    held = b""  # white space that may be the beginning of a blank line
    at_start = True
    for block in blocks:
        piece = held + block if held else block
        held = b""
        if at_start and (blank := _BLANK_START.match(piece)):
            piece = piece[blank.end() :]
        if _BLANK_LINES.search(piece):
            piece = _BLANK_LINES.sub(b"\n", piece)
        newline = piece.rfind(b"\n")
        if (newline >= 0 or at_start) and piece[newline + 1 :].isspace():
            held = piece[newline + 1 :]
            piece = piece[: newline + 1]
        if piece:
            at_start = piece.endswith(b"\n")
            yield piece
    if not at_start:
        yield b"\n"


@dataclass(frozen=True, slots=True)
class DayFile:
    """A finished day: where its deflate data lie, and what the index says of it."""

    path: Path
    entry: DayEntry


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a day was written, to return to. hours: lines of each hour, where they count."""

    bytes: int
    lines: int
    crc32: int
    deflated_bytes: int
    hours: tuple[int, ...] | None = None


class DayWriter:
    """Writes one day, hour by hour in time order. Use as a context manager, then `finish`.

    counts_hours: whether the index shall tell the lines of each hour.
    """

    def __init__(self, path: Path, *, counts_hours: bool = False) -> None:
        self._path = path
        self._file = path.open("wb")
        self._at = Mark(0, 0, 0, 0, (0,) * 24 if counts_hours else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def mark(self) -> Mark:
        """Where the day stands: NDJSON bytes, lines and CRC so far, and bytes of deflate data."""
        return self._at

    def return_to(self, mark: Mark) -> None:
        """Forget what was written behind a mark."""
        self._file.seek(mark.deflated_bytes)
        self._file.truncate()
        self._at = mark

    def add_hour(self, blocks: Iterable[bytes], hour: int = 0) -> None:
        """Add one hour's NDJSON, in pieces of any size. An hour without lines leaves no trace.

        hour: 0 to 23; matters only where hours are counted.
        """
        lines_before = self._at.lines
        compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, _RAW)
        buffer = bytearray()
        used = False
        for piece in tidy(blocks):
            used = True
            buffer += piece
            while len(buffer) >= BLOCK_BYTES:
                self._deflate(compressor, bytes(memoryview(buffer)[:BLOCK_BYTES]))
                del buffer[:BLOCK_BYTES]
        if used:
            self._deflate(compressor, bytes(buffer))
            self._write(compressor.flush(isal_zlib.Z_FULL_FLUSH))
        if self._at.hours is not None:
            hours = list(self._at.hours)
            hours[hour] += self._at.lines - lines_before
            self._at = replace(self._at, hours=tuple(hours))

    def finish(self, *, complete: bool) -> DayFile:
        """Close the file and say what the day holds."""
        self._file.close()
        at = self._at
        entry = DayEntry(at.bytes, complete, at.crc32, at.deflated_bytes, at.lines, at.hours)
        return DayFile(self._path, entry)

    def _deflate(self, compressor: "isal_zlib.Compress", block: bytes) -> None:
        at = self._at
        self._at = replace(
            at,
            bytes=at.bytes + len(block),
            lines=at.lines + block.count(b"\n"),
            crc32=isal_zlib.crc32(block, at.crc32),
        )
        self._write(compressor.compress(block))

    def _write(self, data: bytes) -> None:
        at = self._at
        self._file.write(data)
        self._at = replace(at, deflated_bytes=at.deflated_bytes + len(data))

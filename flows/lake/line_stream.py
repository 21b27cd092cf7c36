"""Cuts a stream of bytes into whole lines, counts them and keeps their running checksum.

A thread works ahead in units of about a megabyte (reading, inflating, checksums: all outside of
Python's lock); the consumer takes them in slabs small enough for COPY. Memory: a few units, and
whatever the longest line needs.
"""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from flows.errors import Interrupted
from flows.lake.objects import ObjectVersion
from flows.lake.prefetch import prefetched
from flows.settings import Limits

# COPY is fastest in blocks of 32 to 64 KB: a larger one blocks the sending socket and ends the
# overlap of client and server. 64 KB of events make 32 KB of rows.
SLAB_BYTES = 64 * 1024


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def copy(self) -> "_Hash": ...
    def hexdigest(self) -> str: ...


class LineArchive(Protocol):
    """An object of S3 that holds NDJSON, opened and found sound as far as its ends show."""

    @property
    def key(self) -> str:
        """Its name in the bucket."""

    @property
    def version(self) -> ObjectVersion:
        """What was opened."""

    @property
    def ndjson_bytes(self) -> int:
        """How much it says that it holds; good for a progress, not for a check."""

    @property
    def limits(self) -> Limits:
        """What it may be at most."""

    def blocks(self) -> Iterator[bytes]:
        """The NDJSON in order; raises Interrupted where it is damaged, at the latest at the end."""


@dataclass(frozen=True, slots=True)
class Slab:
    """Whole lines. first_line: 0-based number of the first; data: all, each closed by \\n."""

    first_line: int
    data: bytes

    @property
    def lines(self) -> list[bytes]:
        """The lines without their \\n."""
        lines = self.data.split(b"\n")
        lines.pop()
        return lines


@dataclass(frozen=True, slots=True)
class _Unit:
    """Whole lines as they come; checksum_before: state of the hash in front of them.

    data is None for a line beyond the limit.
    """

    data: bytes | None
    checksum_before: _Hash


class LineStream:
    """Lines of one file in order; close it to end its thread.

    position: number of lines accepted so far, and so the 0-based number of the next one.
    byte_count: bytes accepted so far. A last line without \\n counts as if it had one, so that a
    file may grow behind it.
    """

    def __init__(self, archive: LineArchive) -> None:
        self._line_max_bytes = archive.limits.line_max_bytes
        self._units: Generator[_Unit, None, None] = prefetched(
            _units(archive.blocks(), self._line_max_bytes)
        )
        self._file_key = archive.key
        self._data = b""
        self._checksum_before: _Hash = hashlib.sha256()
        self._offset = 0
        self.position = 0
        self.byte_count = 0

    def close(self) -> None:
        """Stop reading."""
        self._units.close()

    @property
    def checksum(self) -> str:
        """Hexadecimal sha256 of all accepted lines, each with its \\n."""
        checksum = self._checksum_before.copy()
        checksum.update(memoryview(self._data)[: self._offset])
        return checksum.hexdigest()

    def take(self, most_lines: int | None = None, most_bytes: int = SLAB_BYTES) -> Slab | None:
        """The next lines, None at the end. Until they are accepted, the same lines come again.

        most_lines, most_bytes: no more than that, but always one line.
        Raises Interrupted(reason="unreadable_line") at a line beyond the limit.
        """
        if not self._has_unit():
            return None
        data, start = self._data, self._offset
        end = data.rfind(b"\n", start, start + min(SLAB_BYTES, most_bytes)) + 1
        if end == 0:
            end = data.index(b"\n", start) + 1
        if most_lines is not None and data.count(b"\n", start, end) > most_lines:
            end = start
            for _ in range(most_lines):
                end = data.index(b"\n", end) + 1
        return Slab(self.position, data[start:end])

    def accept(self, line_count: int, byte_count: int) -> None:
        """Count so many lines of what `take` gave, from its start on, as done."""
        self._offset += byte_count
        self.position += line_count
        self.byte_count += byte_count

    def advance(self, line: int) -> bool:
        """Accept lines up to but without `line`; False where the file ends before."""
        while self.position < line:
            if not self._has_unit():
                return False
            data, start, wanted = self._data, self._offset, line - self.position
            left = data.count(b"\n", start)
            if left <= wanted:
                self.accept(left, len(data) - start)
                continue
            end = start
            for _ in range(wanted):
                end = data.index(b"\n", end) + 1
            self.accept(wanted, end - start)
        return True

    def _has_unit(self) -> bool:
        if self._offset < len(self._data):
            return True
        unit = next(self._units, None)
        if unit is None:
            return False
        if unit.data is None:
            raise Interrupted.at_line(
                f"{self._file_key}, line {self.position}: longer than"
                f" {self._line_max_bytes:,} bytes (DWH_LINE_MAX_BYTES)",
                self._file_key,
                self.position,
            )
        self._data, self._checksum_before, self._offset = unit.data, unit.checksum_before, 0
        return True


def _units(blocks: Iterator[bytes], line_max_bytes: int) -> Iterator[_Unit]:
    checksum = hashlib.sha256()
    for data in whole_lines(blocks, line_max_bytes):
        yield _Unit(data, checksum.copy())
        if data is not None:
            checksum.update(data)


def whole_lines(blocks: Iterator[bytes], line_max_bytes: int) -> Iterator[bytes | None]:
    """The same bytes, cut behind line ends only; the last line gets its \\n where it has none.

    Ends with None in place of a line beyond the limit.
    """
    carry: list[bytes] = []
    carried_bytes = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        # No block is larger than any limit: only a line that began in an earlier one can pass it.
        if carry and carried_bytes + (block.find(b"\n") if end else len(block)) > line_max_bytes:
            yield None
            return
        if end:
            yield b"".join((*carry, block[:end]))
            carry.clear()
            carried_bytes = 0
        if end < len(block):
            carry.append(block[end:])
            carried_bytes += len(block) - end
    if carry:
        yield b"".join((*carry, b"\n"))

"""Cuts a stream of bytes into whole lines, counts them and keeps their running checksum."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from flows.errors import Interrupted

# PostgreSQL holds 1 GB in a value and needs a multiple of a line while it reads it. No vendor sends
# a hundredth of this.
LINE_LIMIT_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Slab:
    """Whole lines, each closed by \\n. first_line: 0-based number of the first of them."""

    first_line: int
    data: bytes
    line_count: int

    def cut(self, lines: int) -> tuple["Slab", "Slab"]:
        """The first `lines` lines, and the others."""
        end = 0
        for _ in range(lines):
            end = self.data.index(b"\n", end) + 1
        return (
            Slab(self.first_line, self.data[:end], lines),
            Slab(self.first_line + lines, self.data[end:], self.line_count - lines),
        )


class LineStream:
    """Lines of one file in order.

    position: number of lines accepted so far, and so the 0-based number of the next one.
    A last line without \\n counts as if it had one, so that a file may grow behind it.
    """

    def __init__(self, blocks: Iterator[bytes], file_key: str) -> None:
        self._blocks = blocks
        self._file_key = file_key
        self._hash = hashlib.sha256()
        self._carry: list[bytes] = []
        self._carry_bytes = 0
        self._next: Slab | None = None
        self.position = 0
        self.byte_count = 0

    @property
    def checksum(self) -> str:
        """Hexadecimal sha256 of all accepted lines, each with its \\n."""
        return self._hash.hexdigest()

    def take(self) -> Slab | None:
        """The next lines, None at the end. Until they are accepted, the same lines come again."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def accept(self, slab: Slab) -> None:
        """Count the lines that `take` gave, or the first part of them, as done."""
        given = self._next
        if given is None or given.first_line != slab.first_line:
            raise ValueError("only what was taken can be accepted")
        self._hash.update(slab.data)
        self.position += slab.line_count
        self.byte_count += len(slab.data)
        rest = given.line_count - slab.line_count
        self._next = given.cut(slab.line_count)[1] if rest else None

    def advance(self, line: int) -> bool:
        """Accept lines up to but without `line`; False where the file ends before."""
        while self.position < line:
            slab = self.take()
            if slab is None:
                return False
            wanted = line - self.position
            self.accept(slab if slab.line_count <= wanted else slab.cut(wanted)[0])
        return True

    def _read(self) -> Slab | None:
        for block in self._blocks:
            end = block.rfind(b"\n") + 1
            if end == 0:
                self._keep(block)
                continue
            data = b"".join((*self._carry, block[:end])) if self._carry else block[:end]
            self._carry, self._carry_bytes = [], 0
            if end < len(block):
                self._keep(block[end:])
            return Slab(self.position, data, data.count(b"\n"))
        if not self._carry:
            return None
        data = b"".join((*self._carry, b"\n"))
        self._carry, self._carry_bytes = [], 0
        return Slab(self.position, data, 1)

    def _keep(self, part: bytes) -> None:
        self._carry.append(part)
        self._carry_bytes += len(part)
        if self._carry_bytes > LINE_LIMIT_BYTES:
            raise Interrupted(
                f"{self._file_key}, line {self.position}: longer than"
                f" {LINE_LIMIT_BYTES // 1024**2} MiB",
                reason="unreadable_line",
                file_key=self._file_key,
                failed_line=self.position,
                last_successful_line=self.position - 1 if self.position else None,
            )

"""Lines of one archive into its raw table by COPY, committed in chunks, resumable at any line.

Memory is constant: one block of lines at a time, whatever the size of the file.
"""

import bisect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from flows.errors import ArchiveFailed, Interrupted
from flows.lake.line_stream import LineStream, Slab
from flows.stopping import demand_going_on
from flows.warehouse import ledger
from flows.warehouse.copy_rows import Block
from flows.warehouse.ledger import Load
from flows.warehouse.raw_table import RawTable

# What the server says when a value does not fit: data exceptions, broken constraints, and texts or
# nestings beyond its limits. Anything else (connection, disk, rights) is not the file's fault.
VALUE_ERRORS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)

CONTEXT = re.compile(r"COPY \w+, line (\d+)(?:, column (\w+))?")


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How much one transaction of a load holds.

    bytes: of lines. lines: None for bulk loads, whose chunks end with the block of lines that
    reaches the bytes. Else no chunk has more lines or more bytes than this, but for a single line
    that is longer.
    """

    bytes: int
    lines: int | None = None


class ValueRefused(Exception):
    """The server refused a value of the present chunk, which is rolled back.

    line: 0-based line of the file, None where rows were not made one by one; column: its name, None
    where the server named none; sqlstate: PostgreSQL's code. Never the value.
    """

    def __init__(self, line: int | None, column: str | None, sqlstate: str | None) -> None:
        super().__init__(f"line {line}, column {column}: {sqlstate}")
        self.line = line
        self.column = column
        self.sqlstate = sqlstate


@dataclass(slots=True)
class Progress:
    """How far a load is; told at each commit.

    total_bytes: NDJSON of the whole file; skipped_bytes: of lines that earlier runs loaded; bytes,
    lines, rows: loaded by this run.
    """

    file_key: str
    total_bytes: int = 0
    skipped_bytes: int = 0
    bytes: int = 0
    lines: int = 0
    rows: int = 0

    @property
    def percent(self) -> float:
        """Of the file, 0 to 100."""
        return min(100.0, 100.0 * (self.skipped_bytes + self.bytes) / max(1, self.total_bytes))

    def __str__(self) -> str:
        return (
            f"{self.file_key}: {self.rows:,} rows, {self.bytes / 1e6:,.1f} MB, {self.percent:.0f} %"
        )


def copy_lines(
    connection: psycopg.Connection,
    table: RawTable,
    load: Load,
    stream: LineStream,
    *,
    chunks: ChunkLimits,
    careful: bool,
    progress: Progress,
    on_commit: Callable[[Progress], None],
) -> None:
    """Load all lines that the stream has left; each chunk is one transaction.

    Raises Interrupted at a line that is no event, with all lines before it committed; what reading
    the archive raises, likewise; ValueRefused with the chunk rolled back.
    """
    trouble: Interrupted | ArchiveFailed | None = None
    while trouble is None and stream.take() is not None:
        chunk = _Chunk(stream.position, stream.byte_count)
        refusal: ValueRefused | None = None
        try:
            with connection.transaction():
                with connection.cursor() as cursor, cursor.copy(table.copy) as copy:
                    while True:
                        demand_going_on()
                        try:
                            slab = chunk.next_slab(stream, chunks)
                        except (Interrupted, ArchiveFailed) as error:
                            trouble = error
                            break
                        if slab is None:
                            break
                        block = table.make_block(slab, load.load_id, careful)
                        copy.write(block.data)
                        chunk.add(block)
                        if block.refused is not None:
                            done = slab.lines[: block.line_count]
                            stream.accept(len(done), sum(map(len, done)) + len(done))
                            trouble = unreadable_line(
                                load.file_key, block.refused.line_number, block.refused.why
                            )
                            break
                        stream.accept(block.line_count, len(slab.data))
                if stream.position > chunk.first_line:
                    ledger.advance(
                        connection,
                        load.load_id,
                        last_line=stream.position - 1,
                        rows=chunk.rows,
                        checksum=stream.checksum,
                    )
        except VALUE_ERRORS as error:
            refusal = chunk.locate(error)
        if refusal is not None:
            raise refusal
        progress.bytes += stream.byte_count - chunk.first_byte
        progress.lines += stream.position - chunk.first_line
        progress.rows += chunk.rows
        on_commit(progress)
    if trouble is not None:
        raise trouble


def unreadable_line(file_key: str, line: int | None, why: str) -> Interrupted:
    """The error of a line that cannot be loaded; None if unknown. `why` holds no value."""
    return Interrupted.at_line(f"{file_key}, line {line}: {why}", file_key, line)


@dataclass(slots=True)
class _Chunk:
    """The rows of one transaction: where it began, and what the server's complaints need."""

    first_line: int
    first_byte: int
    rows: int = 0
    _ends: list[int] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)

    def next_slab(self, stream: LineStream, limits: ChunkLimits) -> Slab | None:
        """The next lines that belong to it; None where it is full or the file has ended."""
        size = stream.byte_count - self.first_byte
        if limits.lines is None:
            return stream.take() if size < limits.bytes else None
        lines_left = limits.lines - (stream.position - self.first_line)
        if lines_left <= 0:
            return None
        slab = stream.take(lines_left, max(0, limits.bytes - size))
        # A line that is longer than the limit by itself goes alone.
        is_too_much = slab is not None and size + len(slab.data) > limits.bytes
        return None if size and is_too_much else slab

    def add(self, block: Block) -> None:
        self.rows += block.row_count
        for row, line in zip(block.rows, block.row_lines, strict=True):
            # The server counts the newlines within quotes too, but for the first row's: until that
            # one has ended it does not know what kind of newline ends a row.
            self._ends.append(self._ends[-1] + row.count("\n") if self._ends else 1)
            self._lines.append(line)

    def locate(self, error: psycopg.Error) -> ValueRefused:
        """Which line the server means; only its number and the column's name are read."""
        found = CONTEXT.search(error.diag.context or "")
        line = None
        if found and len(self._lines) == self.rows:
            row = bisect.bisect_left(self._ends, int(found[1]))
            line = self._lines[row] if row < len(self._lines) else None
        return ValueRefused(line, found[2] if found else None, error.sqlstate)

"""What a row maker gives to the COPY loader, and the CSV that it is in."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.lake.line_stream import Slab
from flows.warehouse.json_members import NotAnObject

# The CSV's delimiter and quote. They stand in no JSON text but as an escape (\\u0001, \\u0002).
DELIMITER = "\x01"
QUOTE = "\x02"
EMPTY = QUOTE + QUOTE  # '' as opposed to an unquoted nothing, which is NULL
CSV = "(format csv, delimiter e'\\x01', quote e'\\x02')"


@dataclass(frozen=True, slots=True)
class LineRefused:
    """The first line that is no event. line_number: 0-based; why: one phrase, never a value."""

    line_number: int
    why: str


@dataclass(frozen=True, slots=True)
class Block:
    """Rows made from some lines.

    data: CSV for COPY. row_count: rows in it. line_count: lines they were made of. refused: the
    line where the maker had to stop, None where it took all. rows, row_lines: the single rows and
    the line of each, where they were made one by one; they tell which line a row of the server's
    complaint came from.
    """

    data: bytes
    row_count: int
    line_count: int
    refused: LineRefused | None
    rows: tuple[str, ...] = ()
    row_lines: tuple[int, ...] = ()


def rows_one_by_one(slab: Slab, row_of: Callable[[bytes, int], str]) -> Block:
    """The rows that row_of(line, line number) makes, blank lines left out.

    Where it raises NotAnObject, the block ends before that line and tells it.
    """
    rows: list[str] = []
    row_lines: list[int] = []
    refused: LineRefused | None = None
    lines = slab.lines
    for line_number, line in enumerate(lines, slab.first_line):
        if not line.strip(b" \t\r"):
            continue
        try:
            rows.append(row_of(line, line_number))
        except NotAnObject as error:
            refused = LineRefused(line_number, str(error))
            break
        row_lines.append(line_number)
    line_count = len(lines) if refused is None else refused.line_number - slab.first_line
    data = "".join(rows).encode()
    return Block(data, len(rows), line_count, refused, tuple(rows), tuple(row_lines))


def are_on_a_line_each(object_count: int, data: bytes) -> bool:
    """Whether so many objects, all that the lines were read as, stand on one line each.

    msgspec reads two on a line, and one over several. Within an object no `}` stands before a line
    end and a `{`, so the pieces between these hold at least one each.
    """
    return (
        data.count(b"\n") == object_count
        and data.count(b"}\n{") == object_count - 1
        and data.startswith(b"{")
        and data.endswith(b"}\n")
    )


def quoted(text: str) -> str:
    """A cell that is not NULL, whatever it holds."""
    return QUOTE + text.replace(QUOTE, EMPTY) + QUOTE

"""What a row maker gives to the COPY loader."""

from dataclasses import dataclass


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

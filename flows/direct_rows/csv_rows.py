"""Rows of a CSV: comma, double quotes, UTF-8, the names of the columns in the first line.

An empty cell is null. Cells are texts: what a column of numbers takes, `values` says.
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence

from flows.direct_rows.tokens import Row, Rows, Value
from flows.direct_rows.values import Unfit
from flows.event_files.byte_lines import unreadable_line
from flows.event_files.physical_lines import PhysicalLines
from flows.lake.line_stream import LineArchive


def csv_rows(file: LineArchive) -> tuple[Sequence[str] | None, Rows]:
    """The names of the columns, None where the file is blank, and the rows.

    Raises Interrupted where a quote is left open, so that nobody knows where the next row begins.
    """
    # The module's own limit is 128 KB a cell, for the whole process; ours is of a record.
    csv.field_size_limit(sys.maxsize)
    records = _records(file)
    header = next(records, None)
    if isinstance(header, Unfit):
        raise unreadable_line(file.key, 0, str(header))
    if header is None:
        return None, iter(())
    return header, (_row_of(header, cells) for cells in records)


def _records(file: LineArchive) -> Iterator[list[str] | Unfit]:
    """The cells of each record; blank lines are none."""
    lines = PhysicalLines(file.key, file.blocks(), file.limits.line_max_bytes)
    records = csv.reader(lines, strict=True)
    width: int | None = None
    while True:
        start = lines.begin_record()
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.position - start > 1 or str(error).startswith("unexpected end"):
                raise unreadable_line(file.key, start, "a quote is left open") from None
            yield Unfit("is malformed CSV")
            continue
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        width = width or len(cells)
        if len(cells) == width:
            yield cells
        elif lines.position - start > 1:
            raise unreadable_line(file.key, start, "a quote is left open")
        else:
            yield Unfit(f"has {len(cells)} cells, where the first line names {width}")


def _row_of(header: list[str], cells: list[str] | Unfit) -> Row:
    if isinstance(cells, Unfit):
        return cells
    return {name: _value(cell) for name, cell in zip(header, cells, strict=True) if cell}


def _value(cell: str) -> Value:
    if not cell.isascii():
        try:
            cell.encode()
        except UnicodeEncodeError:
            return Unfit("is no valid UTF-8; save the file as UTF-8")
    return json.dumps(cell)

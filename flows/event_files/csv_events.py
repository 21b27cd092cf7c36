"""Events of a CSV: comma, double quotes, UTF-8, the names of the columns in the first line.

Each event bears the number of the physical line that it begins on, whatever breaks its cells hold.
"""

import csv
import sys
from collections.abc import Iterator

from flows.errors import Interrupted
from flows.event_files.byte_lines import unreadable_line
from flows.event_files.event_line import (
    COLUMNS,
    RAGGED_ROW,
    UNREADABLE_LINE,
    WRONG_COLUMNS,
    Notes,
    Refused,
    complaint_of,
    event_line,
)
from flows.event_files.physical_lines import PhysicalLines


def csv_events(
    name: str, blocks: Iterator[bytes], line_max_bytes: int, notes: Notes
) -> Iterator[tuple[int, bytes | Refused]]:
    """Each record: the 0-based line where it begins, and its line for the loader or why not.

    Raises Interrupted where the names of the columns are wrong, or a quote is left open, so that
    nobody knows where the next record begins.
    """
    # The module's own limit is 128 KB a cell, for the whole process; ours is of a record.
    csv.field_size_limit(sys.maxsize)
    lines = PhysicalLines(name, blocks, line_max_bytes)
    rows = csv.reader(lines, strict=True)
    order: list[int] | None = None
    width = 0
    while True:
        start = lines.begin_record()
        problem: Refused
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.position - start > 1 or str(error).startswith("unexpected end"):
                raise _open_quote(name, start) from None
            problem = Refused(UNREADABLE_LINE, f"malformed CSV: {_sense_of(error)}")
        else:
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if order is None:
                order, width = _order(name, start, cells), len(cells)
                continue
            if len(cells) != width:
                if lines.position - start > 1:
                    raise _open_quote(name, start)
                why = f"{len(cells)} cells, where the first line names {width}"
                yield start, Refused(RAGGED_ROW, why).of(lines.record)
                continue
            try:
                _demand_utf8(cells, order)
                yield start, event_line([cells[place] for place in order], notes)
                continue
            except Refused as refused:
                problem = refused
        if order is None:
            raise _no_header(name, start, problem.why)
        yield start, problem.of(lines.record)


def _order(name: str, line: int, header: list[str]) -> list[int]:
    """Where each of COLUMNS stands."""
    complaint = complaint_of(header)
    if complaint is None:
        return [header.index(column) for column in COLUMNS]
    for delimiter, word in ((";", "a semicolon"), ("\t", "a tabulator"), ("|", "a bar")):
        if len(header) == 1 and "event_id" in header[0].split(delimiter):
            complaint = f"{word} is between the cells; let it be a comma"
    if not any(column in cell for column in COLUMNS for cell in header):
        complaint += "; the first line has to name the columns"
    raise _no_header(name, line, complaint)


def _no_header(name: str, line: int, why: str) -> Interrupted:
    return Interrupted(
        f"{name}, line {line} (0-based): {why}",
        reason=WRONG_COLUMNS,
        file_key=name,
        failed_line=line,
        findings={WRONG_COLUMNS: 1},
    )


def _open_quote(name: str, line: int) -> Interrupted:
    """Never to be rejected as one record: nobody knows how many it has swallowed."""
    return unreadable_line(
        name,
        line,
        "malformed CSV: a quote is left open, or stands within a cell without being doubled",
    )


def _sense_of(error: csv.Error) -> str:
    if "new-line" in str(error):
        return "a carriage return within the line"
    return "a character stands behind a closing quote"


def _demand_utf8(cells: list[str], order: list[int]) -> None:
    for column, place in zip(COLUMNS, order, strict=True):
        if cells[place].isascii():
            continue
        try:
            cells[place].encode()
        except UnicodeEncodeError:
            why = f"column {column}: no valid UTF-8; save the file as UTF-8"
            raise Refused(UNREADABLE_LINE, why) from None

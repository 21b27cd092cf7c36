"""Events of an NDJSON file: one object a line, UTF-8."""

import json
from collections.abc import Iterator

from flows.event_files.byte_lines import text_blocks, too_long
from flows.event_files.event_line import (
    COLUMNS,
    INVALID_VALUE,
    UNREADABLE_LINE,
    WRONG_COLUMNS,
    Notes,
    Refused,
    complaint_of,
    event_line,
)
from flows.warehouse.json_members import NotAnObject, read_members

#: Keys that an object may leave out for null.
OPTIONAL = ("user_id", "properties")


def ndjson_events(
    name: str, blocks: Iterator[bytes], line_max_bytes: int, notes: Notes
) -> Iterator[tuple[int, bytes | Refused]]:
    """Each record: its 0-based line, and its line for the loader or why not; blank lines are none.

    Raises Interrupted at a line beyond the limit.
    """
    number = 0
    for block in text_blocks(name, blocks, line_max_bytes):
        if block is None:
            raise too_long(name, number, line_max_bytes)
        for line in block.split(b"\n")[:-1]:
            if line.strip(b" \t\r"):
                try:
                    yield number, event_line(_cells(line), notes)
                except Refused as refused:
                    yield number, refused.of(line.decode(errors="surrogateescape"))
            number += 1


def _cells(line: bytes) -> list[str | None]:
    try:
        members = read_members(line)
    except NotAnObject as error:
        raise Refused(UNREADABLE_LINE, str(error)) from None
    complaint = complaint_of(list(members), may_lack=OPTIONAL)
    if complaint is not None:
        raise Refused(WRONG_COLUMNS, complaint)
    return [_cell(column, members.get(column, "null")) for column in COLUMNS]


def _cell(column: str, value: str) -> str | None:
    """What the text of a JSON value says; JSON itself for properties."""
    if value == "null":
        return None
    if value[0] == '"':
        return str(json.loads(value)) if "\\" in value else value[1:-1]
    if column != "properties" and value[0] not in "-0123456789":
        raise Refused(INVALID_VALUE, f"column {column} is no text")
    return value

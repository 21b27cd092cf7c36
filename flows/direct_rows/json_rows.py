"""Rows of an NDJSON file, one object a line, and of a JSON array of objects."""

from flows.direct_rows.tokens import Row, Rows
from flows.direct_rows.values import Unfit
from flows.event_files.byte_lines import text_blocks, too_long
from flows.lake.archive_reader import unreadable
from flows.lake.json_text import JsonText
from flows.lake.line_stream import LineArchive
from flows.warehouse.json_members import NotAnObject, read_members


def ndjson_rows(file: LineArchive) -> Rows:
    """Each object; blank lines are none. Raises Interrupted at a line beyond the limit."""
    limit = file.limits.line_max_bytes
    number = 0
    for block in text_blocks(file.key, file.blocks(), limit):
        if block is None:
            raise too_long(file.key, number, limit)
        for line in block.split(b"\n")[:-1]:
            number += 1
            if line.strip(b" \t\r"):
                yield _row_of(line)


def array_rows(file: LineArchive) -> Rows:
    """Each object of the array.

    Raises Interrupted(reason="unreadable_file") for whatever is not one list of objects.
    """
    blocks = file.blocks()

    def read(size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and (part := next(blocks, b"")):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    text = JsonText(read, lambda why: unreadable(file.key, why), file.limits.line_max_bytes)
    if not text.next_letter():
        return
    text.demand("[")
    if text.next_letter() != "]":
        yield _row_of(text.object())
        while text.next_letter() == ",":
            text.demand(",")
            yield _row_of(text.object())
    text.demand("]")
    if text.next_letter():
        raise unreadable(file.key, "there is more behind the end of the list")


def _row_of(line: bytes) -> Row:
    try:
        return read_members(line)
    except NotAnObject as error:
        return Unfit(str(error))

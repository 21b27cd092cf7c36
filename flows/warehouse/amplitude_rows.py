"""Lines of an Amplitude archive as rows of raw.amplitude_events, in PostgreSQL's CSV.

The plain path (`_plain_rows`) decodes a line with msgspec into the documented types and writes the
row with one generated function. Whatever it cannot hold exactly (an unknown key, another type, a
control character, a broken surrogate) goes the long path (`_long_row`), value by value: what a
column holds faithfully stands there, anything else stands as sent in unknown_fields. Both give the
same row for the same plain line.
"""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from flows.lake.line_stream import Slab
from flows.warehouse.amplitude_fields import FIELDS
from flows.warehouse.cells import BOOLEAN, CELLS, DOUBLE, INTEGER, JSON, TEXT, TIME, UUID
from flows.warehouse.copy_rows import Block, LineRefused
from flows.warehouse.json_members import NotAnObject, read_members

# The CSV's delimiter and quote. As they stand in no JSON text but as an escape (\\u0001, \\u0002),
# nothing on the plain path needs quoting or doubling.
DELIMITER = "\x01"
QUOTE = "\x02"
EMPTY = QUOTE + QUOTE  # '' as opposed to an unquoted nothing, which is NULL

# An escape of NUL, delimiter or quote: such lines go the long path. The characters themselves are
# no JSON, and both decoders refuse them.
_RISKY_ESCAPE = re.compile(rb"\\u000[0-2]")

NULL = "null"


def make_block(slab: Slab, load_id: int, careful: bool) -> Block:
    """Rows of some lines; blank lines give none.

    careful: take the long path for every line, so that nothing but what the columns surely take is
    sent. Stops before the first line that is no JSON object and tells it as `refused`.
    """
    if not careful and not _is_risky(slab.data):
        count = slab.data.count(b"\n")
        plain = _plain_rows(slab.data, count, slab.first_line, load_id)
        if plain is not None:
            return Block(plain, count, count, None)
    return _line_by_line(slab.lines, slab.first_line, load_id, careful)


def _line_by_line(lines: list[bytes], first_line: int, load_id: int, careful: bool) -> Block:
    rows: list[str] = []
    row_lines: list[int] = []
    refused: LineRefused | None = None
    for line_number, line in enumerate(lines, first_line):
        if not line.strip(b" \t\r"):
            continue
        row = None
        if not careful and not _is_risky(line):
            row = _plain_row_and_unknown(line, line_number, load_id)
        if row is None:
            try:
                row = _long_row(line, line_number, load_id)
            except NotAnObject as error:
                refused = LineRefused(line_number, str(error))
                break
        rows.append(row)
        row_lines.append(line_number)
    line_count = len(lines) if refused is None else refused.line_number - first_line
    data = "".join(rows).encode()
    return Block(data, len(rows), line_count, refused, tuple(rows), tuple(row_lines))


def _is_risky(data: bytes) -> bool:
    # Each search is ten times faster than the next and mostly finds nothing.
    return b"\\" in data and b"\\u000" in data and _RISKY_ESCAPE.search(data) is not None


# --- the plain path

_ATTRIBUTES = {key: f"field_{number}" for number, key in enumerate(FIELDS)}

_PLAIN_TYPES: dict[str, Any] = {
    # The documented form has 26 characters; what is longer or shorter takes the long path.
    TIME: Annotated[str, msgspec.Meta(min_length=26, max_length=26)] | None,
    TEXT: str | None,
    INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
    DOUBLE: float | None,
    BOOLEAN: bool | None,
    UUID: Annotated[str, msgspec.Meta(min_length=36, max_length=36)] | None,
    JSON: msgspec.Raw,
}

_Plain = msgspec.defstruct(
    "_Plain",
    [
        (_ATTRIBUTES[key], _PLAIN_TYPES[kind], msgspec.Raw(b"null") if kind == JSON else None)
        for key, kind in FIELDS.items()
    ],
    rename={attribute: key for key, attribute in _ATTRIBUTES.items()},
    forbid_unknown_fields=True,
    gc=False,
)
_Known = msgspec.defstruct("_Known", [], bases=(_Plain,), forbid_unknown_fields=False, gc=False)

_decode_plain_lines = msgspec.json.Decoder(_Plain).decode_lines
_decode_known = msgspec.json.Decoder(_Known).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_NOT_PLAIN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# How each kind is written; {v} is the value. NULL is an unquoted nothing.
_PLAIN_FORMS = {
    TIME: "{v} or ''",
    TEXT: "{v} or ('' if {v} is None else EMPTY)",
    INTEGER: "'' if {v} is None else {v}",
    DOUBLE: "'' if {v} is None else {v}",
    BOOLEAN: "BOOLEANS[{v}]",
    UUID: "{v} or ''",
}


def _of_kinds(*kinds: str) -> list[str]:
    return [key for key, kind in FIELDS.items() if kind in kinds]


_SCALARS = _of_kinds(TEXT, INTEGER, DOUBLE, BOOLEAN, UUID)
_PLAIN_ORDER = (*_of_kinds(TIME), *_SCALARS, *_of_kinds(JSON))


def _generate() -> Callable[[list[Any], int, str], tuple[list[str], list[str]]]:
    """Write out the row function: a loop over the columns at run time would cost far more."""

    def forms(keys: list[str]) -> str:
        return "\\x01".join(
            "{" + _PLAIN_FORMS[FIELDS[key]].replace("{v}", _ATTRIBUTES[key]) + "}" for key in keys
        )

    # Nested values are bytes; joined before they are decoded they cost half. A null among them is
    # the only text that begins so, and becomes nothing.
    nested = ", ".join(_ATTRIBUTES[key] for key in _of_kinds(JSON))
    source = f'''
def rows_of(events, line_number, load):
    rows = []
    all_times = []
    for {", ".join(_ATTRIBUTES.values())} in map(astuple, events):
        times = f"{forms(_of_kinds(TIME))}"
        all_times.append(times)
        nested = JOIN((b"", {nested})).decode().replace(JSON_NULL, DELIMITER)
        rows.append(
            f"{{load}}\\x01{{line_number}}\\x01{{times}}\\x01{forms(_SCALARS)}{{nested}}\\x01\\n"
        )
        line_number += 1
    return rows, all_times
'''
    namespace: dict[str, Any] = {
        "EMPTY": EMPTY,
        "BOOLEANS": {None: "", True: "t", False: "f"},
        "DELIMITER": DELIMITER,
        "JSON_NULL": DELIMITER + NULL,
        "JOIN": DELIMITER.encode().join,
        "astuple": msgspec.structs.astuple,
    }
    exec(source, namespace)  # noqa: S102 - built from the constants above alone
    made: Callable[[list[Any], int, str], tuple[list[str], list[str]]] = namespace["rows_of"]
    return made


_rows_of = _generate()

COPY = (
    "copy raw.amplitude_events (load_id, line_number, "
    + ", ".join(key.removeprefix("$") for key in _PLAIN_ORDER)
    + ", unknown_fields) from stdin (format csv, delimiter e'\\x01', quote e'\\x02')"
)


def _plain_rows(data: bytes, line_count: int, first_line: int, load_id: int) -> bytes | None:
    """All rows, or None where one line is not plain; a blank one is not either."""
    try:
        events = _decode_plain_lines(data)
        if len(events) != line_count:
            return None
        block = _checked_rows(events, first_line, load_id)
        return None if block is None else block.encode()
    except _NOT_PLAIN:
        return None


def _plain_row_and_unknown(line: bytes, line_number: int, load_id: int) -> str | None:
    """The row of a line that is plain but for keys that have no column; None where it is not."""
    try:
        row = _checked_rows([_decode_known(line)], line_number, load_id)
        if row is None:
            return None
        unknown = {
            key: str(value, "utf-8")
            for key, value in _decode_members(line).items()
            if key not in FIELDS
        }
    except _NOT_PLAIN:
        return None
    return f"{row[:-1]}{_unknown(unknown)}\n" if unknown else row


def _checked_rows(events: list[Any], first_line: int, load_id: int) -> str | None:
    rows, times = _rows_of(events, first_line, str(load_id))
    all_times = "".join(times)
    # PostgreSQL reads words as times too ("now", "infinity", month names): digits alone are plain.
    if all_times.upper() != all_times.lower():
        return None
    block = "".join(rows)
    # A newline inside a text needs quotes.
    if "\r" in block or block.count("\n") != len(rows):
        return None
    return block


# --- the long path


def _long_row(line: bytes, line_number: int, load_id: int) -> str:
    sent = read_members(line)
    cells = [str(load_id), str(line_number)]
    for key in _PLAIN_ORDER:
        token = sent.get(key, NULL)
        cell = "" if token == NULL else CELLS[FIELDS[key]](token)
        if cell is None:
            cells.append("")
            continue
        cells.append("" if token == NULL else _quoted(cell))
        sent.pop(key, None)
    cells.append(_unknown(sent) if sent else "")
    return DELIMITER.join(cells) + "\n"


def _unknown(fields: dict[str, str]) -> str:
    """The cell of unknown_fields; each value as sent."""
    members = ",".join(f"{json.dumps(key)}:{token}" for key, token in fields.items())
    return _quoted("{" + members + "}")


def _quoted(text: str) -> str:
    return QUOTE + text.replace(QUOTE, EMPTY) + QUOTE

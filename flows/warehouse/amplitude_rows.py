"""Lines of an Amplitude archive as rows of raw.amplitude_events, in PostgreSQL's CSV.

The plain path (`_PLAIN`) decodes a line with msgspec into the documented types and writes the row
with one generated function. Whatever it cannot hold exactly (an unknown key, another type, a
control character, a broken surrogate) goes the long path (`_long_row`), value by value: what a
column holds faithfully stands there, anything else stands as sent in unknown_fields. Both give the
same row for the same plain line.

Field list and types: https://amplitude.com/docs/apis/analytics/export
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Annotated, Any

import msgspec

from flows.warehouse.copy_rows import Block, LineRefused

# The CSV's delimiter and quote. As they stand in no JSON text but as an escape (\\u0001, \\u0002),
# nothing on the plain path needs quoting or doubling.
DELIMITER = "\x01"
QUOTE = "\x02"
EMPTY = QUOTE + QUOTE  # '' as opposed to an unquoted nothing, which is NULL

# An escape that may stand for NUL, delimiter or quote: such lines go the long path.
RISKY_ESCAPE = b"\\u000"

NULL = "null"

TIME, TEXT, INTEGER, DOUBLE, BOOLEAN, UUID, JSON = (
    "time",
    "text",
    "integer",
    "double",
    "boolean",
    "uuid",
    "json",
)

# Vendor key -> kind. Times first: the plain path checks them as one piece.
FIELDS: dict[str, str] = {
    "client_event_time": TIME,
    "client_upload_time": TIME,
    "event_time": TIME,
    "processed_time": TIME,
    "server_received_time": TIME,
    "server_upload_time": TIME,
    "user_creation_time": TIME,
    "$insert_id": TEXT,
    "$insert_key": TEXT,
    "$schema": INTEGER,
    "adid": TEXT,
    "amplitude_attribution_ids": JSON,
    "amplitude_event_type": TEXT,
    "amplitude_id": INTEGER,
    "app": INTEGER,
    "city": TEXT,
    "country": TEXT,
    "data": JSON,
    "data_type": TEXT,
    "device_brand": TEXT,
    "device_carrier": TEXT,
    "device_family": TEXT,
    "device_id": TEXT,
    "device_manufacturer": TEXT,
    "device_model": TEXT,
    "device_type": TEXT,
    "dma": TEXT,
    "event_id": INTEGER,
    "event_properties": JSON,
    "event_type": TEXT,
    "global_user_properties": JSON,
    "group_properties": JSON,
    "groups": JSON,
    "idfa": TEXT,
    "ip_address": TEXT,
    "is_attribution_event": BOOLEAN,
    "language": TEXT,
    "library": TEXT,
    "location_lat": DOUBLE,
    "location_lng": DOUBLE,
    "os_name": TEXT,
    "os_version": TEXT,
    "partner_id": TEXT,
    "paying": BOOLEAN,
    "plan": JSON,
    "platform": TEXT,
    "region": TEXT,
    "sample_rate": TEXT,
    "session_id": INTEGER,
    "source_id": TEXT,
    "start_version": TEXT,
    "user_id": TEXT,
    "user_properties": JSON,
    "uuid": UUID,
    "version_name": TEXT,
}

COPY = (
    "copy raw.amplitude_events (load_id, line_number, "
    + ", ".join(key.removeprefix("$") for key in FIELDS)
    + ", unknown_fields) from stdin (format csv, delimiter e'\\x01', quote e'\\x02')"
)


def make_block(data: bytes, first_line: int, load_id: int, careful: bool) -> Block:
    """Rows of whole lines, each closed by \\n; blank lines give none.

    first_line: 0-based number of the first line. careful: take the long path for every line, so
    that nothing but what the columns surely take is sent. Stops before the first line that is no
    JSON object and tells it as `refused`.
    """
    lines = data.split(b"\n")
    lines.pop()
    if not careful and not _is_risky(data):
        plain = _plain_rows(lines, first_line, load_id)
        if plain is not None:
            return Block(plain, len(lines), None)
    return _line_by_line(lines, first_line, load_id, careful)


def _line_by_line(lines: list[bytes], first_line: int, load_id: int, careful: bool) -> Block:
    rows: list[str] = []
    row_lines: list[int] = []
    refused: LineRefused | None = None
    for line_number, line in enumerate(lines, first_line):
        if not line.strip(b" \t\r"):
            continue
        row = None
        if not careful and not _is_risky(line):
            plain = _plain_rows([line], line_number, load_id)
            row = plain and plain.decode()
        if not row:
            try:
                row = _long_row(line, line_number, load_id)
            except NotAnObject as error:
                refused = LineRefused(line_number, str(error))
                break
        rows.append(row)
        row_lines.append(line_number)
    return Block("".join(rows).encode(), len(rows), refused, tuple(rows), tuple(row_lines))


def _is_risky(data: bytes) -> bool:
    return RISKY_ESCAPE in data or b"\x01" in data or b"\x02" in data or b"\0" in data


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

_decode_plain = msgspec.json.Decoder(_Plain).decode

# How each kind is written; {v} is the value. NULL is an unquoted nothing.
_PLAIN_FORMS = {
    TIME: "{v} or ''",
    TEXT: "v if (v := {v}) else ('' if v is None else EMPTY)",
    INTEGER: "'' if (v := {v}) is None else v",
    DOUBLE: "'' if (v := {v}) is None else v",
    BOOLEAN: "BOOLEANS[{v}]",
    UUID: "{v} or ''",
    JSON: "'' if (v := str({v}, 'utf-8')) == 'null' else v",
}


def _generate() -> Callable[[list[Any], int, str], tuple[list[str], list[str]]]:
    """Write out the row function: a loop over the columns at run time would cost far more."""

    def form(key: str) -> str:
        return "{" + _PLAIN_FORMS[FIELDS[key]].replace("{v}", f"event.{_ATTRIBUTES[key]}") + "}"

    times = "\\x01".join(form(key) for key, kind in FIELDS.items() if kind == TIME)
    others = "\\x01".join(form(key) for key, kind in FIELDS.items() if kind != TIME)
    source = f'''
def rows_of(events, line_number, load):
    rows = []
    all_times = []
    for event in events:
        times = f"{times}"
        all_times.append(times)
        rows.append(f"{{load}}\\x01{{line_number}}\\x01{{times}}\\x01{others}\\x01\\n")
        line_number += 1
    return rows, all_times
'''
    namespace: dict[str, Any] = {
        "EMPTY": EMPTY,
        "BOOLEANS": {None: "", True: "t", False: "f"},
    }
    exec(source, namespace)  # noqa: S102 - built from the constants above alone
    made: Callable[[list[Any], int, str], tuple[list[str], list[str]]] = namespace["rows_of"]
    return made


_rows_of = _generate()


def _plain_rows(lines: list[bytes], first_line: int, load_id: int) -> bytes | None:
    """All rows, or None where one line is not plain."""
    try:
        rows, times = _rows_of([_decode_plain(line) for line in lines], first_line, str(load_id))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    all_times = "".join(times)
    # PostgreSQL reads words as times too ("now", "infinity", month names): digits alone are plain.
    if all_times.upper() != all_times.lower():
        return None
    block = "".join(rows)
    # A newline inside a text needs quotes.
    if "\r" in block or block.count("\n") != len(rows):
        return None
    return block.encode()


# --- the long path


class NotAnObject(Exception):
    """Why a line cannot be read; never holds its text."""


class _Malformed(Exception):
    """The line breaks JSON's rules at this character or in the value behind it."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


@dataclass(frozen=True, slots=True)
class _Sent:
    """A value as sent. token: its JSON text; text: what a JSON string says, None for others."""

    key_token: str
    token: str
    text: str | None


def _long_row(line: bytes, line_number: int, load_id: int) -> str:
    sent = _read_object(line)
    cells = [str(load_id), str(line_number)]
    for key, kind in FIELDS.items():
        one = sent.get(key)
        if one is None or one.token == NULL:
            sent.pop(key, None)
            cells.append("")
            continue
        cell = _CELLS[kind](one.token, one.text)
        if cell is None:
            cells.append("")
        else:
            del sent[key]
            cells.append(_quoted(cell))
    unknown = ",".join(f"{one.key_token}:{one.token}" for one in sent.values())
    cells.append(_quoted("{" + unknown + "}") if sent else "")
    return DELIMITER.join(cells) + "\n"


def _quoted(text: str) -> str:
    return QUOTE + text.replace(QUOTE, EMPTY) + QUOTE


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


# Numbers stay texts: int() of a million digits is slow, and the token itself is what counts.
_scan_value = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_int=str, parse_float=str, parse_constant=_refuse_constant
).scan_once
_BLANKS = re.compile(r"[ \t\n\r]*")


def _read_object(line: bytes) -> dict[str, _Sent]:
    """Top-level keys and values of a line; of a key that comes twice the last one counts."""
    problem = "no JSON object"
    try:
        text = line.decode("utf-8")
        if text[_skip(text, 0) :][:1] == "{":
            problem = "malformed JSON"
            return _read_members(text, _skip(text, 0) + 1)
    except UnicodeDecodeError as error:
        problem = f"no valid UTF-8, at byte {error.start}"
    except _Malformed as error:
        problem = f"malformed JSON, at character {error.position}"
    except RecursionError:
        problem = "nested too deep to be read"
    raise NotAnObject(problem)


def _read_members(text: str, position: int) -> dict[str, _Sent]:
    """The members behind the opening brace, and nothing behind the closing one."""
    members: dict[str, _Sent] = {}
    position = _skip(text, position)
    closing = text.startswith("}", position)
    while not closing:
        try:
            _expect(text, position, '"')
            key, colon = scanstring(text, position + 1, True)
            key_token = text[position:colon]
            colon = _skip(text, colon)
            _expect(text, colon, ":")
            start = _skip(text, colon + 1)
            value, end = _scan_value(text, start)
        except (ValueError, StopIteration):
            raise _Malformed(position) from None
        members.pop(key, None)
        members[key] = _Sent(key_token, text[start:end], value if text[start] == '"' else None)
        position = _skip(text, end)
        closing = text.startswith("}", position)
        if not closing:
            _expect(text, position, ",")
            position = _skip(text, position + 1)
    if _skip(text, position + 1) != len(text):
        raise _Malformed(position + 1)
    return members


def _expect(text: str, position: int, character: str) -> None:
    if not text.startswith(character, position):
        raise _Malformed(position)


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


_INTEGER = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(?:\.0{1,40})?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-9]{2})?)?)?"
)
_FRACTION = re.compile(r"\.([0-9]+)")
_UUID = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})")


def _text_cell(token: str, text: str | None) -> str | None:
    """A string, or a number or boolean as its text; not with NUL or half a surrogate pair."""
    if text is None:
        return None if token[0] in "{[" else token
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return None if "\0" in text else text


def _integer_cell(token: str, text: str | None) -> str | None:
    """A whole number within 64 bits, also as the text of one."""
    match = _INTEGER.fullmatch(token if text is None else text)
    if match is None or not -(2**63) <= int(match[1]) < 2**63:
        return None
    return str(int(match[1]))


def _double_cell(token: str, text: str | None) -> str | None:
    """A number, also as the text of one; not what would become infinite, nor zero by underflow."""
    number = token if text is None else text
    if _NUMBER.fullmatch(number) is None:
        return None
    value = float(number)
    mantissa = re.split("[eE]", number)[0]
    if math.isinf(value) or (value == 0 and mantissa.strip("-0.")):
        return None
    return repr(value)


def _boolean_cell(token: str, text: str | None) -> str | None:
    """true or false, also as these words."""
    return {"true": "t", "false": "f"}.get(token if text is None else text)


def _time_cell(_: str, text: str | None) -> str | None:
    """A date or a date and time, year first; without a zone it means UTC, as the vendor says."""
    if text is None or _TIME.fullmatch(text) is None:
        return None
    # Python wants three or six digits of a second, PostgreSQL takes any number of them.
    padded = _FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), text)
    try:
        datetime.fromisoformat(padded)
    except ValueError:
        return None
    return text


def _uuid_cell(_: str, text: str | None) -> str | None:
    """A uuid in any spelling that PostgreSQL knows."""
    return text if text is not None and _UUID.fullmatch(text) else None


def _json_cell(token: str, _: str | None) -> str | None:
    """Any value, as sent."""
    return token


_CELLS: dict[str, Callable[[str, str | None], str | None]] = {
    TEXT: _text_cell,
    INTEGER: _integer_cell,
    DOUBLE: _double_cell,
    BOOLEAN: _boolean_cell,
    TIME: _time_cell,
    UUID: _uuid_cell,
    JSON: _json_cell,
}

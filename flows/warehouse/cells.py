"""What a column can hold exactly: JSON values as the texts that PostgreSQL reads.

Each function takes the JSON text of a value (not null) and gives the text for the column, or None
where the column cannot hold it faithfully. What they give, PostgreSQL accepts.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime

TIME, LOCAL_TIME, TEXT, JSON_TEXT, INTEGER, UNSIGNED, DOUBLE, BOOLEAN, UUID, JSON = (
    "time",
    "local time",
    "text",
    "json text",
    "integer",
    "unsigned",
    "double",
    "boolean",
    "uuid",
    "json",
)
# Kinds whose columns tell an empty text from none.
STRINGS = (TEXT, JSON_TEXT)

_INTEGER = re.compile(r"(-?(?:0|[1-9][0-9]{0,18}))(?:\.0{1,40})?")
_UNSIGNED = re.compile(r"(0|[1-9][0-9]{0,19})(?:\.0{1,40})?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-9]{2})?)?)?"
)
_LOCAL_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]"
    r"(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
)
_FRACTION = re.compile(r"\.([0-9]+)")
_UUID = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})")


def _bare(token: str) -> str:
    """What a JSON string says; other tokens as they are."""
    if token[0] != '"':
        return token
    return str(json.loads(token)) if "\\" in token else token[1:-1]


def _text_cell(token: str) -> str | None:
    """A string, or a number or boolean as its text; not with NUL or half a surrogate pair."""
    if token[0] != '"':
        return None if token[0] in "{[" else token
    text = _bare(token)
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return None if "\0" in text else text


def _integer_cell(token: str) -> str | None:
    """A whole number within 64 bits, also as the text of one."""
    match = _INTEGER.fullmatch(_bare(token))
    if match is None or not -(2**63) <= int(match[1]) < 2**63:
        return None
    return str(int(match[1]))


def _json_text_cell(token: str) -> str | None:
    """JSON that came as a text, or as itself: its text either way."""
    return token if token[0] in "{[" else _text_cell(token)


def _unsigned_cell(token: str) -> str | None:
    """A whole number of up to 20 digits, as uint64 has, also as the text of one."""
    match = _UNSIGNED.fullmatch(_bare(token))
    return None if match is None else match[1]


def _double_cell(token: str) -> str | None:
    """A number, also as the text of one, rounded as doubles are; not one that would be infinite."""
    number = _bare(token)
    if _NUMBER.fullmatch(number) is None:
        return None
    value = float(number)
    return None if math.isinf(value) else repr(value)


def _boolean_cell(token: str) -> str | None:
    """true or false, also as these words."""
    return {"true": "t", "false": "f"}.get(_bare(token))


def _time_cell(token: str) -> str | None:
    """A date or a date and time, year first; without a zone it means UTC, as the vendor says."""
    return _dated(token, _TIME)


def _local_time_cell(token: str) -> str | None:
    """A date and time without a zone, year first."""
    return _dated(token, _LOCAL_TIME)


def _dated(token: str, form: re.Pattern[str]) -> str | None:
    """A text of this form whose date and time exist."""
    text = _bare(token)
    if token[0] != '"' or form.fullmatch(text) is None:
        return None
    # Python wants three or six digits of a second, PostgreSQL takes any number of them.
    padded = _FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), text)
    try:
        datetime.fromisoformat(padded)
    except ValueError:
        return None
    return text


def _uuid_cell(token: str) -> str | None:
    """A uuid in any spelling that PostgreSQL knows."""
    text = _bare(token)
    return text if token[0] == '"' and _UUID.fullmatch(text) else None


def _json_cell(token: str) -> str | None:
    """Any value, as sent."""
    return token


CELLS: dict[str, Callable[[str], str | None]] = {
    TEXT: _text_cell,
    JSON_TEXT: _json_text_cell,
    INTEGER: _integer_cell,
    UNSIGNED: _unsigned_cell,
    DOUBLE: _double_cell,
    BOOLEAN: _boolean_cell,
    TIME: _time_cell,
    LOCAL_TIME: _local_time_cell,
    UUID: _uuid_cell,
    JSON: _json_cell,
}

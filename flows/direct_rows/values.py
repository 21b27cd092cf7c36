"""One value of a direct row: is it what its column takes, and how is it written down?

A value comes as the text of JSON and goes as one, in one form for all spellings, so that equal rows
are equal whatever they came from. What is let through, PostgreSQL takes without rounding or
guessing; of texts the same forms as in user properties (dbt_project/macros/property_types.sql).
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from flows.direct_rows.contracts import Column
from flows.warehouse.json_members import NotAnObject, read_members

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,30})(?:\.0+)?\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\s*", re.ASCII)
_DATE = re.compile(
    r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]00(?::?00)?)?)?\s*",
    re.ASCII,
)
_TIME = re.compile(
    r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]((?:[01][0-9]|2[0-3]):[0-9]{2})(:[0-9]{2})?(?:[.,]([0-9]+))?"
    r"\s*(Z|z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)?)?\s*",
    re.ASCII,
)
_UUID = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})", re.ASCII)
_BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), "true") | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), "false"
)
_INTEGER_BITS = {"smallint": 16, "integer": 32, "int": 32, "bigint": 64}
_ARGUMENTS = re.compile(r"\s*\(\s*([0-9]+)\s*(?:,\s*([0-9]+)\s*)?\)$")
_MICROSECOND_DIGITS = 6
#: Digits behind the point that a numeric of PostgreSQL has at most.
_LONGEST_SCALE = 16_383
#: The escape of NUL, which no text of PostgreSQL can hold.
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_encode = msgspec.json.encode


class Unfit(Exception):
    """A value, or a row, that is not taken. Its text is one phrase that never holds the value."""


def fitted(column: Column, token: str) -> str:
    """The JSON text under which a value is kept. token: the JSON text it came as, not null.

    Raises Unfit.
    """
    if column.is_object:
        return _object(token)
    value = _READERS[_family(column.type)](token, column)
    if column.most is not None and abs(float(value)) > column.most:
        raise Unfit(f"lies outside of -{column.most} to {column.most}")
    return value


def _family(kind: str) -> str:
    name = _ARGUMENTS.sub("", kind)
    return _FAMILIES[name]


def _bare(token: str) -> str:
    """What a JSON string says; other tokens as they are."""
    return str(json.loads(token)) if token[0] == '"' else token


def _text(token: str, column: Column) -> str:
    # The ehr_id is a text, and a number its text (design, section 8).
    if token[0] != '"' and not (column.name == "ehr_id" and token[0] in "-0123456789"):
        raise Unfit("is no text")
    text = _bare(token)
    if "\0" in text:
        raise Unfit("holds \\u0000, which PostgreSQL cannot")
    try:
        return _encode(text).decode()
    except UnicodeEncodeError:
        raise Unfit("holds half a surrogate pair, which PostgreSQL cannot") from None


def _integer(token: str, column: Column) -> str:
    found = _INTEGER.fullmatch(_bare(token))
    if found is None:
        raise Unfit("is no whole number")
    value, half = int(found[1]), 2 ** (_INTEGER_BITS[column.type] - 1)
    if not -half <= value < half:
        raise Unfit(f"is beyond the numbers of {column.type}")
    return str(value)


def _double(token: str, _: Column) -> str:
    text = _bare(token)
    if _NUMBER.fullmatch(text) is None:
        raise Unfit("is no number")
    value = float(text)
    if math.isinf(value):
        raise Unfit("is beyond the numbers of double precision")
    return repr(value)


def _numeric(token: str, column: Column) -> str:
    text = _bare(token)
    if _NUMBER.fullmatch(text) is None:
        raise Unfit("is no number")
    value = Decimal(text.strip())
    digits = f"{value:f}"
    if len(digits.partition(".")[2]) > _LONGEST_SCALE:
        raise Unfit("has more digits than numeric holds")
    arguments = _ARGUMENTS.search(column.type)
    if arguments:
        precision, scale = int(arguments[1]), int(arguments[2] or 0)
        whole, _, fraction = digits.lstrip("+-").partition(".")
        if fraction[scale:].strip("0") or len(whole.lstrip("0")) > precision - scale:
            raise Unfit(f"does not fit into {column.type}")
    return digits


def _boolean(token: str, _: Column) -> str:
    word = _BOOLEANS.get(_bare(token).strip(" \t\r\n").lower())
    if word is None:
        raise Unfit("is neither true nor false")
    return word


def _date(token: str, _: Column) -> str:
    found = _DATE.fullmatch(_bare(token)) if token[0] == '"' else None
    if found is None:
        raise Unfit("is no date such as 2025-01-06")
    try:
        date.fromisoformat(found[1])
    except ValueError:
        raise Unfit("is a date that does not exist") from None
    return f'"{found[1]}"'


def _moment(token: str) -> tuple[datetime, bool]:
    """A time, and whether it bore a zone."""
    found = _TIME.fullmatch(_bare(token)) if token[0] == '"' else None
    if found is None:
        raise Unfit("is no time such as 2025-01-06 09:05:01.25+03:00")
    day, minute, second, fraction, zone = found.groups()
    digits = (fraction or "").ljust(_MICROSECOND_DIGITS, "0")
    if digits[_MICROSECOND_DIGITS:].strip("0"):
        raise Unfit("has more digits than microseconds")
    text = f"{day}T{minute or '00:00'}{second or ':00'}.{digits[:_MICROSECOND_DIGITS]}"
    try:
        moment = datetime.fromisoformat(text + (zone or "Z").upper())
        return moment.astimezone(UTC), zone is not None
    except (ValueError, OverflowError):
        raise Unfit("is a time that does not exist") from None


def _timestamptz(token: str, _: Column) -> str:
    """Without a zone it is UTC."""
    return f'"{as_text(_moment(token)[0])}+00"'


def _timestamp(token: str, _: Column) -> str:
    """With a zone it is turned to UTC."""
    return f'"{as_text(_moment(token)[0])}"'


def as_text(moment: datetime) -> str:
    """A time of UTC with microseconds, without its zone."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _uuid(token: str, _: Column) -> str:
    text = _bare(token)
    if token[0] != '"' or _UUID.fullmatch(text) is None:
        raise Unfit("is no uuid")
    digits = text.strip("{}").replace("-", "").lower()
    return f'"{"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))}"'


def _object(token: str) -> str:
    text = token if token[0] == "{" else _bare(token).strip() if token[0] == '"' else ""
    try:
        members = read_members(text.encode())
    except UnicodeEncodeError:
        raise Unfit("holds half a surrogate pair, which PostgreSQL cannot") from None
    except NotAnObject as error:
        raise Unfit(str(error) if text.startswith("{") else "is no JSON object") from None
    if not members:
        raise Unfit("is empty")
    return _storable(text)


def _jsonb(token: str, _: Column) -> str:
    """Any JSON; a text that begins as an object or an array is read as one."""
    text = _bare(token).strip()
    return _storable(text if token[0] == '"' and text[:1] in ("{", "[") else token)


def _storable(text: str) -> str:
    """JSON that jsonb holds as it is, on one line, every number and text as it was written."""
    if _NUL_ESCAPE.search(text):
        raise Unfit("holds \\u0000, which PostgreSQL cannot")
    try:
        sent = text.encode()
        msgspec.json.decode(sent)
        return msgspec.json.format(sent, indent=-1).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        raise Unfit(
            "holds what jsonb cannot: half a surrogate pair, or an immense number"
        ) from None


_FAMILIES = {
    "text": "text",
    "varchar": "text",
    "character varying": "text",
    **dict.fromkeys(_INTEGER_BITS, "integer"),
    "double precision": "double",
    "numeric": "numeric",
    "decimal": "numeric",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "uuid": "uuid",
    "jsonb": "jsonb",
}
_READERS: dict[str, Callable[[str, Column], str]] = {
    "text": _text,
    "integer": _integer,
    "double": _double,
    "numeric": _numeric,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "uuid": _uuid,
    "jsonb": _jsonb,
}

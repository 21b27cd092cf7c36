"""One event of a file: its cells are checked, and become one line of NDJSON in a form of ours.

The same event gives the same line in whatever format it came, so that the line's hash says whether
two events of one id differ. Messages name columns and never hold a value.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from flows.warehouse.json_members import NotAnObject, read_members

COLUMNS = ("event_id", "occurred_at", "user_id", "event_type", "properties")

# Reasons of refusal, as flows.errors.Interrupted bears them.
INVALID_VALUE = "invalid_value"
RAGGED_ROW = "ragged_row"
UNREADABLE_LINE = "unreadable_line"
WRONG_COLUMNS = "wrong_columns"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What PostgreSQL takes for one, too.
_ANY_UUID = re.compile(r"(\{)?[0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7}(?(1)\})")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]((?:[01][0-9]|2[0-3]):[0-9]{2})"
    r"(?:(:[0-9]{2})(?:\.([0-9]+))?)?"
    r" ?(Z|UTC|[+-](?:0[0-9]|1[0-4])(?::?[0-9]{2})?)?"
)
_MICROSECOND_DIGITS = 6
# A name that may stand in a message: where a header is missing, a value stands in its place.
_PLAIN_NAME = re.compile(r"[^\W\d][\w .-]{0,62}")

_encode = msgspec.json.encode


class Refused(Exception):
    """An event that is not taken. reason: one of the above; why: one phrase without a value."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why
        self.record = ""

    def of(self, record: str) -> "Refused":
        """Itself, with the text of the record as it was sent."""
        self.record = record
        return self


@dataclass(slots=True)
class Notes:
    """What a file leaves open, counted on the way. taken_as_utc: events whose time has no zone."""

    taken_as_utc: int = 0


def event_line(cells: Sequence[str | None], notes: Notes) -> bytes:
    """The line of an event. cells: texts in the order of COLUMNS. Raises Refused."""
    event_id, occurred_at, user_id, event_type, properties = cells
    if not event_type or not event_type.strip():
        raise Refused(INVALID_VALUE, "column event_type is empty")
    uuid = _uuid(event_id)
    moment, has_zone = _time(occurred_at)
    line = b'{"event_id":"%b","occurred_at":"%b","user_id":%b,"event_type":%b,"properties":%b}' % (
        uuid.encode(),
        moment.encode(),
        _text("user_id", user_id) if user_id and user_id.strip() else b"null",
        _text("event_type", event_type),
        _object(properties),
    )
    notes.taken_as_utc += not has_zone
    return line


def rejected_line(refused: Refused) -> bytes:
    """The line that keeps a refused record; what a text of PostgreSQL cannot hold is U+FFFD."""
    record = refused.record.encode(errors="surrogateescape").decode(errors="replace")
    return b'{"rejected_reason":%b,"rejected_record":%b}' % (
        _encode(refused.why),
        _encode(record.replace("\0", "\N{REPLACEMENT CHARACTER}")),
    )


def complaint_of(names: Sequence[str], *, may_lack: Sequence[str] = ()) -> str | None:
    """What is wrong with the names of columns; None where nothing is."""
    known = [name for name in names if name in COLUMNS]
    missing = [name for name in COLUMNS if name not in names and name not in may_lack]
    extra = [name for name in names if name not in COLUMNS]
    parts = []
    if missing:
        parts.append(f"missing: {', '.join(missing)}")
    if extra and known:
        parts.append(f"extra: {', '.join(map(_shown, extra))}")
    if len(set(known)) < len(known):
        twice = dict.fromkeys(name for name in known if known.count(name) > 1)
        parts.append(f"more than once: {', '.join(twice)}")
    if not parts:
        return None
    return f"wrong columns ({'; '.join(parts)}); they are {', '.join(COLUMNS)}"


def _shown(name: str) -> str:
    return repr(name) if _PLAIN_NAME.fullmatch(name) else "one whose name is not shown"


def _uuid(text: str | None) -> str:
    if not text:
        raise Refused(INVALID_VALUE, "column event_id is empty")
    if _UUID.fullmatch(text):
        return text
    if _ANY_UUID.fullmatch(text) is None:
        raise Refused(INVALID_VALUE, "column event_id is no uuid")
    digits = text.strip("{}").replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _time(text: str | None) -> tuple[str, bool]:
    """Date and time with microseconds, UTC, and whether it had a zone; else it is UTC already."""
    if not text:
        raise Refused(INVALID_VALUE, "column occurred_at is empty")
    found = _TIME.fullmatch(text)
    if found is None:
        raise Refused(
            INVALID_VALUE, "column occurred_at is no time such as 2025-01-06 09:05:01.25+03:00"
        )
    day, minute, second, fraction, zone = found.groups()
    fraction = (fraction or "").ljust(_MICROSECOND_DIGITS, "0")
    if fraction[_MICROSECOND_DIGITS:].strip("0"):
        raise Refused(INVALID_VALUE, "column occurred_at has more digits than microseconds")
    seconds = f"{day} {minute}{second or ':00'}"
    is_utc = zone in (None, "Z", "UTC")
    try:
        moment = datetime.fromisoformat(seconds if is_utc else seconds + zone)
        if not is_utc:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise Refused(INVALID_VALUE, "column occurred_at is a time that does not exist") from None
    fraction = fraction[:_MICROSECOND_DIGITS]
    return f"{moment.isoformat(' ', 'seconds')}.{fraction}", zone is not None


def _text(column: str, text: str) -> bytes:
    if "\0" in text:
        raise Refused(INVALID_VALUE, f"column {column} holds \\u0000, which PostgreSQL cannot")
    try:
        return _encode(text)
    except UnicodeEncodeError:
        raise Refused(
            INVALID_VALUE, f"column {column} holds half a surrogate pair, which PostgreSQL cannot"
        ) from None


def _object(text: str | None) -> bytes:
    """JSON as sent; line breaks, which can only stand between its parts, become blanks."""
    if text is None or (bare := text.strip()) in ("", "null"):
        return b"null"
    try:
        sent = bare.encode()
        read_members(sent)
    except (NotAnObject, UnicodeEncodeError) as error:
        why = str(error) if isinstance(error, NotAnObject) else "no valid UTF-8"
        raise Refused(INVALID_VALUE, f"column properties: {why}") from None
    return sent.replace(b"\r", b" ").replace(b"\n", b" ")

"""Lines of event files (flows/event_files/event_line.py) as rows of raw.import_events."""

from typing import Annotated

import msgspec

from flows.event_files.file_name import parse_file_name
from flows.warehouse.cells import JSON, TEXT, TIME, UUID
from flows.warehouse.raw_table import RawTable
from flows.warehouse.row_maker import PlainKind, RowMaker

FIELDS = {
    "event_id": UUID,
    "occurred_at": TIME,
    "user_id": TEXT,
    "event_type": TEXT,
    "rejected_reason": TEXT,
    "rejected_record": TEXT,
    "properties": JSON,
}

# The lines are of our own making: ids and times have one form.
_PLAIN_KINDS = {
    UUID: PlainKind(Annotated[str, msgspec.Meta(min_length=36, max_length=36)] | None, "{v} or ''"),
    TIME: PlainKind(Annotated[str, msgspec.Meta(min_length=26, max_length=26)] | None, "{v} or ''"),
    TEXT: PlainKind(str | None, "{v} or ('' if {v} is None else EMPTY)"),
    JSON: PlainKind(msgspec.Raw),
}

_MAKER = RowMaker("raw.import_events", FIELDS, _PLAIN_KINDS, is_hashed=True)
_TABLE = RawTable(_MAKER.table, _MAKER.copy, _MAKER.make_block, has_ordinals=False)


def table_of(key: str) -> RawTable | None:
    """The table for the lines of this archive, None where the key is no event file's."""
    return None if parse_file_name(key) is None else _TABLE

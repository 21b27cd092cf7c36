"""Lines of an Amplitude archive as rows of raw.amplitude_events."""

from typing import Annotated

import msgspec

from flows.warehouse.amplitude_fields import FIELDS
from flows.warehouse.cells import BOOLEAN, DOUBLE, INTEGER, JSON, TEXT, TIME, UUID
from flows.warehouse.raw_table import RawTable
from flows.warehouse.row_maker import PlainKind, RowMaker


def _bears_no_letter(cells: str) -> bool:
    """PostgreSQL reads words as times too ("now", "infinity", month names)."""
    return cells.upper() == cells.lower()


_PLAIN_KINDS = {
    # The documented form has 26 characters; what is longer or shorter takes the long path.
    TIME: PlainKind(
        Annotated[str, msgspec.Meta(min_length=26, max_length=26)] | None,
        "{v} or ''",
        _bears_no_letter,
    ),
    TEXT: PlainKind(str | None, "{v} or ('' if {v} is None else EMPTY)"),
    INTEGER: PlainKind(
        Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
        "'' if {v} is None else {v}",
    ),
    DOUBLE: PlainKind(float | None, "'' if {v} is None else {v}"),
    BOOLEAN: PlainKind(bool | None, "BOOLEANS[{v}]"),
    UUID: PlainKind(Annotated[str, msgspec.Meta(min_length=36, max_length=36)] | None, "{v} or ''"),
    JSON: PlainKind(msgspec.Raw),
}

_MAKER = RowMaker("raw.amplitude_events", FIELDS, _PLAIN_KINDS)

COPY = _MAKER.copy
make_block = _MAKER.make_block

_TABLE = RawTable(_MAKER.table, COPY, make_block, has_ordinals=False)


def table_of(_: str) -> RawTable:
    """All archives are of events."""
    return _TABLE

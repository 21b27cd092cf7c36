"""Lines of AppMetrica's archives as rows of its raw tables.

The vendor sends every value as a text, "" where there is none; its documentation shows bare numbers
here and there, so both are taken.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import msgspec

from flows.lake.keys import parse_day_key
from flows.vendors.appmetrica_tables import TABLES, Kind
from flows.warehouse.cells import BOOLEAN, INTEGER, JSON_TEXT, LOCAL_TIME, TEXT, UNSIGNED
from flows.warehouse.copy_rows import DELIMITER
from flows.warehouse.raw_table import RawTable
from flows.warehouse.record_rows import RecordMaker
from flows.warehouse.row_maker import PlainKind, RowMaker

_KINDS = {
    Kind.TEXT: TEXT,
    Kind.INTEGER: INTEGER,
    Kind.UNSIGNED: UNSIGNED,
    Kind.TIMESTAMP: INTEGER,
    Kind.DATETIME: LOCAL_TIME,
    Kind.BOOLEAN: BOOLEAN,
    Kind.JSON: JSON_TEXT,
}


def _all(cell: str) -> Callable[[str], bool]:
    """Whether all cells are empty or of one form: a single search, a hundredth of one for each."""
    cells = re.compile(rf"(?:\x01(?:{cell})?)*+")

    def check(text: str) -> bool:
        return cells.fullmatch(text) is not None

    return check


# PostgreSQL also takes "007", " 7", "0x7" and "7_0" for numbers, "now" and 24:00:00 for times.
_ARE_NUMBERS = _all("0|-?[1-9][0-9]*+")
_ARE_UNSIGNED = _all("0|[1-9][0-9]*+")
_ARE_TIMES = _all("[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")
_NUMBER = "'' if {v} is None else {v}"
_TEXT = PlainKind(str | None, "{v} or ('' if {v} is None else EMPTY)")

_PLAIN_KINDS = {
    TEXT: _TEXT,
    JSON_TEXT: _TEXT,
    # bigint surely takes 18 digits, what is longer the long path looks at.
    INTEGER: PlainKind(
        Annotated[str, msgspec.Meta(max_length=18)]
        | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
        | None,
        _NUMBER,
        _ARE_NUMBERS,
    ),
    UNSIGNED: PlainKind(
        Annotated[str, msgspec.Meta(max_length=20)]
        | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
        | None,
        _NUMBER,
        _ARE_UNSIGNED,
    ),
    LOCAL_TIME: PlainKind(str | None, "{v} or ''", _ARE_TIMES),
    BOOLEAN: PlainKind(Literal["true", "false", ""] | bool | None, "BOOLEANS[{v}]"),
}


def _maker(table: str, vendor_table: str, file_columns: tuple[str, ...] = ()) -> RowMaker:
    fields = TABLES[vendor_table].known_fields
    return RowMaker(
        table,
        {field: _KINDS[kind] for field, kind in fields.items()},
        _PLAIN_KINDS,
        file_columns=file_columns,
        is_hashed=True,
        is_blank_missing=True,
    )


TYPED = {
    "events": _maker("raw.appmetrica_events", "events"),
    "installations": _maker("raw.appmetrica_installations", "installations"),
    "profiles_v2": _maker("raw.appmetrica_profiles", "profiles_v2", ("snapshot_time",)),
    "sessions_starts": _maker("raw.appmetrica_sessions_starts", "sessions_starts"),
}
OTHER = RecordMaker("raw.appmetrica_other", ("table_name",))


def table_of(key: str) -> RawTable | None:
    """The table for the lines of this archive, None where the key is no archive's."""
    told = parse_day_key(key)
    if told is None or told.table not in TABLES:
        return None
    maker = TYPED.get(told.table, OTHER)
    file_cells = ""
    if maker is OTHER:
        file_cells = told.table + DELIMITER
    elif told.table == "profiles_v2":
        # A snapshot of a whole day is taken as of its beginning.
        file_cells = f"{told.moment:%Y-%m-%d %H:%M:%S}+00{DELIMITER}"
    make_block = partial(maker.make_block, file_cells=file_cells)
    return RawTable(maker.table, maker.copy, make_block, has_ordinals=True)

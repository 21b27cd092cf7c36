"""Lines of direct rows (flows/direct_rows/staged_rows.py) as rows of raw.direct_rows."""

import re
from functools import partial
from typing import Annotated

import msgspec

from flows.direct_rows.contracts import PREFIX, SUFFIX, TABLES
from flows.warehouse.cells import JSON, TIME, UUID
from flows.warehouse.copy_rows import DELIMITER
from flows.warehouse.raw_table import RawTable
from flows.warehouse.row_maker import PlainKind, RowMaker

FIELDS = {"uuid": UUID, "event_time": TIME, "put_in_at": TIME, "row_values": JSON}

# The lines are of our own making: ids and times have one form.
_PLAIN_KINDS = {
    UUID: PlainKind(Annotated[str, msgspec.Meta(min_length=36, max_length=36)] | None, "{v} or ''"),
    TIME: PlainKind(Annotated[str, msgspec.Meta(min_length=26, max_length=26)] | None, "{v} or ''"),
    JSON: PlainKind(msgspec.Raw),
}

_MAKER = RowMaker(
    "raw.direct_rows", FIELDS, _PLAIN_KINDS, file_columns=("table_name",), is_hashed=True
)
_KEY = re.compile(rf"{re.escape(PREFIX)}({'|'.join(TABLES)})/[^/]+{re.escape(SUFFIX)}")


def table_of(key: str) -> RawTable | None:
    """The table for the lines of this archive, None where the key is no archive's."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    make_block = partial(_MAKER.make_block, file_cells=found[1] + DELIMITER)
    return RawTable(_MAKER.table, _MAKER.copy, make_block, has_ordinals=False)

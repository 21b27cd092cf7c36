"""Values of Python, numpy or pyarrow as texts of JSON, the form in which rows are checked."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from flows.direct_rows.values import Unfit

#: A value: its JSON text, or why it has none.
Value = str | Unfit
#: A row: its values by column, or why there is none.
Row = Mapping[str, Value] | Unfit
Rows = Iterator[Row]

_UUID_BYTES = 16


def row_of(entry: object) -> Row:
    """The row that a mapping from columns to values says."""
    if not isinstance(entry, Mapping):
        return Unfit("is no object")
    row: dict[str, Value] = {}
    for name, value in entry.items():
        try:
            row[str(name)] = _token_of(value)
        except RecursionError:
            row[str(name)] = Unfit("is nested too deep")
        except (TypeError, ValueError, OverflowError):
            row[str(name)] = Unfit("is nothing that JSON can say, such as NaN")
    return row


def _token_of(value: Any) -> str:
    if isinstance(value, Decimal):
        return json.dumps(_finite(value))
    return json.dumps(value, default=_plain, allow_nan=False)


def _plain(value: Any) -> Any:
    """What json.dumps can say for a value that it does not know."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(_finite(value))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes) and len(value) == _UUID_BYTES:
        return str(UUID(bytes=value))
    if hasattr(value, "item"):
        return value.item()
    raise TypeError


def _finite(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)

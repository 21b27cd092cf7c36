"""What reports of statistics share: their span of days, and how they read the tables."""

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from flows.errors import BadRequest, WarehouseFailed
from flows.settings import Dwh
from flows.warehouse.connection import connect, warehouse_errors
from flows.windows import parse_day

#: Ten years: a longer span is a slip of the pen, and no page shows it.
MAX_DAYS = 3653

#: The last day of which anything is known; later ones are no zeros.
LAST_DAY = "(select max(day) from product.daily_active_users)"

_UNDEFINED_TABLE = "42P01"

Row = TypeVar("Row")


def parse_span(start: date | str | int, end: date | str | int) -> tuple[date, date]:
    """Two days, both inclusive; BadRequest for no days, a wrong order or too long a span."""
    first, last = parse_day(start), parse_day(end)
    if last < first:
        raise BadRequest(f"end {last} is before start {first}")
    days = (last - first).days + 1
    if days > MAX_DAYS:
        raise BadRequest(f"{first} to {last} are {days} days: ask for at most {MAX_DAYS}")
    return first, last


def parse_count(name: str, value: int, most: int) -> int:
    """A number from 1 to `most`; BadRequest for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"{name} {value!r} is no number from 1 to {most}")
    return value


def read(
    row: type[Row], query: str, parameters: Mapping[str, Any], settings: Dwh | None = None
) -> tuple[Row, ...]:
    """The rows of a query. Raises WarehouseFailed, also where transform has not made the table."""
    rows = read_if_built(row, query, parameters, settings)
    if rows is None:
        raise WarehouseFailed(
            "the statistics are not built yet: run transform", sqlstate=_UNDEFINED_TABLE
        )
    return rows


def read_if_built(
    row: type[Row], query: str, parameters: Mapping[str, Any], settings: Dwh | None = None
) -> tuple[Row, ...] | None:
    """The rows of a query, None where a table of it was never made. Raises WarehouseFailed."""
    url = (settings or Dwh.load()).database_url.get_secret_value()
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        try:
            return tuple(connection.cursor(row_factory=class_row(row)).execute(query, parameters))
        except psycopg.errors.UndefinedTable:
            return None

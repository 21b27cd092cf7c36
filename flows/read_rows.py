"""read_rows: rows of any mart, filtered and in order, a page at a time.

`read_rows` is the flow; `read_page` does the work and runs without Prefect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import psycopg
from prefect import flow
from prefect.artifacts import create_table_artifact
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier
from pydantic import Field

from flows.errors import BadRequest
from flows.mart_rows.conditions import where_clause
from flows.mart_rows.mart import find_mart
from flows.marts import marts, personal_columns
from flows.private_parameters import private
from flows.reporting import parse_count
from flows.run_log import run_log
from flows.settings import Dwh
from flows.warehouse.connection import connect, warehouse_errors

#: More is an export, not a page.
MAX_LIMIT = 10_000
_LAST_OFFSET = 2**63 - 1
#: What stands in an artifact for a value that speaks of a person.
HIDDEN = "•••"

_SELECT = "select {columns} from {mart} where {condition} order by {order} limit %s offset %s"


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Some rows of a mart.

    table: its schema and name. count: rows that match, on all pages. columns: names in order. rows:
    column -> value, in the order that was asked for; times are aware, json is dicts and lists.
    """

    table: str
    count: int
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.table}: {len(self.rows):,} of {self.count:,} rows"


@private("where")
@flow(
    name="read-rows",
    flow_run_name="{table}",
    description="Shows rows of any table that dbt makes, filtered and in order, a page at a time.",
    retries=0,
    persist_result=False,
)
def read_rows(
    table: Annotated[str, Field(json_schema_extra={"enum": sorted(marts())})],
    limit: int = 100,
    offset: int = 0,
    where: dict[str, dict[str, Any]] | None = None,
    order_by: str | list[str] | None = None,
    show_personal: bool = False,
) -> RowsPage:
    """Show rows of a table.

    Args:
        table: Which table, of any schema that people read.
        limit: How many rows to show, at most 10,000.
        offset: How many rows to pass over first.
        where: Filters that hold together, such as {"event_time": {"ge": "2025-01-06"}}. Operators:
            eq, ne (null is among them), lt, le, gt, ge, in (a list), is_null (true or false),
            contains, starts_with. Of a deployment's run the server of Prefect keeps them.
        order_by: A column or a list of them, with - in front for the greatest first; ties are in
            the order of the table's key.
        show_personal: Show values that speak of a person in the table artifact, too, which the
            server of Prefect keeps. The result has them in any case.

    Raises BadRequest, MissingSetting, WarehouseFailed (also where nothing is built yet).
    """
    page = read_page(table, limit, offset, where, order_by)
    run_log().info("%s", page)
    create_table_artifact(
        key="rows",
        table=_shown(page, show_personal=show_personal),
        description=f"{page}, from row {offset} on.",
    )
    return page


def read_page(
    table: str,
    limit: int = 100,
    offset: int = 0,
    where: Mapping[str, Mapping[str, Any]] | None = None,
    order_by: str | Sequence[str] | None = None,
    *,
    settings: Dwh | None = None,
) -> RowsPage:
    """What `read_rows` does, without Prefect. Count and rows are of one moment."""
    most = parse_count("limit", limit, MAX_LIMIT)
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset <= _LAST_OFFSET:
        raise BadRequest("offset is a number of rows, 0 or more")
    url = (settings or Dwh.load()).database_url.get_secret_value()
    with warehouse_errors(), connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        mart = find_mart(connection, table)
        order = mart.order(order_by)
        condition, values = where_clause(connection, mart, where)
        counted = SQL("select count(*) from {} where {}").format(mart.relation, condition)
        (count,) = connection.execute(counted, values).fetchone() or (0,)
        query = SQL(_SELECT).format(
            columns=SQL(", ").join(map(Identifier, mart.columns)),
            mart=mart.relation,
            condition=condition,
            order=order,
        )
        rows = connection.cursor(row_factory=dict_row).execute(query, [*values, most, offset])
        return RowsPage(f"{mart.schema}.{mart.name}", count, tuple(mart.columns), rows.fetchall())


def _shown(page: RowsPage, *, show_personal: bool) -> list[dict[str, Any]]:
    """The rows as JSON has them; what speaks of a person is hidden unless it was asked for."""
    personal = personal_columns(page.table.rpartition(".")[2])
    hidden = set[str]() if show_personal else set(page.columns if personal is None else personal)
    return [
        {
            name: HIDDEN if name in hidden and value is not None else _as_json(value)
            for name, value in row.items()
        }
        for row in page.rows
    ]


def _as_json(value: Any) -> Any:
    if isinstance(value, date | timedelta | UUID | Decimal):
        return str(value)
    return value

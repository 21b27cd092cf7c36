"""A mart as the database's catalogue knows it: columns with types, and its key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from flows.errors import BadRequest, WarehouseFailed
from flows.marts import marts

_COLUMNS = """
select attname, format_type(atttypid, null)
from pg_attribute
where attrelid = to_regclass(%s)
    and attnum > 0
    and not attisdropped
order by attnum
"""

# The smallest unique index; an index over expressions or a part of the rows is none.
_KEY = """
select array_agg(attributes.attname order by places.nth)
from pg_index as indexes
cross join lateral unnest(indexes.indkey::smallint[]) with ordinality as places (attnum, nth)
inner join pg_attribute as attributes
    on indexes.indrelid = attributes.attrelid
    and places.attnum = attributes.attnum
where indexes.indrelid = to_regclass(%s)
    and indexes.indisunique
    and indexes.indpred is null
    and indexes.indexprs is null
group by indexes.indexrelid
order by count(*), indexes.indexrelid
limit 1
"""


@dataclass(frozen=True, slots=True)
class Mart:
    """schema, name: where it stands. columns: type of each, in order. key: columns of its key.

    A view has no key to be found: there all columns together tell rows apart.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    key: Sequence[str]

    @property
    def relation(self) -> Identifier:
        """Its name in SQL."""
        return Identifier(self.schema, self.name)

    def demand_column(self, name: object, where: str) -> str:
        """The name, where it is a column's; else BadRequest. where: what names it."""
        if not isinstance(name, str) or name not in self.columns:
            raise BadRequest(
                f"{where}: {self.name} has no column {name!r}; its columns are"
                f" {', '.join(self.columns)}"
            )
        return name

    def order(self, order_by: str | Sequence[str] | None) -> Composable:
        """The columns that order its rows, as SQL; the key comes last, so that ties have an order.

        order_by: names, with - in front for the greatest first; null comes last either way.
        """
        wanted = [order_by] if isinstance(order_by, str) else list(order_by or ())
        parts: dict[str, bool] = {}
        for entry in wanted:
            is_descending = isinstance(entry, str) and entry.startswith("-")
            name = self.demand_column(entry[1:] if is_descending else entry, "order_by")
            if name in parts:
                raise BadRequest(f"order_by: {name} is named twice")
            parts[name] = is_descending
        for name in self.key:
            parts.setdefault(name, False)
        return SQL(", ").join(
            SQL("{} desc nulls last" if is_descending else "{} nulls last").format(Identifier(name))
            for name, is_descending in parts.items()
        )


def find_mart(connection: psycopg.Connection, table: str) -> Mart:
    """The mart of this name, with or without its schema.

    Raises BadRequest where there is none of that name, WarehouseFailed where it is not built yet.
    """
    schema, _, name = table.rpartition(".")
    known = marts()
    if name not in known or schema not in ("", known[name]):
        raise BadRequest(f"unknown table {table!r}; tables are {', '.join(sorted(known))}")
    place = f'"{known[name]}"."{name}"'
    columns: dict[str, str] = dict(connection.execute(_COLUMNS, [place]).fetchall())
    if not columns:
        raise WarehouseFailed(f"{known[name]}.{name} is not built yet: run transform")
    key = connection.execute(_KEY, [place]).fetchone()
    return Mart(known[name], name, columns, key[0] if key else tuple(columns))

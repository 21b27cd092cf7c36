"""The marts as they stand: how many rows, and a checksum over all of them."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMA = "dwh"


@dataclass(frozen=True, slots=True)
class TableState:
    """One table: rows, and the sum of all rows' hashes (order does not count), 16 hex digits."""

    name: str
    rows: int
    checksum: str


def marts(url: str) -> list[TableState]:
    """All tables of schema dwh, by name."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "select tablename from pg_tables where schemaname = %s order by 1", (SCHEMA,)
        ).fetchall()
        return [_state(connection, name) for (name,) in names]


def _state(connection: psycopg.Connection, name: str) -> TableState:
    row = connection.execute(
        sql.SQL(
            "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from {} as t"
        ).format(sql.Identifier(SCHEMA, name))
    ).fetchone()
    count, total = row or (0, 0)
    return TableState(f"{SCHEMA}.{name}", int(count), f"{int(total) % 2**64:016x}")

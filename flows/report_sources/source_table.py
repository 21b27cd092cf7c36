"""One table of somebody else's database, read in one snapshot by binary COPY."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from flows.errors import Interrupted
from flows.report_sources.copy_stream import copy_out
from flows.report_sources.shapes import NO_PARTITION, Shape
from flows.report_sources.source_trouble import source_trouble
from flows.report_sources.wanted import Wanted
from flows.settings import Crm, Telemetry
from flows.warehouse.connection import open_session

# Who waits for a lock there holds up nobody, but should be told.
_LOCK_TIMEOUT = "select set_config('lock_timeout', '60s', false)"

_COLUMNS = """
select
    columns.attname,
    case
        when types.typtype = 'e' then 'enum'
        else format_type(coalesce(nullif(types.typbasetype, 0), types.oid), null)
    end
from pg_attribute as columns
inner join pg_type as types on columns.atttypid = types.oid
where columns.attrelid = to_regclass(%s)
    and columns.attnum > 0
    and not columns.attisdropped
order by columns.attnum
"""

_HAS_KEY = """
select exists (
    select
    from pg_index
    inner join pg_attribute
        on pg_index.indrelid = pg_attribute.attrelid and pg_attribute.attnum = pg_index.indkey[0]
    where pg_index.indrelid = to_regclass(%s)
        and pg_index.indisunique
        and pg_index.indisvalid
        and pg_index.indnkeyatts = 1
        and pg_index.indpred is null
        and pg_attribute.attname = %s
)
"""


#: More months than these between two events are a wrong clock's; then the days are looked for.
_USUAL_MONTHS = 600

_EXTENT = """
with events as {materialized} (
    {events}
),
edges as materialized (
    select
        (select min(event_timestamp) from events) as first,
        (select max(event_timestamp) from events) as last
)
select
    isfinite(first) and isfinite(last),
    (first at time zone 'UTC')::date::text,
    (last at time zone 'UTC')::date::text,
    -- no older server subtracts what has no end
    case
        when isfinite(first) and isfinite(last)
            then (last - first) > {usual_months} * interval '1 month'
    end,
    {saved_up_to}
from edges
"""

# A clock that is ahead must not hide what is saved until then.
_SAVED_UP_TO = """
(select max(saved_ts) from events where saved_ts between '1970-01-01' and now())
"""

_DAYS = """
select distinct (event_timestamp at time zone 'UTC')::date::text
from ({events}) as events
where isfinite(event_timestamp)
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where events lie. first, last: their outer UTC days, None where there are none; days: each of
    them, where a wrong clock is so far off that not all days between can be meant. A day is text,
    for it can be beyond any calendar. saved_up_to: when the newest was saved, at a time now past.
    """

    first: str | None
    last: str | None
    days: tuple[str, ...] | None
    saved_up_to: datetime | None


class SourceTable:
    """A table of the CRM ("crm") or of telemetry, in one snapshot for as long as it is open.

    name: with or without its schema. Used as a context manager; any error of the source is
    SourceTrouble.
    """

    def __init__(self, source: str, url: str, name: str, shape: Shape) -> None:
        self.source = source
        self.name = name
        self.shape = shape
        self.url = url
        self.rows_sent = 0
        self._relation = Identifier(*name.split("."))

    @classmethod
    def of(cls, settings: Crm | Telemetry, shape: Shape) -> Self:
        """The table that the settings name."""
        url = settings.database_url.get_secret_value()
        if isinstance(settings, Crm):
            return cls("crm", url, settings.users_table, shape)
        return cls("telemetry", url, settings.events_table, shape)

    def __enter__(self) -> Self:
        with source_trouble(self.source):
            self._connection = open_session(self.url)
            self._connection.execute(_LOCK_TIMEOUT)
            self._connection.autocommit = False
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def check_columns(self) -> tuple[str, ...]:
        """Columns that the table has beyond its shape; these are not read.

        Raises Interrupted with all columns that are missing or of a type that is not understood,
        and where the table or its key is none.
        """
        place = self._relation.as_string(self._connection)
        with source_trouble(self.source):
            found: dict[str, str] = dict(self._connection.execute(_COLUMNS, [place]).fetchall())
        if not found:
            raise self._stopped(
                "missing_table", f"there is no table {self.name}, or its user may not see it"
            )
        missing = [name for name in self.shape.names if name not in found]
        if missing:
            raise self._stopped(
                "missing_column", f"table {self.name} has no column {', '.join(missing)}"
            )
        retyped = [
            f"{column.name} is {found[column.name]}, which is no {column.becomes}"
            for column in self.shape.columns
            if found[column.name] not in column.accepts
        ]
        if retyped:
            raise self._stopped("retyped_column", f"in table {self.name} {'; '.join(retyped)}")
        self._check_key(place)
        return tuple(name for name in found if name not in self.shape.names)

    def extent(self, wanted: Wanted) -> Extent:
        """Where the events lie, by the source's indexes where it has them."""
        events = self._query(condition_of(wanted))
        query = SQL(_EXTENT).format(
            events=events,
            # Indexes of one column give its ends at once; beside a condition on another column
            # they would be read from an end to where the condition begins to hold.
            materialized=SQL("materialized" if wanted.saved_since else "not materialized"),
            saved_up_to=SQL("null" if wanted.is_windowed else _SAVED_UP_TO),
            usual_months=Literal(_USUAL_MONTHS),
        )
        with source_trouble(self.source):
            is_finite, first, last, is_wide, saved_up_to = self._connection.execute(
                query
            ).fetchone() or (None, None, None, False, None)
            if is_finite is False:
                raise self.broken_rule(None, None)
            days = None
            if is_wide:
                found = self._connection.execute(SQL(_DAYS).format(events=events))
                days = tuple(day for (day,) in found)
        return Extent(first, last, days, saved_up_to)

    def estimate(self, condition: Composable) -> int:
        """How many rows there are, as the source's planner thinks."""
        with source_trouble(self.source):
            row = self._connection.execute(
                SQL("explain (format json) {}").format(self._query(condition))
            ).fetchone()
        return int(row[0][0]["Plan"]["Plan Rows"]) if row else 0

    def rows(self, condition: Composable, more: Composable) -> Iterator[bytes]:
        """The rows as blocks of binary COPY; rows_sent tells behind them how many they were.

        more: columns of ours behind those of the table.
        """
        query = SQL("copy (select rows.*, {} from ({}) as rows) to stdout (format binary)").format(
            more, self._query(condition)
        )
        with source_trouble(self.source):
            self.rows_sent = yield from copy_out(self._connection, query)

    def broken_rule(self, constraint: str | None, column: str | None) -> Interrupted:
        """Which rows the warehouse refused, as the source itself finds them.

        constraint: of the raw table, None where no partition takes the row; column: where a value
        is missing that must be there.
        """
        rule = None if column else self.shape.rules.get(constraint or NO_PARTITION)
        if rule is not None:
            name, says, broken = rule.column, rule.says, f"not ({rule.holds})"
        else:
            name, says = column or self.shape.key, "must not be null"
            broken = f'"{name}" is null'
        with source_trouble(self.source):
            count = self._count(SQL("true"), broken)
            first = self._connection.execute(
                SQL("select min({})::text from ({}) as rows where {}").format(
                    Identifier(self.shape.key),
                    self._query(SQL("true")),
                    SQL(broken),
                )
            ).fetchone()
        named = f", the first with {self.shape.key} {first[0]}" if first and first[0] else ""
        return self._stopped(
            "invalid_value", f"{name} {says}; {count:,} rows of {self.name} break that{named}"
        )

    def _check_key(self, place: str) -> None:
        key = self.shape.key
        with source_trouble(self.source):
            found = self._connection.execute(_HAS_KEY, [place, key]).fetchone()
            if found and found[0]:
                return
            twice = self._connection.execute(
                SQL(
                    "select count(*) from (select from {} group by {} having count(*) > 1) as twice"
                ).format(self._relation, Identifier(key))
            ).fetchone()
        if twice and twice[0]:
            raise self._stopped(
                "duplicate_key", f"{twice[0]:,} values of {key} stand in {self.name} more than once"
            )

    def _count(self, condition: Composable, holds: str) -> int:
        row = self._connection.execute(
            SQL("select count(*) from ({}) as rows where {}").format(
                self._query(condition), SQL(holds)
            )
        ).fetchone()
        return int(row[0]) if row else 0

    def _query(self, condition: Composable) -> Composable:
        return SQL("select {} from {} where {}").format(
            self.shape.selection(), self._relation, condition
        )

    def _stopped(self, reason: str, says: str) -> Interrupted:
        return Interrupted(
            f"{self.source}: {says}. Nothing is replaced; mend it there and run again",
            reason=reason,
            file_key=None,
        )


def in_window(start: datetime | None, end: datetime | None) -> Composable:
    """Events of the half-open window, as SQL; None is no edge."""
    edges = [
        SQL("{} {} {}").format(Identifier("event_timestamp"), SQL(sign), Literal(edge))
        for sign, edge in ((">=", start), ("<", end))
        if edge is not None
    ]
    return SQL(" and ").join(edges) if edges else SQL("true")


def condition_of(wanted: Wanted) -> Composable:
    """The events that an import takes, as SQL."""
    if wanted.saved_since is None:
        return in_window(wanted.window_start, wanted.window_end)
    return SQL("saved_ts >= {}").format(Literal(wanted.saved_since))

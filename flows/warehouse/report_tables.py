"""Users and telemetry into raw, in sets. All of it runs in the transaction of one import."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from flows.report_sources.copy_stream import copy_in
from flows.report_sources.shapes import EVENTS, USERS
from flows.report_sources.source_table import Extent, in_window
from flows.report_sources.wanted import Wanted

_USERS = SQL(", ").join(map(Identifier, USERS.names))
_EVENTS = SQL(", ").join(map(Identifier, EVENTS.names))

#: Where an event stands: under a user whom the CRM has, or without.
_PLACES = ("telemetry_events", "orphaned_telemetry_events")
_OUT = _PLACES
_IN = (_PLACES[1], _PLACES[0])

_COPY_USERS = SQL("copy incoming_users ({}, present_since) from stdin (format binary)")
_COPY_EVENTS = SQL("copy {} ({}, import_id) from stdin (format binary)")

# As many as there are; a row that did not change is not written.
_REPLACE_USERS = """
with gone as (
    delete from raw.crm_users
    where not exists (
        select from incoming_users where incoming_users.user_id = crm_users.user_id
    )
    returning user_id
),
written as (
    insert into raw.crm_users as present ({columns}, present_since)
    select {columns}, present_since from incoming_users
    on conflict (user_id) do update
    set ({others}) = row({new_others})
    where ({old_others}) is distinct from ({new_others})
    returning present_since
)
select
    (select count(*) from written where present_since = %(import_id)s),
    (select count(*) from written where present_since <> %(import_id)s),
    (select array_agg(user_id) from gone)
"""

# An event that has moved in time since stands outside of the window, under the same id. BRIN finds
# the range of ids; that of usual imports is at the table's end.
_DELETE_MOVED = """
with fresh as materialized (
    {fresh}
),
gone as (
    delete from raw.{table} as present
    where present.import_id <> {import_id}
        and present.id between (select min(id) from fresh) and (select max(id) from fresh)
        and exists (select from fresh where fresh.id = present.id)
    returning event_timestamp
)
select
    (event_timestamp at time zone 'UTC')::date::text,
    count(*)
from gone
group by 1
"""

_MOVE = """
with gone as (
    delete from raw.{source} as events
    where {condition}
    returning {columns}, import_id
),
moved as (
    insert into raw.{target} ({columns}, import_id)
    select {columns}, import_id from gone
)
select
    (event_timestamp at time zone 'UTC')::date::text,
    count(*)
from gone
group by 1
"""

_INSERT = "insert into raw.{target} select * from incoming_events as events where {condition}"

_KNOWN = "exists (select from raw.crm_users where crm_users.user_id = events.user_id)"
_UNKNOWN = f"not {_KNOWN}"

# Days that an import may have changed: those it has events of, and those it replaced.
_MARK_DAYS = """
insert into raw.telemetry_days (day, import_id)
select distinct
    day,
    %(import_id)s
from ({days}) as changed
on conflict (day) do update set import_id = excluded.import_id
"""

_DAYS_BETWEEN = """
select generate_series(%(first)s::text::date, %(last)s::text::date, interval '1 day')::date as day
"""
_MONTHS_BETWEEN = """
select generate_series(
    date_trunc('month', %(first)s::text::date), %(last)s::text::date, interval '1 month'
)::date as day
"""
_DAYS_GIVEN = "select unnest(%(days)s::text[])::date as day"
_DAYS_OF_INCOMING = """
select (event_timestamp at time zone 'UTC')::date as day from incoming_events
union all
select unnest(%(days)s::text[])::date
"""

_MARK_WINDOW = """
update raw.telemetry_days
set import_id = %(import_id)s
where day >= coalesce((%(window_start)s::timestamptz at time zone 'UTC')::date, '-infinity')
    and day <= coalesce((%(window_end)s::timestamptz at time zone 'UTC')::date, 'infinity')
"""


@dataclass(frozen=True, slots=True)
class UserChanges:
    """Of a reload of the users. read: rows that came; removed: ids that the CRM has no more."""

    read: int
    added: int
    changed: int
    removed: Sequence[int]


def replace_users(
    connection: psycopg.Connection, import_id: int, blocks: Iterable[bytes]
) -> UserChanges:
    """Take in all users; blocks: of binary COPY, with import_id behind the columns."""
    connection.execute(
        "create temporary table incoming_users (like raw.crm_users including constraints,"
        " primary key (user_id)) on commit drop"
    )
    read = copy_in(connection, _COPY_USERS.format(_USERS), blocks)
    connection.execute("analyze incoming_users")
    others = [name for name in USERS.names if name != USERS.key]
    query = SQL(_REPLACE_USERS).format(
        columns=_USERS,
        others=_listed(others),
        old_others=_listed(others, "present"),
        new_others=_listed(others, "excluded"),
    )
    added, changed, removed = connection.execute(query, {"import_id": import_id}).fetchone() or (
        0,
        0,
        None,
    )
    return UserChanges(read, added, changed, removed or ())


@dataclass(frozen=True, slots=True)
class EventChanges:
    """Of an import of telemetry. read: events that came; orphans: how many events were moved out of
    the count, of this import or of users who went.
    """

    read: int
    orphans: int


def replace_events(
    connection: psycopg.Connection,
    import_id: int,
    wanted: Wanted,
    extent: Extent,
    users: UserChanges,
    blocks: Iterable[bytes],
    on_bytes: Callable[[int], None],
) -> EventChanges:
    """Take in the events that were asked for, in place of those that stood there.

    Events of users whom the CRM does not have are moved out of the count, and those of users who
    came back into it; every day of which something may have changed is marked. blocks: of binary
    COPY, with import_id behind the columns.
    """
    if wanted.saved_since is None:
        changes = _take_window(connection, import_id, wanted, extent, blocks, on_bytes)
    else:
        changes = _take_saved(connection, import_id, blocks, on_bytes)
    if users.removed:
        gone = SQL("events.user_id = any({})").format(Literal(list(users.removed)))
        went = _move(connection, *_OUT, gone)
        _mark_days(connection, import_id, _DAYS_GIVEN, days=list(went))
        changes = replace(changes, orphans=changes.orphans + sum(went.values()))
    if users.added:
        came = _move(connection, *_IN, SQL(_KNOWN))
        _mark_days(connection, import_id, _DAYS_GIVEN, days=list(came))
    return changes


def add_months(connection: psycopg.Connection, extent: Extent) -> int:
    """Make the partitions that these events lack; how many they were. No reader is locked out."""
    days = _MONTHS_BETWEEN if extent.days is None else _DAYS_GIVEN
    row = connection.execute(
        SQL("select raw.add_telemetry_months(array(select day from ({}) as wanted))").format(
            SQL(days)
        ),
        _edges(extent),
    ).fetchone()
    return int(row[0]) if row else 0


def _take_window(
    connection: psycopg.Connection,
    import_id: int,
    wanted: Wanted,
    extent: Extent,
    blocks: Iterable[bytes],
    on_bytes: Callable[[int], None],
) -> EventChanges:
    window = in_window(wanted.window_start, wanted.window_end)
    for table in _PLACES:
        connection.execute(SQL("delete from raw.{} where {}").format(Identifier(table), window))
    connection.execute(_MARK_WINDOW, {"import_id": import_id} | asdict(wanted))
    _mark_days(
        connection,
        import_id,
        _DAYS_BETWEEN if extent.days is None else _DAYS_GIVEN,
        **_edges(extent),
    )
    into = _COPY_EVENTS.format(Identifier("raw", _PLACES[0]), _EVENTS)
    read = copy_in(connection, into, blocks, on_bytes)
    fresh = SQL("events.import_id = {} and {} and {}").format(import_id, window, SQL(_UNKNOWN))
    orphans = sum(_move(connection, *_OUT, fresh).values())
    if wanted.is_windowed:
        ids = SQL(" union all ").join(
            SQL("select id from raw.{} where import_id = {} and {}").format(
                Identifier(table), import_id, window
            )
            for table in _PLACES
        )
        moved = _delete_moved(connection, import_id, ids)
        _mark_days(connection, import_id, _DAYS_GIVEN, days=list(moved))
    return EventChanges(read, orphans)


def _take_saved(
    connection: psycopg.Connection,
    import_id: int,
    blocks: Iterable[bytes],
    on_bytes: Callable[[int], None],
) -> EventChanges:
    connection.execute(
        "create temporary table incoming_events (like raw.telemetry_events including constraints)"
        " on commit drop"
    )
    into = _COPY_EVENTS.format(Identifier("incoming_events"), _EVENTS)
    read = copy_in(connection, into, blocks, on_bytes)
    connection.execute("analyze incoming_events")
    moved = _delete_moved(connection, import_id, SQL("select id from incoming_events"))
    inserted = {
        table: connection.execute(
            SQL(_INSERT).format(target=Identifier(table), condition=SQL(condition))
        ).rowcount
        for table, condition in zip(_PLACES, (_KNOWN, _UNKNOWN), strict=True)
    }
    _mark_days(connection, import_id, _DAYS_OF_INCOMING, days=list(moved))
    return EventChanges(read, inserted[_PLACES[1]])


def _mark_days(
    connection: psycopg.Connection, import_id: int, chosen: LiteralString, **values: object
) -> None:
    """Note days of which this import may have changed something."""
    query = SQL(_MARK_DAYS).format(days=SQL(chosen))
    connection.execute(query, {"import_id": import_id} | values)


def _edges(extent: Extent) -> dict[str, object]:
    days = None if extent.days is None else list(extent.days)
    return {"first": extent.first, "last": extent.last, "days": days}


def _delete_moved(
    connection: psycopg.Connection, import_id: int, ids: Composable
) -> dict[str, int]:
    """Delete older versions of this import's events; how many, by their day."""
    days: dict[str, int] = {}
    for table in _PLACES:
        query = SQL(_DELETE_MOVED).format(
            table=Identifier(table), fresh=ids, import_id=Literal(import_id)
        )
        days |= dict(connection.execute(query).fetchall())
    return days


def _move(
    connection: psycopg.Connection, source: str, target: str, condition: Composable
) -> dict[str, int]:
    """Move events from one table to the other; how many, by their day."""
    query = SQL(_MOVE).format(
        source=Identifier(source),
        target=Identifier(target),
        condition=condition,
        columns=_EVENTS,
    )
    return dict(connection.execute(query).fetchall())


def _listed(columns: Sequence[str], table: str | None = None) -> Composable:
    return SQL(", ").join(
        Identifier(table, column) if table else Identifier(column) for column in columns
    )

"""All reads and writes of raw.windows, the ledger of what was asked and what came.

Exports note what they ask and archive; loads and builds mark theirs (functions in the database).
What the archive holds can be mirrored at any time; only the askings cannot be made again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from flows.lake.archived_windows import ArchivedWindow, AskedWindow

#: A vendor's refusal of a size counts so long: after it, the usual size is tried again.
_REFUSALS_COUNT = timedelta(days=30)

#: Events of an hour or day beside which an empty one is no chance any more: of a hundred expected,
#: none comes once in e^100.
BUSY_EVENTS = 100
#: Longer silence between busy windows is a night or a holiday.
_LONGEST_GAP = 3

_ASKED = """
insert into raw.windows as held
    (source, table_name, file_key, window_start, window_end, ask_count, asked_at)
select asked.*, 1, %(at)s
from jsonb_to_recordset(%(windows)s) as asked (
    source text, table_name text, file_key text, window_start timestamp, window_end timestamp
)
on conflict (file_key, window_start) do update
set ask_count = held.ask_count + 1, asked_at = excluded.asked_at
"""

_NOT_READY = """
update raw.windows
set not_ready_at = %(at)s
from jsonb_to_recordset(%(windows)s) as young (file_key text, window_start timestamp)
where windows.file_key = young.file_key and windows.window_start = young.window_start
"""

_REFUSED = """
update raw.windows
set refused_size = refused.size, refused_at = clock_timestamp()
from jsonb_to_recordset(%s) as refused (file_key text, window_start timestamp, size integer)
where windows.file_key = refused.file_key and windows.window_start = refused.window_start
"""

# What is loaded and built stays so where the same lines stand at the same place.
_ARCHIVED = """
insert into raw.windows as held (
    source, table_name, file_key, window_start, window_end, etag, first_line, event_count,
    hour_event_counts, crc32, is_final, asked_at, archived_at, empty_since
)
select
    found.*,
    clock_timestamp(),
    case when found.event_count = 0 then coalesce(found.asked_at, clock_timestamp()) end
from jsonb_to_recordset(%s) as found (
    source text, table_name text, file_key text, window_start timestamp, window_end timestamp,
    etag text, first_line bigint, event_count bigint, hour_event_counts bigint[], crc32 bigint,
    is_final boolean, asked_at timestamptz
)
on conflict (file_key, window_start) do update
set
    window_end = excluded.window_end,
    etag = excluded.etag,
    first_line = excluded.first_line,
    event_count = excluded.event_count,
    hour_event_counts = excluded.hour_event_counts,
    crc32 = excluded.crc32,
    is_final = excluded.is_final,
    asked_at = greatest(held.asked_at, excluded.asked_at),
    empty_since = case
        when excluded.event_count = 0
            then coalesce(held.empty_since, held.asked_at, excluded.empty_since)
    end,
    archived_at = case
        when (held.first_line, held.event_count, held.crc32)
            is not distinct from (excluded.first_line, excluded.event_count, excluded.crc32)
        then coalesce(held.archived_at, excluded.archived_at)
        else excluded.archived_at
    end,
    loaded_at = case
        when (held.first_line, held.event_count, held.crc32)
            is not distinct from (excluded.first_line, excluded.event_count, excluded.crc32)
        then held.loaded_at
    end,
    built_at = case
        when (held.first_line, held.event_count, held.crc32)
            is not distinct from (excluded.first_line, excluded.event_count, excluded.crc32)
        then held.built_at
    end
where (
    held.window_end, held.etag, held.first_line, held.event_count, held.hour_event_counts,
    held.crc32, held.is_final
) is distinct from (
    excluded.window_end, excluded.etag, excluded.first_line, excluded.event_count,
    excluded.hour_event_counts, excluded.crc32, excluded.is_final
) or held.asked_at is distinct from greatest(held.asked_at, excluded.asked_at)
"""

_UNARCHIVED = """
delete from raw.windows
where file_key = any(%(file_keys)s)
    and archived_at is not null
    and not exists (
        select
        from jsonb_to_recordset(%(windows)s) as found (file_key text, window_start timestamp)
        where found.file_key = windows.file_key and found.window_start = windows.window_start
    )
"""

_FIRST_MISSING = """
with archived as (
    select
        table_name,
        generate_series(window_start, window_end - interval '1 day', interval '1 day')::date as day,
        is_final
    from raw.windows
    where source = %(source)s
        and table_name = any(%(tables)s)
        and archived_at is not null
),

spans as (
    select
        table_name,
        greatest(min(day), %(since)s) as first_day
    from archived
    group by table_name
)

select min(expected.day)::date
from spans
cross join lateral
    generate_series(spans.first_day::timestamp, %(last)s, interval '1 day') as expected (day)
where not exists (
    select
    from archived
    where archived.table_name = spans.table_name
        and archived.day = expected.day
        and archived.is_final
)
"""

# A day is due when it has reached an age at which it was not yet asked. The first age is for all
# that was asked while young, the others for what came empty, be it for an hour. What the archive
# alone tells of was asked at an unknown time: while it is young enough, it counts as asked at once.
_DUE = """
select distinct
    table_name,
    window_start::date as day
from raw.windows
cross join lateral (
    select coalesce(
        asked_at at time zone 'UTC',
        case when window_end + %(oldest)s > %(now)s then window_end else 'infinity' end
    ) as last_asked
) as asking
cross join lateral
    unnest(%(ages)s::interval[]) with ordinality as threshold (age, number)
where source = %(source)s
    and table_name = any(%(tables)s)
    and archived_at is not null
    and is_final
    and window_end - window_start = interval '1 day'
    and window_start between %(since)s and %(last)s
    and asking.last_asked < window_end + threshold.age
    and window_end + threshold.age <= %(now)s
    and (
        event_count = 0
        or 0 = any(hour_event_counts)
        or (threshold.number = 1 and %(young_too)s)
    )
order by day, table_name
"""

# Hours where the archive tells of them, else days. Silence between two busy slots, not too long.
_GAPS = """
with slots as (
    select
        source,
        table_name,
        window_start + (hour.number - 1) * interval '1 hour' as slot,
        interval '1 hour' as length,
        hour.events
    from raw.windows
    cross join lateral unnest(hour_event_counts) with ordinality as hour (events, number)
    where archived_at is not null and is_final and window_start >= %(since)s

    union all

    select source, table_name, window_start, interval '1 day', event_count
    from raw.windows
    where archived_at is not null
        and is_final
        and hour_event_counts is null
        and window_end - window_start = interval '1 day'
        and window_start >= %(since)s
),

heard as (
    select
        *,
        lead(slot) over in_time as next_slot,
        lead(events) over in_time as next_events
    from slots
    where events > 0
    window in_time as (partition by source, table_name, length order by slot)
)

select
    source,
    table_name as table,
    slot + length as start,
    next_slot as end
from heard
where least(events, next_events) >= %(busy)s
    and next_slot - slot > length
    and next_slot - slot <= length * (%(longest)s + 1)
order by source, table_name, slot
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours or days without an event between busy ones: an outage, or events that were lost."""

    source: str
    table: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        form = "%Y-%m-%d %H:%M" if self.end - self.start < timedelta(days=1) else "%Y-%m-%d"
        name = " ".join(filter(None, (self.source, self.table)))
        return f"{name}: no event from {self.start:{form}} to {self.end:{form}}, between busy times"


def note_asked(
    connection: psycopg.Connection, windows: Iterable[AskedWindow], at: datetime
) -> None:
    """The vendor is about to be asked for these windows. at: aware."""
    connection.execute(_ASKED, {"windows": Jsonb([_asked(one) for one in windows]), "at": at})


def note_not_ready(
    connection: psycopg.Connection, windows: Iterable[AskedWindow], at: datetime
) -> None:
    """The vendor had nothing of these windows yet; they were noted as asked."""
    connection.execute(_NOT_READY, {"windows": Jsonb([_asked(one) for one in windows]), "at": at})


def note_archived(connection: psycopg.Connection, windows: Iterable[ArchivedWindow]) -> None:
    """These windows stand in the archive; rows that say so already are left alone."""
    connection.execute(_ARCHIVED, [Jsonb([_archived(one) for one in windows])])


def note_refused(connection: psycopg.Connection, sizes: Mapping[AskedWindow, int]) -> None:
    """The vendor refused these sizes (see raw.windows.refused_size)."""
    refused = [_asked(window) | {"size": size} for window, size in sizes.items()]
    connection.execute(_REFUSED, [Jsonb(refused)])


def mirror(
    connection: psycopg.Connection, file_keys: Collection[str], windows: Sequence[ArchivedWindow]
) -> None:
    """Make the ledger say of these archives what they hold, in one transaction.

    file_keys: the archives that were looked at, those that are gone too; windows: all they hold.
    """
    held = [_archived(one) for one in windows]
    with connection.transaction():
        connection.execute(_UNARCHIVED, {"file_keys": list(file_keys), "windows": Jsonb(held)})
        note_archived(connection, windows)
    mark_loaded(connection)


def mark_loaded(connection: psycopg.Connection) -> None:
    """Note what is loaded by now."""
    connection.execute("select raw.mark_loaded_windows()")


def known_archives(connection: psycopg.Connection, source: str) -> dict[str, str]:
    """The archives of a source that the ledger knows, with the etag that it looked into."""
    rows = connection.execute(
        "select distinct file_key, etag from raw.windows"
        " where source = %s and archived_at is not null",
        [source],
    )
    return dict(rows.fetchall())


def loaded_archives(connection: psycopg.Connection, source: str) -> set[str]:
    """The archives of a source of which something is loaded or was begun."""
    rows = connection.execute(
        "select distinct file_key from raw.loads where source = %s and superseded_by is null",
        [source],
    )
    return {file_key for (file_key,) in rows}


def first_missing(
    connection: psycopg.Connection,
    source: str,
    tables: Collection[str],
    last: date,
    since: date | None = None,
) -> date | None:
    """The first day up to `last` that is not archived for good, behind the first that is archived.

    since: days before it do not count.
    """
    row = connection.execute(
        _FIRST_MISSING,
        {"source": source, "tables": list(tables), "last": last, "since": since or date.min},
    ).fetchone()
    return row[0] if row else None


def due(
    connection: psycopg.Connection,
    source: str,
    tables: Collection[str],
    last: date,
    now: datetime,
    ages: Sequence[timedelta],
    *,
    young_too: bool,
    since: date | None = None,
) -> frozenset[tuple[str, date]]:
    """Archived days, with their tables, that are to be asked again.

    ages: since the end of the day. young_too: at the first age, also days that came with events in
    every hour, if they were never asked at that age. now: aware.
    """
    if not ages:
        return frozenset()
    rows = connection.execute(
        _DUE,
        {
            "source": source,
            "tables": list(tables),
            "since": since or date.min,
            "last": last,
            "now": now,
            "ages": list(ages),
            "oldest": max(ages),
            "young_too": young_too,
        },
    )
    return frozenset((table, day) for table, day in rows)


def refused_sizes(connection: psycopg.Connection, source: str) -> dict[str, tuple[int, int]]:
    """Table -> the fewest and the most of what the vendor refused in the last month."""
    rows = connection.execute(
        "select table_name, min(refused_size), max(refused_size) from raw.windows"
        " where source = %s and refused_at > clock_timestamp() - %s group by table_name",
        [source, _REFUSALS_COUNT],
    )
    return {table: (fewest, most) for table, fewest, most in rows}


def gaps(connection: psycopg.Connection, since: date) -> list[Gap]:
    """Hours and days without an event between busy ones, from a day on."""
    with connection.cursor(row_factory=class_row(Gap)) as cursor:
        return cursor.execute(
            _GAPS, {"since": since, "busy": BUSY_EVENTS, "longest": _LONGEST_GAP}
        ).fetchall()


def _asked(window: AskedWindow) -> dict[str, Any]:
    return {
        "source": window.source,
        "table_name": window.table,
        "file_key": window.file_key,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
    }


def _archived(held: ArchivedWindow) -> dict[str, Any]:
    return _asked(held.window) | {
        "etag": held.etag,
        "first_line": held.first_line,
        "event_count": held.events,
        "hour_event_counts": held.hours,
        "crc32": held.crc32,
        "is_final": held.is_final,
        "asked_at": None if held.asked_at is None else held.asked_at.isoformat(),
    }

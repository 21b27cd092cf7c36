"""All reads and writes of raw.report_imports, the ledger of imports of users and telemetry."""

from datetime import datetime

import psycopg

from flows.report_sources.wanted import Wanted

#: Held by an import from its start on, for its session: the next one waits, so that a greater
#: import_id is always a later state of the sources.
IMPORT_LOCK = 7_305_201_803

#: Held while an import takes effect. dbt's models of reports hold it, shared, through their
#: transactions (dbt_project/macros/imports.sql), so that none of them sees two imports.
EFFECT_LOCK = "hashtext('dwh_helper import_reports')"

_BEGIN = """
insert into raw.report_imports (window_start, window_end, saved_since)
values (%s, %s, %s)
returning import_id
"""

_FINISH = """
update raw.report_imports
set
    status = 'imported',
    saved_up_to = %(saved_up_to)s,
    user_count = (select count(*) from raw.crm_users),
    event_count = %(events)s,
    orphan_count = (select count(*) from raw.orphaned_telemetry_events),
    finished_at = clock_timestamp()
where import_id = %(import_id)s
returning user_count, orphan_count
"""

_FAIL = """
update raw.report_imports
set status = 'failed', error = %s, finished_at = clock_timestamp()
where import_id = %s
"""

_SAVED_UP_TO = """
select saved_up_to
from raw.report_imports
where status = 'imported' and window_start is null and window_end is null
order by import_id desc
limit 1
"""


def saved_up_to(connection: psycopg.Connection) -> datetime | None:
    """Up to when all saved events are here; None where no import took them all, or there were none.

    The last import says so, not the greatest time: a source can be set back.
    """
    row = connection.execute(_SAVED_UP_TO).fetchone()
    return row[0] if row else None


def begin(connection: psycopg.Connection, wanted: Wanted) -> int:
    """Note an import that begins; its import_id."""
    row = connection.execute(
        _BEGIN, [wanted.window_start, wanted.window_end, wanted.saved_since]
    ).fetchone()
    if row is None:
        raise RuntimeError("insert … returning gave no row")
    return int(row[0])


def finish(
    connection: psycopg.Connection, import_id: int, *, events: int, saved_up_to: datetime | None
) -> tuple[int, int]:
    """Note, in the import's own transaction, that it is done; users and orphans as they are now."""
    values = {"import_id": import_id, "events": events, "saved_up_to": saved_up_to}
    users, orphans = connection.execute(_FINISH, values).fetchone() or (0, 0)
    return users, orphans


def fail(connection: psycopg.Connection, import_id: int, error: str) -> None:
    """Note that nothing of it took effect, and why."""
    connection.execute(_FAIL, [error, import_id])

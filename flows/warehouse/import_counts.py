"""What an imported file brought: which of its ids are new, counted in the warehouse, in sets."""

from dataclasses import dataclass

import psycopg

#: How many known ids are listed.
LISTED_IDS = 1000

# A load that counts is complete, not withdrawn, and nothing has taken its place. A file that grew
# under its key has several of them.
_ROWS = """
file_rows as (

    select
        events.event_id,
        events.line_number,
        events.rejected_reason
    from raw.import_events as events
    inner join raw.loads on events.load_id = loads.load_id
    inner join raw.loads as this on loads.file_key = this.file_key
    where this.load_id = %(load_id)s
        and loads.status = 'loaded'
        and loads.superseded_by is null
        and loads.load_seq <= this.load_seq

),

ids as (

    select
        event_id,
        count(*) as row_count,
        min(line_number) as first_line
    from file_rows
    where event_id is not null
    group by event_id

)
"""

# Of two loads at once the one that was complete first brought the id. What this load has taken the
# place of counted until then.
_KNOWN = """
known as (

    select ids.event_id
    from ids
    where not %(is_new)s or exists (
        select
        from raw.import_events as others
        inner join raw.loads on others.load_id = loads.load_id
        where others.event_id = ids.event_id
            and others.load_id <> %(load_id)s
            and loads.status = 'loaded'
            and loads.load_seq < (select load_seq from raw.loads where load_id = %(load_id)s)
            and coalesce(loads.superseded_by, %(load_id)s) = %(load_id)s
    )

)
"""

_COUNT = f"""
with {_ROWS}, {_KNOWN}

select
    (select count(*) from file_rows) as row_count,
    (select count(*) from ids) - (select count(*) from known) as inserted_count,
    (select count(rejected_reason) from file_rows) as rejected_count
"""  # noqa: S608 - made of constants

_LIST = f"""
with {_ROWS}, {_KNOWN}

select ids.event_id::text
from ids
where ids.row_count > 1
    or ids.event_id in (select known.event_id from known)
order by ids.first_line
limit {LISTED_IDS}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """rows = inserted + duplicates + rejected; duplicate_ids: the first of the duplicates' ids."""

    rows: int
    inserted: int
    duplicates: int
    rejected: int
    duplicate_ids: tuple[str, ...]


def counts_of_file(connection: psycopg.Connection, load_id: int, *, is_new: bool) -> ImportCounts:
    """What a file brought when its last load, of this id, was completed.

    inserted: ids that no load before it knew; duplicates: the other rows, also those that repeat an
    id of the file itself. is_new: false where the load was known before, and so all of its ids.
    """
    values = {"load_id": load_id, "is_new": is_new}
    with connection.cursor() as cursor:
        found = cursor.execute(_COUNT, values).fetchone() or (0, 0, 0)
        rows, inserted, rejected = found
        listed = cursor.execute(_LIST, values).fetchall()
    ids = tuple(event_id for (event_id,) in listed)
    return ImportCounts(rows, inserted, rows - rejected - inserted, rejected, ids)

"""What an imported file brought: which of its ids are new, counted in the warehouse, in sets."""

from dataclasses import dataclass

import psycopg

#: How many known ids are listed.
LISTED_IDS = 1000

# A load that counts is complete, not withdrawn, and nothing has taken its place. Of two at once the
# one that was complete first brought the id.
_KNOWN = """
known as (

    select ids.event_id
    from ids
    where exists (
        select
        from raw.import_events as others
        inner join raw.loads on others.load_id = loads.load_id
        where others.event_id = ids.event_id
            and others.load_id <> %(load_id)s
            and loads.status = 'loaded'
            and loads.load_seq < (select load_seq from raw.loads where load_id = %(load_id)s)
            and loads.superseded_by is null
    )

)
"""

_IDS = """
ids as (

    select
        event_id,
        count(*) as row_count,
        min(line_number) as first_line
    from raw.import_events
    where load_id = %(load_id)s
        and event_id is not null
    group by event_id

)
"""

_COUNT = f"""
with {_IDS}, {_KNOWN}

select
    (
        select count(*)
        from raw.import_events
        where load_id = %(load_id)s
    ) as row_count,
    (select count(*) from ids) - (select count(*) from known) as inserted_count,
    (
        select count(*)
        from raw.import_events
        where load_id = %(load_id)s
            and rejected_reason is not null
    ) as rejected_count
"""  # noqa: S608 - made of constants

_LIST = f"""
with {_IDS}, {_KNOWN}

select ids.event_id::text
from ids
where ids.row_count > 1
    or ids.event_id in (select known.event_id from known)
order by ids.first_line
limit {LISTED_IDS}
"""  # noqa: S608

_ALL_KNOWN = """
with file_loads as (

    select load_id
    from raw.loads
    where file_key = %(file_key)s
        and load_seq is not null
        and superseded_by is null

),

file_rows as (

    select *
    from raw.import_events
    where load_id in (select file_loads.load_id from file_loads)

)

select
    count(*) as row_count,
    count(rejected_reason) as rejected_count,
    array(
        select ids.event_id::text
        from (
            select
                event_id,
                min(line_number) as first_line
            from file_rows
            where event_id is not null
            group by event_id
        ) as ids
        order by ids.first_line
        limit %(most)s
    ) as listed_ids
from file_rows
"""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """rows = inserted + duplicates + rejected; duplicate_ids: the first of the duplicates' ids."""

    rows: int
    inserted: int
    duplicates: int
    rejected: int
    duplicate_ids: tuple[str, ...]


def counts_of_load(connection: psycopg.Connection, load_id: int) -> ImportCounts:
    """What a load brought when it was completed.

    inserted: ids that no load before it knew; duplicates: the other rows, also those that repeat an
    id of the load itself.
    """
    with connection.cursor() as cursor:
        found = cursor.execute(_COUNT, {"load_id": load_id}).fetchone() or (0, 0, 0)
        rows, inserted, rejected = found
        listed = cursor.execute(_LIST, {"load_id": load_id}).fetchall()
    ids = tuple(event_id for (event_id,) in listed)
    return ImportCounts(rows, inserted, rows - rejected - inserted, rejected, ids)


def counts_of_known_file(connection: psycopg.Connection, file_key: str) -> ImportCounts:
    """The same of a file that was loaded before: it brings nothing, all its events are known."""
    values = {"file_key": file_key, "most": LISTED_IDS}
    rows, rejected, listed = connection.execute(_ALL_KNOWN, values).fetchone() or (0, 0, [])
    return ImportCounts(rows, 0, rows - rejected, rejected, tuple(listed))

"""What became of directly given rows: new, known, overtaken; told by the warehouse, in sets."""

from collections.abc import Sequence
from datetime import datetime

import psycopg

# A load that counts is complete, not withdrawn, and nothing has taken its place. Of two at once the
# one that was complete first brought the id.
_INSERTED = """
with ids as (

    select
        uuid,
        min(line_number) as first_line
    from raw.direct_rows
    where load_id = %(load_id)s
    group by uuid

)

select ids.uuid::text
from ids
where not exists (
    select
    from raw.direct_rows as others
    inner join raw.loads on others.load_id = loads.load_id
    where others.uuid = ids.uuid
        and others.table_name = any(%(tables)s)
        and others.load_id <> %(load_id)s
        and loads.status = 'loaded'
        and loads.load_seq < (select load_seq from raw.loads where load_id = %(load_id)s)
        and loads.superseded_by is null
)
order by ids.first_line
"""

# Of two rows of one moment a hash of the line decides, so the other one may stand.
_OVERTAKEN = """
select max(others.put_in_at)
from raw.direct_rows as own
inner join raw.direct_rows as others
    on own.uuid = others.uuid
    and own.put_in_at <= others.put_in_at
inner join raw.loads on others.load_id = loads.load_id
where own.load_id = %(load_id)s
    and others.table_name = any(%(tables)s)
    and others.load_id <> %(load_id)s
    and loads.status = 'loaded'
    and loads.superseded_by is null
"""


def inserted_ids(
    connection: psycopg.Connection, load_id: int, tables: Sequence[str]
) -> tuple[str, ...]:
    """Ids of a load that no direct load before it knew, each once, in the order of its lines.

    tables: those in which an id means the same.
    """
    values = {"load_id": load_id, "tables": list(tables)}
    return tuple(uuid for (uuid,) in connection.execute(_INSERTED, values))


def overtaken_at(
    connection: psycopg.Connection, load_id: int, tables: Sequence[str]
) -> datetime | None:
    """When the newest row was put in that took the place of a row of this load.

    None where all its rows are the newest of their ids. tables: those in which an id means the
    same.
    """
    values = {"load_id": load_id, "tables": list(tables)}
    row = connection.execute(_OVERTAKEN, values).fetchone()
    return None if row is None else row[0]

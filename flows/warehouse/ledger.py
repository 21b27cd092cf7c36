"""All reads and writes of raw.loads, the ledger of what was loaded (design section 5).

A file's *chain* is its complete loads that no other load has superseded: the first from line 0,
each later one behind the end of the one before. Its last load, the *tip*, bears the present etag
and the checksum of the whole chain. At most one load of a file is *partial*: begun, not complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from flows.stopping import pause

# Held while load_seq is given, so that it grows in the order in which loads become visible.
SEQUENCE_LOCK = 7_305_201_802
_ASK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """One row of raw.loads; the comments on its columns say what they mean."""

    load_id: int
    source: str
    file_key: str
    etag: str
    size_bytes: int
    status: str
    row_count: int | None
    first_line: int
    last_line: int | None
    load_seq: int | None
    checksum: str | None
    superseded_by: int | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None

    @property
    def end(self) -> int:
        """The first line behind this load."""
        return self.first_line if self.last_line is None else self.last_line + 1

    def holds(self, etag: str, size_bytes: int) -> bool:
        """Whether it is of an object of this etag and size."""
        return (self.etag, self.size_bytes) == (etag, size_bytes)


@dataclass(frozen=True, slots=True)
class FileState:
    """What the ledger knows of a file; None where there is none.

    tip, partial: see above. refused: withdrawn before it was complete; known, never resumed.
    """

    tip: Load | None = None
    partial: Load | None = None
    refused: Load | None = None

    def known(self, etag: str, size_bytes: int) -> Load | None:
        """The load that shows that an object of this etag and size needs no reading."""
        for load in (self.tip, self.refused):
            if load is not None and load.holds(etag, size_bytes):
                return load
        return None


def lock_file(connection: psycopg.Connection, file_key: str, *, wait: bool) -> bool:
    """Hold a file for this session, so that two loaders take turns; False if another holds it."""
    key = f"dwh-helper load {file_key}"
    while True:
        row = connection.execute(
            "select pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)
        ).fetchone()
        if row == (True,) or not wait:
            return row == (True,)
        # Asked again and again, as a session that waits in the server could not be cancelled.
        pause(_ASK_AGAIN_S)


def unlock_file(connection: psycopg.Connection, file_key: str) -> None:
    """Let a file go."""
    connection.execute(
        "select pg_advisory_unlock(hashtextextended(%s, 0))", (f"dwh-helper load {file_key}",)
    )


def states(connection: psycopg.Connection, file_keys: Iterable[str]) -> dict[str, FileState]:
    """What the ledger knows of each of these files."""
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        cursor.execute(
            "select * from raw.loads where file_key = any(%s) and superseded_by is null"
            " order by load_id",
            (list(file_keys),),
        )
        found: dict[str, FileState] = {}
        for load in cursor:
            before = found.get(load.file_key, FileState())
            if load.load_seq is not None:
                found[load.file_key] = replace(before, tip=load)
            elif load.status == "withdrawn":
                found[load.file_key] = replace(before, refused=load)
            else:
                found[load.file_key] = replace(before, partial=load)
    return found


def state(connection: psycopg.Connection, file_key: str) -> FileState:
    """What the ledger knows of one file."""
    return states(connection, [file_key]).get(file_key, FileState())


def begin(
    connection: psycopg.Connection,
    *,
    source: str,
    file_key: str,
    etag: str,
    size_bytes: int,
    first_line: int,
) -> Load:
    """Enter a new load that starts at first_line."""
    return _one(
        connection,
        "insert into raw.loads (source, file_key, etag, size_bytes, first_line)"
        " values (%s, %s, %s, %s, %s) returning *",
        (source, file_key, etag, size_bytes, first_line),
    )


def resume(
    connection: psycopg.Connection, load_id: int, *, etag: str, size_bytes: int, first_line: int
) -> Load:
    """Take up a partial load again, of an object whose lines so far are the same.

    first_line: as before, unless nothing is committed yet.
    """
    return _one(
        connection,
        "update raw.loads set status = 'loading', error = null, etag = %s, size_bytes = %s,"
        " first_line = %s where load_id = %s returning *",
        (etag, size_bytes, first_line, load_id),
    )


def discard(connection: psycopg.Connection, load_id: int, table: str) -> None:
    """Delete the committed rows of a partial load and its place in the ledger: its file changed."""
    with connection.transaction():
        connection.execute(
            SQL("delete from {} where load_id = %s").format(_table(table)),
            (load_id,),
        )
        connection.execute(
            "delete from raw.loads where load_id = %s and load_seq is null", (load_id,)
        )


def advance(
    connection: psycopg.Connection, load_id: int, *, last_line: int, rows: int, checksum: str
) -> None:
    """Note committed lines; to be called in the transaction that commits their rows."""
    connection.execute(
        "update raw.loads set last_line = %s, row_count = coalesce(row_count, 0) + %s,"
        " checksum = %s where load_id = %s",
        (last_line, rows, checksum, load_id),
    )


def fail(connection: psycopg.Connection, load_id: int, error: str) -> None:
    """Note why a load stopped. What is committed stays, unseen by dbt, for the next run."""
    connection.execute(
        "update raw.loads set status = 'failed', error = %s"
        " where load_id = %s and load_seq is null",
        (error, load_id),
    )


# A file is what its loads hold from the latest one on that began at line 0. A withdrawn load among
# them counts: the ordinals follow from the file alone, whenever a person took what out. Joined by
# ctid, as no statistics are needed to do that fast: fresh rows have none.
NUMBER_EQUAL_ROWS = """
with file_loads as (
    select load_id
    from raw.loads
    where file_key = %(file_key)s
        and (load_seq is not null or load_id = %(load_id)s)
        and load_id >= (
            select max(load_id) from raw.loads
            where file_key = %(file_key)s and first_line = 0
                and (load_seq is not null or load_id = %(load_id)s)
        )
),

numbered as (
    select
        ctid as row_id,
        load_id,
        row_number() over (partition by content_hash order by line_number) - 1 as ordinal
    from {table}
    where load_id = any (array(select load_id from file_loads))
)

update {table} as line
set ordinal = numbered.ordinal
from numbered
where
    numbered.row_id = line.ctid
    and numbered.load_id = %(load_id)s
    and numbered.ordinal > 0
"""


def complete(
    connection: psycopg.Connection,
    load: Load,
    *,
    checksum: str,
    supersedes: bool,
    number_rows_of: str | None = None,
) -> Load:
    """Make a load visible to dbt, in one transaction; returns it as it stands then.

    checksum: of all lines of the file. supersedes: the chain of the file was different, and this
    load takes its place; the old loads keep their status and rows until dbt has admitted this one.
    number_rows_of: the table whose column ordinal is to tell the load's rows from equal ones before
    them in the file; the first of them bears 0.
    """
    with connection.transaction():
        if number_rows_of is not None:
            connection.execute(
                SQL(NUMBER_EQUAL_ROWS).format(table=_table(number_rows_of)),
                {"file_key": load.file_key, "load_id": load.load_id},
            )
        # Behind the slow statement: while this is held, no other load completes.
        connection.execute("select pg_advisory_xact_lock(%s)", (SEQUENCE_LOCK,))
        completed = _one(
            connection,
            "update raw.loads set status = 'loaded', finished_at = clock_timestamp(),"
            " row_count = coalesce(row_count, 0), checksum = %s, error = null,"
            " load_seq = (select coalesce(max(load_seq), 0) + 1 from raw.loads)"
            " where load_id = %s returning *",
            (checksum, load.load_id),
        )
        if supersedes:
            connection.execute(
                "update raw.loads set superseded_by = %(new)s where file_key = %(file_key)s"
                " and load_id <> %(new)s and superseded_by is null and load_seq is not null",
                {"new": load.load_id, "file_key": load.file_key},
            )
    return completed


def rename_content(
    connection: psycopg.Connection, load_id: int, etag: str, size_bytes: int
) -> None:
    """The same lines came under another etag: remember it, so that the file is not read again."""
    connection.execute(
        "update raw.loads set etag = %s, size_bytes = %s where load_id = %s",
        (etag, size_bytes, load_id),
    )


def _table(name: str) -> Identifier:
    return Identifier(*name.split("."))


def _one(
    connection: psycopg.Connection, query: LiteralString, parameters: tuple[object, ...]
) -> Load:
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        load = cursor.execute(query, parameters).fetchone()
    if load is None:
        raise LookupError("the load is gone from raw.loads")
    return load

"""Loads put into raw without S3, as load_raw leaves them, for tests of what comes after."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import ExecStatus
from psycopg.types.json import Json

from flows.event_files.event_line import Notes, event_line
from flows.lake.line_stream import Slab
from flows.warehouse import ledger
from flows.warehouse.connection import connect
from flows.warehouse.landing import landing_of

FIRST_EVENT = datetime(2025, 1, 6, 12, tzinfo=UTC)


def query(url: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it gives any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text, values or None)
        # rows of `select from` have no column, and are rows
        has_rows = cursor.pgresult and cursor.pgresult.status == ExecStatus.TUPLES_OK
        return cursor.fetchall() if has_rows else []


def add_load(
    url: str,
    file_key: str,
    properties: Sequence[Any],
    *,
    source: str = "amplitude_web",
    supersedes: int | None = None,
    **columns: Any,
) -> int:
    """A complete load with one event for each user_properties; returns its load_id.

    Event number n of load l has the uuid l * 1000 + n and happens n minutes after FIRST_EVENT.
    """
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "insert into raw.loads (source, file_key, etag, size_bytes, status, row_count,"
            " last_line, load_seq) select %s, %s, '', 0, 'loaded', %s, %s,"
            " coalesce(max(load_seq), 0) + 1 from raw.loads returning load_id",
            [source, file_key, len(properties), len(properties) - 1],
        ).fetchone()
        assert row
        load_id: int = row[0]
        for line, sent in enumerate(properties):
            event = {
                "load_id": load_id,
                "line_number": line,
                "uuid": UUID(int=load_id * 1000 + line),
                "event_time": FIRST_EVENT + timedelta(minutes=line),
                "server_upload_time": FIRST_EVENT + timedelta(minutes=line),
                "event_type": "opened",
                "device_id": "device",
                "user_properties": Json(sent),
            } | columns
            connection.execute(
                f"insert into raw.amplitude_events ({', '.join(event)})"
                f" values ({', '.join(['%s'] * len(event))})",
                list(event.values()),
            )
        connection.execute(
            "update raw.loads set superseded_by = %s where load_id = %s", [load_id, supersedes]
        )
    return load_id


def add_appmetrica_load(
    url: str, file_key: str, rows: Sequence[dict[str, Any]], *, supersedes: bool = False
) -> int:
    """A complete load of AppMetrica, one line for each row; returns its load_id.

    The key tells the table: "appmetrica/1111/events/2025-01-06.ndjson.gz". supersedes: whether it
    takes the place of all loads of the file.
    """
    data = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    return _add_lines(url, "appmetrica", file_key, data, supersedes=supersedes)


def add_import_load(
    url: str, file_key: str, events: Sequence[Sequence[str | None]], *, supersedes: bool = False
) -> int:
    """A complete load of an event file; returns its load_id.

    events: texts in the order of event_line.COLUMNS. supersedes: as of add_appmetrica_load.
    """
    data = b"".join(event_line(event, Notes()) + b"\n" for event in events)
    return _add_lines(url, "import", file_key, data, supersedes=supersedes)


def add_direct_load(
    url: str, file_key: str, lines: Sequence[dict[str, Any]], *, supersedes: bool = False
) -> int:
    """A complete load of rows that were put in directly; returns its load_id.

    The key tells the table: "direct/events_part/a.ndjson.gz". lines: with uuid, event_time,
    put_in_at (texts) and row_values. supersedes: as of add_appmetrica_load.
    """
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return _add_lines(url, "direct", file_key, data, supersedes=supersedes)


def _add_lines(url: str, source: str, file_key: str, data: bytes, *, supersedes: bool) -> int:
    table = landing_of(source).table_of(file_key)
    with connect(url, autocommit=True) as connection:
        load = ledger.begin(
            connection,
            source=source,
            file_key=file_key,
            etag="",
            size_bytes=0,
            first_line=0,
        )
        with connection.cursor() as cursor, cursor.copy(table.copy) as copy:
            copy.write(table.make_block(Slab(0, data), load.load_id, True).data)
        count = data.count(b"\n")
        if count:
            ledger.advance(connection, load.load_id, last_line=count - 1, rows=count, checksum="")
        ledger.complete(
            connection,
            load,
            checksum="",
            supersedes=supersedes,
            number_rows_of=table.name if table.has_ordinals else None,
        )
    return load.load_id

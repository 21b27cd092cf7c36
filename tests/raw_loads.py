"""Loads put into raw by SQL, as load_raw leaves them, for tests of what comes after."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Json

FIRST_EVENT = datetime(2025, 1, 6, 12, tzinfo=UTC)


def query(url: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it gives any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


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

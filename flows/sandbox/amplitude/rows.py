"""Single rows made to measure, for tests and demonstrations."""

import uuid
from datetime import datetime
from typing import Any

from flows.sandbox.amplitude.clock import vendor_text
from flows.sandbox.amplitude.fields import BLANK_ROW, Row
from flows.sandbox.amplitude.store import encode_row

_TIMES = (
    "client_event_time",
    "client_upload_time",
    "event_time",
    "processed_time",
    "server_received_time",
    "server_upload_time",
)


def make_event(uploaded_at: datetime, **columns: Any) -> Row:
    """One plain row with all 55 keys.

    uploaded_at: aware; every time of the row unless a column says otherwise. columns: any keys of
    the row; a missing uuid is derived from the rest, so the same call gives the same row.
    """
    row: Row = BLANK_ROW | dict.fromkeys(_TIMES, vendor_text(uploaded_at))
    row |= {"event_type": "test", "device_id": "test-device", "amplitude_id": 1, "app": 434735}
    row |= {"event_id": 1, "session_id": -1, "library": "http/2.0", "data": {"path": "/2/httpapi"}}
    row |= columns
    if row["uuid"] is None and "uuid" not in columns:
        row["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_OID, encode_row(row).decode()))
    if "$insert_id" not in columns:
        row["$insert_id"] = row["uuid"]
    return row

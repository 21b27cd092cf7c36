"""Events as ugly as what apps send allows: texts that PostgreSQL's text or jsonb cannot hold."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

_TEXTS = {
    "nul": '{"a": "\0"}',
    "escaped nul": '{"a": "\\u0000"}',
    "half a pair": '{"a": "\ud83d"}',
    "escaped half a pair": '{"a": "\\ud83d"}',
    "control signs": '{"a": "\x01\x1f\x7f"}',
    "line separators": "строка\r\n\u2028\u2029\x85конец",
    "deep": "[" * 3000 + "]" * 3000,
    "large number": '{"a": 1e400, "b": 123456789012345678901234567890}',
    "long": '{"a": "' + "ж" * 200_000 + '"}',
    "looks like the end": '"}\n]\n}',
    "closing of the body": "]}",
    "quotes and commas": '","event_name":"x',
    "backslashes": '\\\\"\\',
}


def hostile_rows(moment: datetime) -> Iterator[dict[str, Any]]:
    """Rows of events, each named by its event_name."""
    for name, text in _TEXTS.items():
        yield {
            "event_name": name,
            "event_json": text,
            "event_timestamp": int(moment.timestamp()),
            "event_receive_timestamp": int(moment.timestamp()),
            "appmetrica_device_id": str(2**64 - 1),
        }

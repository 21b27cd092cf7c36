"""Requests to the simulated Export API, as its tests send and read them."""

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event

PAIR = ("web-id", "web-secret")
MONDAY = datetime(2025, 1, 6, tzinfo=UTC)


def ask(
    amplitude: AmplitudeSimulator,
    start: str = "20250106T00",
    end: str = "20250106T23",
    pair: tuple[str, str] = PAIR,
) -> httpx.Response:
    return httpx.get(
        f"{amplitude.base_url}/api/2/export", params={"start": start, "end": end}, auth=pair
    )


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        return [
            json.loads(line)
            for name in archive.namelist()
            for line in gzip.decompress(archive.read(name)).splitlines()
        ]


def uuids_of(answer: httpx.Response) -> list[str]:
    return sorted(row["uuid"] for row in rows_of(answer))


def hourly(hours: int, each: int = 3) -> list[dict[str, Any]]:
    return [
        make_event(MONDAY + timedelta(hours=hour, minutes=minute), event_id=hour * 100 + minute)
        for hour in range(hours)
        for minute in range(each)
    ]

"""Exports of AppMetrica: what the vendor has, one call of the export, what the bucket holds."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bucket_contents import body_of, keys_in

from flows.export_appmetrica import ExportResult, export_tables
from flows.jobs_progress import JobsProgress
from flows.lake.bucket import Bucket
from flows.lake.day_index import IndexedDay, read_index
from flows.sandbox.appmetrica import Application, AppMetricaSimulator
from flows.settings import AppMetrica
from flows.vendors.retries import Retries

DAY = date(2025, 1, 6)
NEXT = DAY + timedelta(days=1)
APP = Application(1111, "the-token", "Asia/Yekaterinburg")
ZONE = ZoneInfo(APP.time_zone)  # UTC+5, no summer time
END_OF_DAY = datetime(2025, 1, 6, 19, tzinfo=UTC)
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
PREFIX = "appmetrica/1111/"
KEY = f"{PREFIX}events/2025-01-06.ndjson.gz"
INDEX = f"{PREFIX}events/index.json"


def local(day: date, clock: str = "12:00:00") -> int:
    """Unix seconds of a local time of the application."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp())


def event(name: str, day: date = DAY, clock: str = "12:00:00", **more: object) -> dict[str, Any]:
    return {"event_name": name, "event_receive_timestamp": local(day, clock), **more}


EVENTS = [
    event("first", clock="00:00:00"),
    event("last", clock="23:59:59"),
    event("Кнопка", event_json='{"место": {"ряд": [1, "2"]}}', appmetrica_device_id=2**64 - 1),
    *[event("twice", session_id=10000000012)] * 2,
    event("late", event_timestamp=local(DAY - timedelta(days=14))),
]
ALL = ["first", "last", "late", "twice", "twice", "Кнопка"]


class Exporter:
    """Calls export_tables on the test's vendor and bucket."""

    def __init__(self, vendor: AppMetricaSimulator, bucket: Bucket) -> None:
        self.vendor = vendor
        self.bucket = bucket
        self.told: list[JobsProgress] = []
        self.settings = {
            "base_url": vendor.base_url,
            "api_key": APP.token,
            "application_id": APP.application_id,
            "poll_interval_seconds": 0.01,
            "time_zone": APP.time_zone,
        }

    def __call__(
        self,
        start: date | str | int | None = DAY,
        end: date | str | int | None = DAY,
        tables: tuple[str, ...] = ("events",),
        *,
        retries: Retries | None = None,
        **more: Any,
    ) -> ExportResult:
        return export_tables(
            start,
            end,
            tables,
            settings=AppMetrica.model_validate(self.settings),
            bucket=self.bucket,
            retries=retries or Retries(tries=3, first_wait_s=0),
            now=self.vendor.now,
            progress=self.told.append,
            **more,
        )

    def object(self, key: str = KEY) -> bytes:
        return body_of(self.bucket, key)

    def lines(self, key: str = KEY) -> list[bytes]:
        return gzip.decompress(self.object(key)).splitlines()

    def names(self, key: str = KEY) -> list[str]:
        return sorted(json.loads(line)["event_name"] for line in self.lines(key))

    def stored(self) -> list[str]:
        return keys_in(self.bucket)

    def indexed(self, day: date = DAY) -> IndexedDay | None:
        return read_index(self.bucket, INDEX).days.get(day)

    def jobs(self) -> list[str]:
        return list(read_index(self.bucket, INDEX).jobs)

    def asked(self) -> list[tuple[int, str | None]]:
        """Status and Cache-Control of each request for rows, in order."""
        seen = self.vendor.traffic.seen
        return [(one.status, one.cache_control) for one in seen if one.table != "management"]

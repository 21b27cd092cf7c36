"""Exports of Amplitude: what the vendor has, one call of the export, what the bucket holds then."""

import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta

from bucket_contents import body_of, keys_in

from flows.export_amplitude import ExportResult, export_days
from flows.export_progress import ExportProgress
from flows.lake.bucket import Bucket
from flows.sandbox.amplitude import MOBILE, WEB, AmplitudeSimulator
from flows.settings import Amplitude
from flows.vendors.retries import Retries

MONDAY = date(2025, 1, 6)
WEEK = [MONDAY + timedelta(days=n) for n in range(7)]
WITH_DATA = [WEEK[0], WEEK[1], WEEK[3]]
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
KEY = "amplitude/web/2025_week_02.zip"
IMPATIENT = Retries(tries=3, first_wait_s=0)


def row(day: date, hour: int, number: int, text: str = "") -> bytes:
    upload = f"{day} {hour:02d}:30:00.{number:06d}"
    event = {"event_id": number, "server_upload_time": upload, "event_properties": {"text": text}}
    return json.dumps(event).encode()


def rows(day: date, text: str = "") -> list[bytes]:
    """A few events in the hours 0, 9, 10 and 23 of a day."""
    return [row(day, hour, number, text) for hour in (0, 9, 10, 23) for number in range(5)]


class Exporter:
    """Calls export_days on the test's vendor and bucket."""

    def __init__(self, vendor: AmplitudeSimulator, bucket: Bucket) -> None:
        self.vendor = vendor
        self.bucket = bucket
        self.told: list[ExportProgress] = []

    def __call__(
        self,
        start: date | str | int = WEEK[0],
        end: date | str | int = WEEK[6],
        source: str = "web",
        *,
        refresh: bool = False,
        retries: Retries = IMPATIENT,
    ) -> ExportResult:
        settings = Amplitude.model_validate(
            {
                "base_url": self.vendor.base_url,
                "web_client_id": WEB.client_id,
                "web_secret_key": WEB.secret_key,
                "mobile_client_id": MOBILE.client_id,
                "mobile_secret_key": MOBILE.secret_key,
            }
        )
        return export_days(
            start,
            end,
            source,
            refresh=refresh,
            settings=settings,
            bucket=self.bucket,
            retries=retries,
            now=self.vendor.now,
            progress=self.told.append,
        )

    def object(self, key: str = KEY) -> bytes:
        return body_of(self.bucket, key)

    def lines(self, key: str = KEY) -> list[bytes]:
        with zipfile.ZipFile(io.BytesIO(self.object(key))) as archive:
            (name,) = archive.namelist()
            return archive.read(name).splitlines()

    def keys(self) -> list[str]:
        return keys_in(self.bucket)

    def asked(self) -> list[tuple[str, str, int]]:
        """First hour, last hour and status of each request, in order of time asked for."""
        return sorted((seen.start, seen.end, seen.status) for seen in self.vendor.traffic.seen)


def hour_of(line: bytes) -> str:
    text: str = json.loads(line)["server_upload_time"]
    return text[:13]


def assert_whole(export: Exporter, days: list[date]) -> None:
    """The archive holds each event of the days once, hours in order."""
    found = export.lines()
    assert sorted(found) == sorted(line for day in days for line in rows(day))
    assert [hour_of(line) for line in found] == sorted(hour_of(line) for line in found)

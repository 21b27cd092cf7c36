"""What is known of a table's day archives: the small `index.json` that lies beside them.

{"days":{"2025-01-06":{"asked_at":"2025-01-08T00:30:00Z","bytes":1,"confirmed":true,"crc32":"0a1b2c3d",
 "rows":1}},"jobs":{"2025-01-07":{"asked_at":"...","job_id":"...","part_number":0,"parts_count":1}}}

It is a memo, never needed to read an archive: where it is lost or broken, the days are asked again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import msgspec

from flows.lake.bucket import Bucket
from flows.lake.objects import look, read_range, upload

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexedDay:
    """An archived day.

    rows, bytes: of its NDJSON; crc32: of those bytes, 8 hexadecimal digits; asked_at: when the
    vendor was asked (UTC); confirmed: asked once more when it was old enough, so it is final.
    """

    rows: int
    bytes: int
    crc32: str
    asked_at: datetime
    confirmed: bool


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that the vendor was given and whose file was not fetched yet.

    job_id: of its URL; asked_at: when it was begun (UTC); part_number: the last part that was
    begun, of parts_count.
    """

    job_id: str
    asked_at: datetime
    parts_count: int = 1
    part_number: int = 0


@dataclass(frozen=True, slots=True)
class DayIndex:
    """days: the archived ones; jobs: what is on its way, by day (or "snapshot")."""

    days: dict[date, IndexedDay] = field(default_factory=dict)
    jobs: dict[str, RunningJob] = field(default_factory=dict)

    def with_day(self, day: date, entry: IndexedDay) -> "DayIndex":
        """The same with another day; its job is done."""
        return replace(self, days=dict(sorted((self.days | {day: entry}).items()))).without_job(
            day.isoformat()
        )

    def with_job(self, name: str, job: RunningJob) -> "DayIndex":
        """The same with another job on its way."""
        return replace(self, jobs=dict(sorted((self.jobs | {name: job}).items())))

    def without_job(self, name: str) -> "DayIndex":
        """The same without a job."""
        return replace(self, jobs={other: job for other, job in self.jobs.items() if other != name})


def read_index(bucket: Bucket, key: str) -> DayIndex:
    """The index under a key, an empty one if there is none that can be read; ArchiveFailed."""
    version = look(bucket, key)
    if version is None:
        return DayIndex()
    text = b"".join(read_range(bucket, key, version, 0, version.size_bytes))
    try:
        return msgspec.json.decode(text, type=DayIndex)
    except msgspec.MsgspecError as error:
        _log.warning("%s is no index of days (%s): the days will be asked again", key, error)
        return DayIndex()


def change_index(bucket: Bucket, key: str, change: Callable[[DayIndex], DayIndex]) -> DayIndex:
    """Read, change and write back; ArchiveFailed.

    Two processes that do so at one moment lose one of the changes: then a day is asked once more.
    """
    old = read_index(bucket, key)
    new = change(old)
    if new != old:
        text = msgspec.json.encode(new)
        upload(bucket, key, lambda: [text], len(text), lambda: None)
    return new

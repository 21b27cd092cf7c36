"""Which windows (days, snapshots) an archive in S3 holds, and how many events each has.

A weekly archive's zip comment and AppMetrica's `index.json` tell it. Where neither does (an archive
of somebody else's making, a lost index), the lines are counted once: constant memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flows.errors import ArchiveFailed, BadRequest
from flows.lake.archive_reader import open_archive
from flows.lake.bucket import Bucket
from flows.lake.day_index import DayIndex, IndexedDay
from flows.lake.gzip_reader import open_gzip
from flows.lake.keys import parse_day_key, week_of_key
from flows.lake.line_stream import LineArchive
from flows.lake.objects import ObjectChanged, ObjectVersion
from flows.lake.weekly_archive import WeeklyArchive, read_archive
from flows.windows import IsoWeek

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AskedWindow:
    """A window that belongs into an archive.

    start, end: half-open, without a zone: UTC for Amplitude, the application's own for AppMetrica;
    equal for a snapshot. table: AppMetrica's, "" for Amplitude.
    """

    source: str
    table: str
    file_key: str
    start: datetime
    end: datetime

    @classmethod
    def of_day(cls, source: str, table: str, file_key: str, day: date) -> "AskedWindow":
        """A whole day."""
        start = datetime(day.year, day.month, day.day)
        return cls(source, table, file_key, start, start + _DAY)


@dataclass(frozen=True, slots=True)
class ArchivedWindow:
    """A window that an archive holds.

    etag: of the archive; first_line: 0-based, where the window begins in it; events: its lines;
    hours: those of each of the 24 hours, None where the archive does not tell; crc32: of the lines,
    likewise; is_final: the exporter would not ask for it again by itself; asked_at: when the vendor
    was asked, None where the archive does not tell.
    """

    window: AskedWindow
    etag: str
    first_line: int
    events: int
    hours: tuple[int, ...] | None
    crc32: int | None
    is_final: bool
    asked_at: datetime | None = None


def windows_of_week(
    source: str, archive: WeeklyArchive, asked_at: datetime | None = None
) -> list[ArchivedWindow]:
    """The days of a weekly archive of ours, in order."""
    found, line = [], 0
    for day, entry in archive.index.days.items():
        found.append(
            ArchivedWindow(
                window=AskedWindow.of_day(source, "", archive.key, day),
                etag=archive.version.etag,
                first_line=line,
                events=entry.lines,
                hours=entry.hours,
                crc32=entry.crc32,
                is_final=entry.complete,
                asked_at=asked_at,
            )
        )
        line += entry.lines
    return found


def window_of_day(
    table: str, file_key: str, etag: str, day: date, entry: IndexedDay
) -> ArchivedWindow:
    """The one day of an archive of AppMetrica."""
    return ArchivedWindow(
        window=AskedWindow.of_day("appmetrica", table, file_key, day),
        etag=etag,
        first_line=0,
        events=entry.rows,
        hours=None,
        crc32=int(entry.crc32, 16),
        is_final=entry.confirmed,
        asked_at=entry.asked_at,
    )


def snapshot_window(table: str, file_key: str, moment: datetime) -> AskedWindow:
    """A snapshot; moment: aware, as its key names it."""
    at = moment.astimezone(UTC).replace(tzinfo=None)
    return AskedWindow("appmetrica", table, file_key, at, at)


def read_week(
    bucket: Bucket, source: str, project: str, file_key: str, version: ObjectVersion
) -> Iterator[ArchivedWindow]:
    """What a weekly archive holds. An archive that bears no index of ours is one window.

    project: "web" or "mobile". Raises Interrupted for a file that cannot be read, ArchiveFailed.
    """
    week = week_of_key(file_key)
    if week is None:
        raise BadRequest(f"{file_key} names no week")
    try:
        archive = read_archive(bucket, file_key, project, week)
    except ObjectChanged:
        raise
    except ArchiveFailed:
        yield _counted(
            _whole_week(source, file_key, week), open_archive(bucket, file_key, version), version
        )
        return
    if archive is not None:
        yield from windows_of_week(source, archive)


def read_day(
    bucket: Bucket, index: DayIndex, file_key: str, version: ObjectVersion
) -> ArchivedWindow:
    """What a day archive or snapshot of AppMetrica holds. Raises like read_week."""
    key = parse_day_key(file_key)
    if key is None:
        raise BadRequest(f"{file_key} names no day")
    if isinstance(key.moment, datetime):
        window = snapshot_window(key.table, file_key, key.moment)
        return _counted(window, open_gzip(bucket, file_key, version), version)
    entry = index.days.get(key.moment)
    if entry is not None:
        return window_of_day(key.table, file_key, version.etag, key.moment, entry)
    window = AskedWindow.of_day("appmetrica", key.table, file_key, key.moment)
    return _counted(window, open_gzip(bucket, file_key, version), version)


def _whole_week(source: str, file_key: str, week: IsoWeek) -> AskedWindow:
    monday = AskedWindow.of_day(source, "", file_key, week.monday)
    return AskedWindow(source, "", file_key, monday.start, monday.start + 7 * _DAY)


def _counted(window: AskedWindow, archive: LineArchive, version: ObjectVersion) -> ArchivedWindow:
    events = 0
    last = b""
    for block in archive.blocks():
        events += block.count(b"\n")
        last = block or last
    if last and not last.endswith(b"\n"):
        events += 1
    # Of a whole week nobody knows which of its days were asked: the exporter refuses to touch it.
    is_final = window.end - window.start != _DAY
    return ArchivedWindow(window, version.etag, 0, events, None, None, is_final)

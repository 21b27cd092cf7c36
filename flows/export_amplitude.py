"""Amplitude's Export API to weekly archives in S3.

export_amplitude("2025-01-06", "2025-01-12", "web")
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.errors import ArchiveFailed, BadRequest
from flows.export_progress import ExportProgress, PrefectProgress
from flows.lake.archive_index import DayEntry
from flows.lake.archived_windows import AskedWindow, windows_of_week
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.day_file import DayFile, DayWriter
from flows.lake.keys import archive_key
from flows.lake.weekly_archive import WeeklyArchive, covers_week, read_archive, write_days
from flows.settings import Amplitude
from flows.side_by_side import side_by_side
from flows.temporary_folder import temporary_folder
from flows.vendors.amplitude import MOST_REQUESTS, ExportClient
from flows.vendors.amplitude_zip import read_hours
from flows.vendors.retries import Retries
from flows.window_notes import WindowNotes
from flows.windows import IsoWeek, Window, parse_day, weeks

SOURCES = ("web", "mobile")


@dataclass(frozen=True, slots=True)
class ExportedWeek:
    """One weekly archive after the export.

    key: in the bucket; week: such as "2025_week_02".
    days_covered: all days that the archive holds, also from earlier exports.
    days_not_ready: asked days of which the vendor gave nothing yet; they are not in the archive.
    days_incomplete: covered days some of whose hours were too young; they are asked again next
    time. event_count: lines in the archive; ndjson_bytes: their size; bytes: size of the object in
    S3; etag: of the object, without quotes; None, with 0 bytes, where there is no archive yet.
    written: whether this export changed the object.
    """

    key: str
    week: str
    days_covered: tuple[date, ...]
    days_not_ready: tuple[date, ...]
    days_incomplete: tuple[date, ...]
    event_count: int
    ndjson_bytes: int
    bytes: int
    etag: str | None
    written: bool


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export left in S3: one entry for each week that was asked, in order of time."""

    source: str
    archives: tuple[ExportedWeek, ...]

    @property
    def event_count(self) -> int:
        """Events in all archives of the result."""
        return sum(archive.event_count for archive in self.archives)


@flow(
    name="export-amplitude",
    flow_run_name="{source} {start} to {end}",
    retries=0,  # the client retries, in one layer
)
def export_amplitude(
    start: date | str | int,
    end: date | str | int,
    source: Annotated[str, Field(json_schema_extra={"enum": list(SOURCES)})],
    directory: str = "amplitude",
    refresh: bool = False,
) -> ExportResult:
    """Put the days from start to end of one Amplitude project into weekly archives in S3.

    Args:
        start: First day (UTC, by the vendor's upload time), YYYY-MM-DD or YYYYMMDD.
        end: Last day, inclusive.
        source: Which project, and so which key pair: web or mobile.
        directory: First folder of the keys in the bucket.
        refresh: Ask the vendor also for days that are archived and complete.

    Raises BadRequest, MissingSetting, Forbidden, WindowTooLarge, VendorFailed, ArchiveFailed.
    """
    with PrefectProgress(f"export-amplitude-{source}") as progress:
        return export_days(start, end, source, directory, refresh, progress=progress.tell)


def export_days(
    start: date | str | int,
    end: date | str | int,
    source: str,
    directory: str = "amplitude",
    refresh: bool = False,
    *,
    again: Collection[tuple[str, date]] = (),
    settings: Amplitude | None = None,
    bucket: Bucket | None = None,
    retries: Retries | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[ExportProgress], None] = lambda _: None,
) -> ExportResult:
    """What `export_amplitude` does, without Prefect.

    again: days, beside an empty table name, to be asked though they are archived and complete.
    settings, bucket: default from the environment. retries: how patient the client is. now: the
    clock that tells future days and ready hours. progress: called from this thread, about once a
    second. Temporary files: up to four answers of the vendor, and one week of deflated days.
    """
    first, last = parse_day(start), parse_day(end)
    if source not in SOURCES:
        raise BadRequest(f"source {source!r} is unknown: it is one of {', '.join(SOURCES)}")
    if last < first:
        raise BadRequest(f"end {last} is before start {first}")
    today = now().astimezone(UTC).date()
    if last > today:
        raise BadRequest(f"{last} is in the future: today is {today} (UTC)")
    asked = list(weeks(first, last))
    keys = {week: archive_key(directory, source, week) for week, _ in asked}
    settings = settings or Amplitude.load()
    notes = WindowNotes.of_settings()
    fewest_refused, _ = notes.refused_sizes(f"amplitude_{source}").get("", (2 * 24, 0))
    widest_hours = (fewest_refused + 1) // 2
    with ExportClient(
        settings, source, retries=retries, now=now, widest_hours=widest_hours
    ) as client:
        bucket = bucket or open_bucket()
        tally = _Tally((last - first).days + 1, progress)
        replaced = {week for week, days in asked if refresh and covers_week(week, days, today)}
        archives = [
            _export_week(
                client,
                bucket,
                keys[week],
                source,
                week,
                days,
                tally,
                notes,
                refresh=refresh,
                again={day for _, day in again},
                replace_foreign=week in replaced,
                now=now,
            )
            # Newest first: what is new must not wait behind an old day that cannot be had.
            for week, days in reversed(asked)
        ]
    return ExportResult(source, tuple(reversed(archives)))


def _export_week(
    client: ExportClient,
    bucket: Bucket,
    key: str,
    source: str,
    week: IsoWeek,
    days: list[date],
    tally: "_Tally",
    notes: WindowNotes,
    *,
    refresh: bool,
    again: Collection[date],
    replace_foreign: bool,
    now: Callable[[], datetime],
) -> ExportedWeek:
    """Ask what is left of one week, and write its archive once."""
    old = _read_unless_replaced(bucket, key, source, week, replace_foreign)
    held = old.index.days if old is not None else {}
    left = [day for day in days if refresh or day in again or not _is_done(held.get(day))]
    tally.skip(len(days) - len(left))
    if not left:
        return _described(key, week, old, [], written=False)
    name, asked_at = f"amplitude_{source}", now()
    asked = {day: AskedWindow.of_day(name, "", key, day) for day in left}
    notes.asked(list(asked.values()), asked_at)
    refused: dict[AskedWindow, int] = {}
    with temporary_folder("export-amplitude-") as directory:
        fetched = _fetch_days(client, left, held, directory, tally, asked, refused)
        not_ready = [day for day in left if day not in fetched]
        archive, written = old, False
        if fetched:
            archive, written = write_days(
                bucket, key, source, week, fetched, replace_foreign=replace_foreign
            )
    notes.answered(
        windows_of_week(name, archive) if archive is not None else (),
        not_ready=[asked[day] for day in not_ready],
        refused=refused,
        at=asked_at,
    )
    return _described(key, week, archive, not_ready, written=written)


def _read_unless_replaced(
    bucket: Bucket, key: str, source: str, week: IsoWeek, replace_foreign: bool
) -> WeeklyArchive | None:
    try:
        return read_archive(bucket, key, source, week)
    except ArchiveFailed:
        if not replace_foreign:
            raise
        return None


def _is_done(entry: DayEntry | None) -> bool:
    return entry is not None and entry.complete


def _fetch_days(
    client: ExportClient,
    days: list[date],
    held: dict[date, DayEntry],
    directory: Path,
    tally: "_Tally",
    asked: Mapping[date, AskedWindow],
    refused: dict[AskedWindow, int],
) -> dict[date, DayFile]:
    """The days that gave an answer, as files; days that are not ready are left out.

    refused: gets the hours that proved too many for one answer.
    """

    def fetch(day: date) -> DayFile | None:
        file, refused_hours = _fetch_day(client, day, held.get(day), directory, tally)
        if refused_hours is not None:
            refused[asked[day]] = refused_hours
        tally.day_done()
        return file

    found = side_by_side(fetch, days, at_once=MOST_REQUESTS, tell=tally.tell, stop=client.stop)
    return {day: file for day, file in found.items() if file is not None}


def _fetch_day(
    client: ExportClient, day: date, held: DayEntry | None, directory: Path, tally: "_Tally"
) -> tuple[DayFile | None, int | None]:
    """One day as a file, None if it is not ready, and the hours that proved too many, if any did.

    held: what the archive has of it.
    """
    with DayWriter(directory / f"{day}.deflate", counts_hours=True) as writer:

        def take(path: Path, window: Window) -> None:
            mark = writer.mark
            counted = False
            try:
                for hour, blocks in read_hours(path, window):
                    writer.add_hour(blocks, hour.hour)
                counted = True
            finally:
                if not counted:
                    writer.return_to(mark)
            tally.add(writer.mark.bytes - mark.bytes, writer.mark.lines - mark.lines)

        window = Window.of_day(day)
        result = client.fetch(window, take)
        if not result.has_data and result.ready and held is not None and held.lines:
            # The vendor is known to say 404 for a moment where there are data. Events that stand in
            # the archive go only when it says so twice.
            result = client.fetch(window, take)
        if writer.mark.lines == 0 and not result.ready:
            return None, result.refused_hours
        return writer.finish(complete=result.ready), result.refused_hours


def _described(
    key: str, week: IsoWeek, archive: WeeklyArchive | None, not_ready: list[date], *, written: bool
) -> ExportedWeek:
    days = archive.index.days if archive is not None else {}
    return ExportedWeek(
        key=key,
        week=str(week),
        days_covered=tuple(days),
        days_not_ready=tuple(not_ready),
        days_incomplete=tuple(day for day, entry in days.items() if not entry.complete),
        event_count=archive.index.lines if archive is not None else 0,
        ndjson_bytes=archive.index.ndjson_bytes if archive is not None else 0,
        bytes=archive.version.size_bytes if archive is not None else 0,
        etag=archive.version.etag if archive is not None else None,
        written=written,
    )


class _Tally:
    """Counts over all threads; tells the caller from one."""

    def __init__(self, days: int, progress: Callable[[ExportProgress], None]) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._now = ExportProgress(days, 0, 0, 0)

    def skip(self, days: int) -> None:
        """Count days that need not be asked."""
        self._add(days, 0, 0)
        self.tell()

    def day_done(self) -> None:
        self._add(1, 0, 0)

    def add(self, ndjson_bytes: int, events: int) -> None:
        self._add(0, ndjson_bytes, events)

    def tell(self) -> None:
        with self._lock:
            now = self._now
        self._progress(now)

    def _add(self, days: int, ndjson_bytes: int, events: int) -> None:
        with self._lock:
            at = self._now
            self._now = ExportProgress(
                at.days, at.days_done + days, at.ndjson_bytes + ndjson_bytes, at.events + events
            )

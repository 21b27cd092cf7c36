"""One export of AppMetrica: which archives are left to ask for, and each one's way into S3.

What is under way stands in the table's index, so that a run that was killed goes on with its jobs.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from flows.appmetrica_archive import IndexMemo, archive_export
from flows.errors import BadRequest
from flows.jobs_progress import JobsProgress, JobsTally
from flows.lake.archived_windows import (
    ArchivedWindow,
    AskedWindow,
    snapshot_window,
    window_of_day,
)
from flows.lake.bucket import Bucket
from flows.lake.day_archive import StoredArchive
from flows.lake.day_index import IndexedDay, RunningJob
from flows.lake.keys import (
    day_archive_key,
    day_index_key,
    parse_day_key,
    snapshot_key,
    table_prefix,
)
from flows.lake.listing import list_objects
from flows.lake.objects import ObjectVersion
from flows.settings import AppMetrica
from flows.side_by_side import side_by_side
from flows.vendors.appmetrica import MOST_JOBS, LogsClient, Place
from flows.vendors.appmetrica_exports import SNAPSHOTS, day_export, snapshot_export
from flows.vendors.appmetrica_tables import Table
from flows.vendors.appmetrica_wire import Export
from flows.window_notes import WindowNotes
from flows.windows import days, end_of_day

_log = logging.getLogger(__name__)

#: The vendor keeps a file so long; what was begun earlier is begun anew.
_JOBS_LIVE = timedelta(hours=24)

_SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class ExportedArchive:
    """One archive after the export.

    table: of the Logs API; key: in the bucket; day: in the app's time zone, None for a snapshot.
    asked_at: when its content was asked of the vendor (UTC). rows, ndjson_bytes: of the content;
    bytes, etag: of the object in S3. confirmed: final, it is not asked again (snapshots are).
    asked: whether this export asked the vendor; written: whether it changed the object.
    """

    table: str
    key: str
    day: date | None
    asked_at: datetime
    rows: int
    ndjson_bytes: int
    bytes: int
    etag: str
    confirmed: bool
    asked: bool
    written: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """One archive to fetch. day: None for a snapshot."""

    table: Table
    day: date | None
    export: Export

    @property
    def name(self) -> str:
        """What the index calls its job."""
        return _SNAPSHOT if self.day is None else self.day.isoformat()


@dataclass(frozen=True, slots=True)
class Exporter:
    """One call of export_tables: the archives of some days of an application.

    directory: first folder of the keys; zone: of the days, first, last and today among them;
    refresh, again: what to ask though it is confirmed; now: aware; refused_parts: by table, what
    the vendor refused lately; memos: by table, the index that lies beside its archives.
    """

    client: LogsClient
    bucket: Bucket
    settings: AppMetrica
    directory: str
    zone: ZoneInfo
    first: date
    last: date
    today: date
    profile_attributes: Sequence[str]
    refresh: bool
    again: frozenset[tuple[str, date]]
    now: Callable[[], datetime]
    notes: WindowNotes
    refused_parts: dict[str, int]
    memos: dict[str, IndexMemo] = field(default_factory=dict)

    def export(
        self, tables: list[Table], progress: Callable[[JobsProgress], None]
    ) -> tuple[ExportedArchive, ...]:
        """Fetch what is left of all tables; what is done already is reported beside it."""
        held: dict[tuple[str, date | None], ExportedArchive] = {}
        wishes: list[_Wish] = []
        app = self.settings.application_id
        for table in tables:
            self.memos[table.name] = IndexMemo(
                self.bucket, day_index_key(self.directory, app, table.name)
            )
            if table.name in SNAPSHOTS:
                export = snapshot_export(
                    app, table, self.first, self.today, self.profile_attributes
                )
                wishes.append(_Wish(table, None, export))
                continue
            objects = list_objects(self.bucket, table_prefix(self.directory, app, table.name))
            for day in days(self.first, self.last):
                done = self._done(table, day, objects)
                if done is None:
                    wishes.append(_Wish(table, day, day_export(app, table, day)))
                else:
                    held[table.name, day] = done
        tally = JobsTally(len(held) + len(wishes), len(held), progress)

        def fetch(wish: _Wish) -> ExportedArchive:
            archive = self._fetch(wish, tally)
            tally.archive_done(wish.export.window, archive.rows)
            return archive

        tally.tell()
        found = side_by_side(
            # Newest first: what is new must not wait behind an old day that cannot be had.
            fetch,
            sorted(wishes, key=lambda wish: wish.day or date.max, reverse=True),
            at_once=MOST_JOBS,
            tell=tally.tell,
            stop=self.client.stop,
        )
        held |= {(wish.table.name, wish.day): archive for wish, archive in found.items()}
        return tuple(
            held[table.name, day]
            for table in tables
            for day in ([None] if table.name in SNAPSHOTS else days(self.first, self.last))
        )

    def _done(
        self, table: Table, day: date, objects: dict[str, ObjectVersion]
    ) -> ExportedArchive | None:
        """The archive of a day that need not be asked now."""
        key = day_archive_key(self.directory, self.settings.application_id, table.name, day)
        entry, version = self.memos[table.name].index.days.get(day), objects.get(key)
        if entry is None or version is None or self.refresh or (table.name, day) in self.again:
            return None
        waits = self._was_over(day, entry.asked_at) and not self._is_old(day, self.now())
        if not entry.confirmed and not waits:
            return None
        return ExportedArchive(
            table=table.name,
            key=key,
            day=day,
            asked_at=entry.asked_at,
            rows=entry.rows,
            ndjson_bytes=entry.bytes,
            bytes=version.size_bytes,
            etag=version.etag,
            confirmed=entry.confirmed,
            asked=False,
            written=False,
        )

    def _fetch(self, wish: _Wish, tally: JobsTally) -> ExportedArchive:
        memo = self.memos[wish.table.name]
        before = None if wish.day is None else memo.index.days.get(wish.day)
        asked_at = self.now().astimezone(UTC).replace(microsecond=0)
        job = _living(memo.index.jobs.get(wish.name), wish.export, asked_at)
        if job is not None:
            asked_at = job.asked_at
        usual_parts = 2 * self.refused_parts.get(wish.table.name, 0) or 1
        parts_count = usual_parts if job is None else job.parts_count
        refused: list[int] = []
        if wish.day is not None:
            self.notes.asked([self._window(wish, self._key(wish, asked_at))], asked_at)

        def takes_up(place: Place) -> bool:
            return (
                job is not None
                and place.parts_count == job.parts_count
                and place.part_number <= job.part_number
            )

        def begun(place: Place) -> None:
            running = RunningJob(wish.export.job_id, asked_at, place.parts_count, place.part_number)
            memo.change(lambda index: index.with_job(wish.name, running))

        stored = archive_export(
            self.client,
            self.bucket,
            wish.export,
            self._key(wish, asked_at),
            self._later_keys(wish, asked_at),
            is_first=wish.day is None and job is None,
            parts_count=parts_count,
            takes_up=takes_up,
            watch=tally.watch(
                wish.export.window, begun, lambda place: refused.append(place.parts_count)
            ),
            empty_is_odd=before is not None and before.rows > 0,
        )
        confirmed = wish.day is None or (
            before is not None
            and self._was_over(wish.day, before.asked_at)
            and self._is_old(wish.day, asked_at)
        )
        archived = self._remember(wish, stored, asked_at, confirmed)
        self.notes.answered(
            [archived], refused={archived.window: max(refused)} if refused else {}, at=asked_at
        )
        if stored.written and before is not None:
            _log.info("%s came differently and is superseded", stored.key)
        return ExportedArchive(
            table=wish.table.name,
            key=stored.key,
            day=wish.day,
            asked_at=asked_at,
            rows=stored.entry.lines,
            ndjson_bytes=stored.entry.bytes,
            bytes=stored.version.size_bytes,
            etag=stored.version.etag,
            confirmed=confirmed,
            asked=True,
            written=stored.written,
        )

    def _remember(
        self, wish: _Wish, stored: StoredArchive, asked_at: datetime, confirmed: bool
    ) -> ArchivedWindow:
        memo, day, table = self.memos[wish.table.name], wish.day, wish.table.name
        if day is None:
            memo.change(lambda index: index.without_job(_SNAPSHOT))
            return ArchivedWindow(
                window=self._window(wish, stored.key),
                etag=stored.version.etag,
                first_line=0,
                events=stored.entry.lines,
                hours=None,
                crc32=stored.entry.crc32,
                is_final=True,
                asked_at=asked_at,
            )
        entry = IndexedDay(
            rows=stored.entry.lines,
            bytes=stored.entry.bytes,
            crc32=f"{stored.entry.crc32:08x}",
            asked_at=asked_at,
            confirmed=confirmed,
        )
        memo.change(lambda index: index.with_day(day, entry))
        return window_of_day(table, stored.key, stored.version.etag, day, entry)

    def _window(self, wish: _Wish, key: str) -> AskedWindow:
        if wish.day is not None:
            return AskedWindow.of_day("appmetrica", wish.table.name, key, wish.day)
        found = parse_day_key(key)
        if found is None or not isinstance(found.moment, datetime):
            raise BadRequest(f"{key} names no snapshot")
        return snapshot_window(wish.table.name, key, found.moment)

    def _key(self, wish: _Wish, asked_at: datetime) -> str:
        """Where the rows go."""
        app, table = self.settings.application_id, wish.table.name
        if wish.day is not None:
            return day_archive_key(self.directory, app, table, wish.day)
        return snapshot_key(self.directory, app, table, asked_at)

    def _later_keys(self, wish: _Wish, asked_at: datetime) -> Callable[[], str] | None:
        """A snapshot never takes the place of another one, and is found again after a kill."""
        if wish.day is not None:
            return None
        seconds = count(1)
        return lambda: self._key(wish, asked_at + timedelta(seconds=next(seconds)))

    def _was_over(self, day: date, moment: datetime) -> bool:
        return moment >= end_of_day(day, self.zone)

    def _is_old(self, day: date, moment: datetime) -> bool:
        return moment >= end_of_day(day, self.zone) + timedelta(
            days=self.settings.confirm_after_days
        )


def _living(job: RunningJob | None, export: Export, now: datetime) -> RunningJob | None:
    """A job that asks for just this, and that the vendor still knows."""
    if job is None or job.job_id != export.job_id or now - job.asked_at >= _JOBS_LIVE:
        return None
    return job

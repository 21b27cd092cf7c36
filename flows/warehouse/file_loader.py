"""One archive into its raw table: what is there already, what is left to do, and doing it.

What a file may be, against the ledger (design section 5): known, by etag or line by line; grown, if
the lines of its chain are its beginning; different; and in each case half-loaded by a run that was
killed or stopped.
"""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

import psycopg
from psycopg.pq import TransactionStatus

from flows.errors import ArchiveFailed, BadRequest, Interrupted, WarehouseFailed
from flows.lake.bucket import Bucket
from flows.lake.line_stream import LineArchive, LineStream
from flows.lake.objects import ObjectVersion, look
from flows.warehouse import ledger
from flows.warehouse.connection import connect, describe
from flows.warehouse.copy_loader import (
    ChunkLimits,
    Progress,
    ValueRefused,
    copy_lines,
    unreadable_line,
)
from flows.warehouse.landing import Landing
from flows.warehouse.ledger import FileState, Load
from flows.warehouse.raw_table import RawTable

LOADED = "loaded"
GROWN = "grown"
SUPERSEDING = "superseding"
ALREADY_LOADED = "already loaded"
WITHDRAWN = "withdrawn"

_WITHIN_A_STATEMENT = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS)

COMPLETED = (LOADED, GROWN, SUPERSEDING)


@dataclass(frozen=True, slots=True)
class FileLoad:
    """What became of one archive.

    load_id: its row in raw.loads. status: "loaded" (new), "grown" (the lines behind the old end),
    "superseding" (different content; counts once dbt has admitted it), "already loaded", or
    "withdrawn" (a person took this content out; it is not loaded again). first_line, last_line:
    0-based lines of the load, last_line None where it has none. rows: of the load. lines, bytes: of
    NDJSON, loaded by this call. seconds: wall time of this call.
    """

    load_id: int
    file_key: str
    status: str
    first_line: int
    last_line: int | None
    rows: int
    lines: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to go on with a file.

    load_from: line where the load starts; read_from: line where this run goes on. partial: the
    half-done load to take up, None to begin one. stale: a half-done load of other content, to be
    deleted. supersedes: the chain is not the beginning of this file.
    """

    load_from: int
    read_from: int
    partial: Load | None
    stale: Load | None
    supersedes: bool


@dataclass(frozen=True, slots=True)
class FileLoader:
    """Loads one archive into its table, on a connection in autocommit. say: takes % log lines.

    progress: goes on over several loaders of the file, where one lost its connection.
    """

    connection: psycopg.Connection
    bucket: Bucket
    landing: Landing
    file_key: str
    chunks: ChunkLimits
    on_progress: Callable[[Progress], None]
    say: Callable[..., None]
    progress: Progress

    @property
    def table(self) -> RawTable:
        """Where the lines go."""
        return self.landing.table_of(self.file_key)

    def load(
        self, known: FileState, listed: ObjectVersion, start_after: int | None = None
    ) -> FileLoad:
        """Load what is left of the file; safe to repeat, on another connection too.

        known, listed: what the ledger and S3 said a moment ago. start_after: 0-based line up to
        which the caller believes it committed. Raises Interrupted, ArchiveFailed, BadRequest, and
        psycopg.Error where the server fails.
        """
        started = time.monotonic()
        load = known.known(listed.etag, listed.size_bytes)
        if load is not None and known.partial is None:
            return _already(load, start_after, started)
        if not ledger.lock_file(self.connection, self.file_key, wait=False):
            self.say("%s: waiting for another loader", self.file_key)
            ledger.lock_file(self.connection, self.file_key, wait=True)
        stopped_by: str | None = "stopped before its end"
        try:
            done = self._load_alone(start_after, started)
            stopped_by = None
        except (Interrupted, ArchiveFailed) as error:
            stopped_by = None
            self._note(error, listed)
            raise
        except psycopg.Error as error:
            stopped_by = describe(error)
            raise
        finally:
            # Where the connection is gone, the server has let the file go; and no half-done load
            # stands in the way of the next run, whatever the ledger says of it.
            with suppress(psycopg.Error, WarehouseFailed):
                if stopped_by is not None:
                    self._note_stop(stopped_by)
                ledger.unlock_file(self.connection, self.file_key)
        return done

    def _load_alone(self, start_after: int | None, started: float) -> FileLoad:
        # Asked again under the lock: another loader may have been here, the file may be newer.
        state = ledger.state(self.connection, self.file_key)
        version = look(self.bucket, self.file_key)
        if version is None:
            raise ArchiveFailed(f"{self.file_key} is gone from S3", file_key=self.file_key)
        self._check_source(state)
        load = state.known(version.etag, version.size_bytes)
        if load is not None:
            report = _already(load, start_after, started)
            self._discard(state.partial)
            return report
        archive = self.landing.open_archive(self.bucket, self.file_key, version)
        self.progress.total_bytes = archive.ndjson_bytes
        try:
            return self._load_archive(archive, state, start_after, started, careful=False)
        except ValueRefused:
            self.say("%s: PostgreSQL refused a value; going on with care", self.file_key)
        # Once more from the last commit, sending only what was checked value by value.
        state = ledger.state(self.connection, self.file_key)
        refused: Interrupted
        try:
            return self._load_archive(archive, state, start_after, started, careful=True)
        except ValueRefused as error:
            refused = unreadable_line(
                self.file_key,
                error.line,
                f"PostgreSQL refuses column {error.column} (SQLSTATE {error.sqlstate})",
            )
        raise refused

    def _load_archive(
        self,
        archive: LineArchive,
        state: FileState,
        start_after: int | None,
        started: float,
        *,
        careful: bool,
    ) -> FileLoad:
        plan, stream = _survey(archive, state)
        with closing(stream):
            return self._load_rest(
                archive.version, state, plan, stream, start_after, started, careful
            )

    def _load_rest(
        self,
        version: ObjectVersion,
        state: FileState,
        plan: _Plan,
        stream: LineStream,
        start_after: int | None,
        started: float,
        careful: bool,
    ) -> FileLoad:
        _check_start_after(start_after, plan.read_from)
        if state.tip is not None and not plan.supersedes and stream.take() is None:
            # The same lines under another etag.
            self._discard(plan.stale or plan.partial)
            ledger.rename_content(
                self.connection, state.tip.load_id, version.etag, version.size_bytes
            )
            return _already(state.tip, None, started)
        self._discard(plan.stale)
        load = self._enter(plan, version)
        self.progress.skipped_bytes = stream.byte_count - self.progress.bytes
        copy_lines(
            self.connection,
            self.table,
            load,
            stream,
            chunks=self.chunks,
            careful=careful,
            progress=self.progress,
            on_commit=self.on_progress,
        )
        done = ledger.complete(
            self.connection,
            load,
            checksum=stream.checksum,
            supersedes=plan.supersedes,
            number_rows_of=self.table.name if self.table.has_ordinals else None,
        )
        status = SUPERSEDING if plan.supersedes else GROWN if state.tip is not None else LOADED
        return _report(done, status, started, lines=self.progress.lines, bytes_=self.progress.bytes)

    def _enter(self, plan: _Plan, version: ObjectVersion) -> Load:
        if plan.partial is not None:
            return ledger.resume(
                self.connection,
                plan.partial.load_id,
                etag=version.etag,
                size_bytes=version.size_bytes,
                first_line=plan.load_from,
            )
        return ledger.begin(
            self.connection,
            source=self.landing.source,
            file_key=self.file_key,
            etag=version.etag,
            size_bytes=version.size_bytes,
            first_line=plan.load_from,
        )

    def _discard(self, partial: Load | None) -> None:
        if partial is not None:
            self.say("%s: the half-loaded load %d is deleted", self.file_key, partial.load_id)
            ledger.discard(self.connection, partial.load_id, self.table.name)

    def _check_source(self, state: FileState) -> None:
        for load in (state.tip, state.partial):
            if load is not None and load.source != self.landing.source:
                raise BadRequest(f"{self.file_key} belongs to source {load.source}")

    def _note(self, error: Interrupted | ArchiveFailed, version: ObjectVersion) -> None:
        """Leave the reason in the ledger; a file that never opened gets an entry for it."""
        partial = ledger.state(self.connection, self.file_key).partial
        if partial is None and isinstance(error, Interrupted):
            partial = ledger.begin(
                self.connection,
                source=self.landing.source,
                file_key=self.file_key,
                etag=version.etag,
                size_bytes=version.size_bytes,
                first_line=0,
            )
        if partial is not None:
            ledger.fail(self.connection, partial.load_id, str(error))

    def _note_stop(self, why: str) -> None:
        """A load that was cancelled, or that the server broke off, is not `loading` any more."""
        if self.connection.info.transaction_status in _WITHIN_A_STATEMENT:
            # An interrupt left it so, and nothing can be said on it; its end ends its statement.
            self.connection.close()
            with connect(autocommit=True) as connection:
                self._note_on(connection, why)
        else:
            self._note_on(self.connection, why)

    def _note_on(self, connection: psycopg.Connection, why: str) -> None:
        partial = ledger.state(connection, self.file_key).partial
        if partial is not None and partial.status == "loading":
            ledger.fail(connection, partial.load_id, why)


def _survey(archive: LineArchive, state: FileState) -> tuple[_Plan, LineStream]:
    """Compare the file's lines with what the ledger holds; the stream stands at plan.read_from."""
    tip, partial = state.tip, state.partial
    stream = LineStream(archive)
    sums: dict[int, str] = {}
    for end in sorted({load.end for load in (tip, partial) if load is not None}):
        if not stream.advance(end):
            break
        sums[end] = stream.checksum
    tip_holds = tip is not None and sums.get(tip.end) == tip.checksum
    start = tip.end if tip is not None and tip_holds else 0
    read_from, stale = start, None
    if partial is not None and partial.last_line is not None:
        if partial.first_line == start and sums.get(partial.end) == partial.checksum:
            read_from = partial.end
        else:
            partial, stale = None, partial
    if stream.position != read_from:
        stream.close()
        stream = LineStream(archive)
        stream.advance(read_from)
    return _Plan(start, read_from, partial, stale, tip is not None and not tip_holds), stream


def _check_start_after(start_after: int | None, end: int) -> None:
    """No line may be skipped: only lines before `end` are committed of this content."""
    if start_after is not None and start_after >= end:
        held = f"lines 0 to {end - 1}" if end else "no line"
        raise BadRequest(
            f"start_after={start_after} would skip lines: the ledger holds {held} of this content."
            " Without start_after the load goes on behind them by itself"
        )


def _already(load: Load, start_after: int | None, started: float) -> FileLoad:
    _check_start_after(start_after, load.end)
    return _report(load, WITHDRAWN if load.status == "withdrawn" else ALREADY_LOADED, started)


def _report(
    load: Load, status: str, started: float, *, lines: int = 0, bytes_: int = 0
) -> FileLoad:
    return FileLoad(
        load_id=load.load_id,
        file_key=load.file_key,
        status=status,
        first_line=load.first_line,
        last_line=load.last_line,
        rows=load.row_count or 0,
        lines=lines,
        bytes=bytes_,
        seconds=time.monotonic() - started,
    )

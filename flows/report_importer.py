"""One import of users and telemetry: both read in one snapshot each, written in one transaction."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import psycopg
from psycopg.sql import SQL, Literal

from flows.errors import DwhHelperError, VendorFailed
from flows.import_progress import ImportProgress
from flows.patience import passes, patiently
from flows.report_sources.shapes import EVENTS, USERS
from flows.report_sources.source_table import Extent, SourceTable, condition_of
from flows.report_sources.source_trouble import SourceTrouble
from flows.report_sources.wanted import Wanted
from flows.settings import Crm, Dwh, Telemetry
from flows.stopping import pause
from flows.warehouse import report_imports, report_tables
from flows.warehouse.connection import connect, describe, warehouse_errors
from flows.warehouse.migrate import migrate
from flows.warehouse.report_imports import EFFECT_LOCK, IMPORT_LOCK
from flows.warehouse.report_tables import EventChanges, UserChanges

#: Of an event in binary COPY; only progress goes by it.
_EVENT_BYTES = 115
_ASK_AGAIN_S = 1.0

Window = tuple[datetime | None, datetime | None]
Say = Callable[..., None]
Changes = TypeVar("Changes")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. users, orphans: how many there are now. seconds: of the whole."""

    import_id: int
    wanted: Wanted
    users: int
    orphans: int
    user_changes: UserChanges
    event_changes: EventChanges
    extra_columns: tuple[str, ...]
    seconds: float


def run_import(
    dwh: Dwh,
    crm: Crm,
    telemetry: Telemetry,
    window: Window,
    *,
    incremental: bool,
    on_progress: Callable[[ImportProgress], None],
    say: Say,
) -> Imported:
    """Import once, tried again as a whole where trouble passes: nothing of a failed try stays."""
    url = dwh.database_url.get_secret_value()
    migrate(url)
    importer = _Importer(url, crm, telemetry, window, incremental, on_progress, say)
    try:
        with warehouse_errors():
            return patiently(_passes, what="the import")(importer.run)
    except SourceTrouble as trouble:
        raise trouble.as_error() from None


def _passes(error: BaseException) -> bool:
    return error.passes if isinstance(error, SourceTrouble) else passes(error)


@dataclass(frozen=True, slots=True)
class _Importer:
    url: str
    crm: Crm
    telemetry: Telemetry
    window: Window
    incremental: bool
    on_progress: Callable[[ImportProgress], None]
    say: Say

    def run(self) -> Imported:
        with connect(self.url, autocommit=True) as connection:
            self._wait_for_turn(connection)
            wanted = self._wanted(connection)
            import_id = report_imports.begin(connection, wanted)
            self.say("import %d: %s", import_id, wanted)
            try:
                return self._run(connection, import_id, wanted)
            except BaseException as error:
                _note_failure(connection, import_id, error)
                raise

    def _wait_for_turn(self, connection: psycopg.Connection) -> None:
        told = False
        while True:
            row = connection.execute("select pg_try_advisory_lock(%s)", [IMPORT_LOCK]).fetchone()
            if row and row[0]:
                return
            if not told:
                self.say("another import is at work; waiting")
                told = True
            pause(_ASK_AGAIN_S)

    def _wanted(self, connection: psycopg.Connection) -> Wanted:
        if not self.incremental:
            return Wanted(*self.window)
        newest = report_imports.saved_up_to(connection)
        if newest is None:
            return Wanted()
        return Wanted(saved_since=newest - self._lookback)

    @property
    def _lookback(self) -> timedelta:
        return timedelta(hours=self.telemetry.lookback_hours)

    def _run(self, connection: psycopg.Connection, import_id: int, wanted: Wanted) -> Imported:
        started = time.monotonic()
        with ExitStack() as opened:
            users = opened.enter_context(SourceTable.of(self.crm, USERS))
            events = opened.enter_context(SourceTable.of(self.telemetry, EVENTS))
            extra = (
                *(f"crm.{users.name}.{name}" for name in users.check_columns()),
                *(f"telemetry.{events.name}.{name}" for name in events.check_columns()),
            )
            condition = condition_of(wanted)
            extent = events.extent(wanted)
            # Ahead of the transaction: empty partitions are no half state.
            report_tables.add_months(connection, extent)
            more = SQL("{}::bigint").format(Literal(import_id))
            received = _Bytes(events.estimate(condition) * _EVENT_BYTES, self.on_progress)
            with connection.transaction():
                user_changes = self._take(
                    users,
                    lambda: report_tables.replace_users(
                        connection, import_id, users.rows(SQL("true"), more)
                    ),
                )
                event_changes = self._take(
                    events,
                    lambda: report_tables.replace_events(
                        connection,
                        import_id,
                        wanted,
                        extent,
                        user_changes,
                        events.rows(condition, more),
                        received.count,
                    ),
                )
                _demand_all(users, user_changes.read)
                _demand_all(events, event_changes.read)
                # The tables of reports are made of one import; whoever makes one now ends first.
                connection.execute(f"select pg_advisory_xact_lock({EFFECT_LOCK})")
                user_count, orphans = report_imports.finish(
                    connection,
                    import_id,
                    events=event_changes.read,
                    saved_up_to=_saved_up_to(wanted, extent, self._lookback),
                )
        received.finish()
        return Imported(
            import_id=import_id,
            wanted=wanted,
            users=user_count,
            orphans=orphans,
            user_changes=user_changes,
            event_changes=event_changes,
            extra_columns=extra,
            seconds=round(time.monotonic() - started, 2),
        )

    def _take(self, table: SourceTable, write: Callable[[], Changes]) -> Changes:
        """Write, and let the source itself say which of its rows the warehouse refuses."""
        try:
            return write()
        except (psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation) as error:
            with SourceTable(table.source, table.url, table.name, table.shape) as again:
                stop = again.broken_rule(error.diag.constraint_name, error.diag.column_name)
            raise stop from None


class _Bytes:
    """Counts what came, and tells it."""

    def __init__(self, expected: int, on_progress: Callable[[ImportProgress], None]) -> None:
        self._expected = expected
        self._received = 0
        self._on_progress = on_progress

    def count(self, size: int) -> None:
        self._received += size
        self._on_progress(ImportProgress(self._received, self._expected))

    def finish(self) -> None:
        self._on_progress(ImportProgress(self._received, None))


def _demand_all(table: SourceTable, read: int) -> None:
    """What the source says that it sent; a difference is a stream that was cut in silence."""
    if read != table.rows_sent:
        raise VendorFailed(
            f"{table.source}: {read:,} of {table.rows_sent:,} rows of {table.name} came. Nothing is"
            " replaced; run again",
            vendor=table.source,
        )


def _saved_up_to(wanted: Wanted, extent: Extent, lookback: timedelta) -> datetime | None:
    """Up to when all events are here now; of a window alone nothing is known."""
    if wanted.is_windowed:
        return None
    before = None if wanted.saved_since is None else wanted.saved_since + lookback
    return max((at for at in (before, extent.saved_up_to) if at is not None), default=None)


def _note_failure(connection: psycopg.Connection, import_id: int, error: BaseException) -> None:
    if isinstance(error, psycopg.Error):
        says = describe(error)
    elif isinstance(error, SourceTrouble):
        says = str(error.as_error())
    elif isinstance(error, DwhHelperError):
        says = str(error)
    else:
        says = f"stopped before its end: {type(error).__name__}"
    try:
        report_imports.fail(connection, import_id, says)
    except psycopg.Error:
        return  # the ledger goes on saying "importing": of a killed import, too

"""What an export without dates has to ask: what the ledger knows to be missing or due again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flows.export_appmetrica import CORE_TABLES
from flows.lake.bucket import Bucket, open_bucket
from flows.settings import Amplitude, AppMetrica, Dwh
from flows.vendors.appmetrica_exports import SNAPSHOTS
from flows.warehouse import window_ledger
from flows.warehouse.connection import connect, warehouse_errors
from flows.warehouse.migrate import migrate
from flows.window_sync import sync_windows

#: Without dates at least these last closed days are looked at; what is archived is not asked again.
LOOKBACK = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask of a source.

    first: first day to look at; what is archived for good is skipped from there on. again: days
    that are asked although they are archived for good, with their tables ("" for Amplitude).
    """

    first: date
    last: date
    again: frozenset[tuple[str, date]]

    def __str__(self) -> str:
        return f"days {self.first} to {self.last}, {len(self.again)} archived ones again"


def plan_export(
    source: str, last: date, *, bucket: Bucket | None = None, now: datetime | None = None
) -> Plan:
    """What to ask of a source up to a day, from the ledger, which is brought up to the archive.

    now: aware. Raises MissingSetting, ArchiveFailed, WarehouseFailed.
    """
    dwh = Dwh.load()
    ages = _reask_after(source)
    tables = daily_tables(source)
    url = dwh.database_url.get_secret_value()
    migrate(url)
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        sync_windows(connection, bucket or open_bucket(), source)
        missing = window_ledger.first_missing(connection, source, tables, last, dwh.complete_since)
        again = window_ledger.due(
            connection,
            source,
            tables,
            last,
            now or datetime.now(UTC),
            ages,
            # AppMetrica's young days are not final before they were confirmed.
            young_too=source != "appmetrica",
            since=dwh.complete_since,
        )
    usual = last - LOOKBACK + timedelta(days=1)
    days = [usual, *(day for _, day in again)]
    return Plan(min(days if missing is None else [*days, missing]), last, again)


def daily_tables(source: str) -> Collection[str]:
    """The tables that should have every day: those that the tables of people are made of."""
    if source != "appmetrica":
        return ("",)
    return tuple(table for table in CORE_TABLES if table not in SNAPSHOTS)


def _reask_after(source: str) -> tuple[timedelta, ...]:
    if source == "appmetrica":
        return AppMetrica.load().reask_after
    return Amplitude.load().reask_after

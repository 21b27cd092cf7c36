"""AppMetrica's Logs API to day archives in S3.

export_appmetrica("2025-01-06", "2025-01-12")
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect import flow
from pydantic import Field

from flows.appmetrica_exporter import ExportedArchive, Exporter
from flows.errors import BadRequest, VendorError
from flows.export_progress import PrefectProgress
from flows.jobs_progress import JobsProgress
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.keys import table_prefix
from flows.mapping import property_keys
from flows.run_name import named_by_days
from flows.settings import AppMetrica
from flows.vendors.appmetrica import LogsClient
from flows.vendors.appmetrica_exports import table_of
from flows.vendors.appmetrica_tables import TABLES
from flows.vendors.retries import Retries
from flows.window_notes import WindowNotes
from flows.windows import parse_day

_log = logging.getLogger(__name__)

CORE_TABLES = ("events", "installations", "profiles_v2", "sessions_starts")

#: Most applications' zone, for when neither the setting nor the vendor tells. It only decides when
#: a day counts as over; which rows a day has, the vendor decides.
_USUAL_TIME_ZONE = "Europe/Moscow"

#: Without dates so many days are looked at: after a holiday's rest no hole stays, and days that are
#: confirmed are not asked again.
_LOOKBACK = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export left in S3, table by table, days in order. time_zone: of the days."""

    application_id: int
    time_zone: str
    archives: tuple[ExportedArchive, ...]

    @property
    def rows(self) -> int:
        """Rows in all archives of the result."""
        return sum(archive.rows for archive in self.archives)


@flow(
    name="export-appmetrica",
    flow_run_name=named_by_days("the last 14 days"),
    retries=0,  # the client retries, in one layer
)
def export_appmetrica(
    start: date | str | int | None = None,
    end: date | str | int | None = None,
    tables: Sequence[Annotated[str, Field(json_schema_extra={"enum": list(TABLES)})]] = CORE_TABLES,
    directory: str = "appmetrica",
    profile_attributes: Sequence[str] | None = None,
    refresh: bool = False,
) -> ExportResult:
    """Put the days from start to end of an AppMetrica application into day archives in S3.

    Args:
        start: First day of receipt, in the app's time zone, YYYY-MM-DD or YYYYMMDD; by default
            13 days before the end.
        end: Last day, inclusive; by default yesterday.
        tables: Which tables of the Logs API; of profiles a snapshot is taken at each export.
        directory: First folder of the keys in the bucket.
        profile_attributes: Custom attributes of profiles, as the vendor sends only what is named;
            by default the keys of field_mappings.yaml that are not for other sources alone.
        refresh: Ask the vendor also for days that are archived and confirmed.

    Raises BadRequest, MissingSetting, Forbidden, WindowTooLarge, VendorFailed, ArchiveFailed.
    """
    with PrefectProgress("export-appmetrica") as progress:
        return export_tables(
            start, end, tables, directory, profile_attributes, refresh, progress=progress.tell
        )


def export_tables(
    start: date | str | int | None = None,
    end: date | str | int | None = None,
    tables: Sequence[str] = CORE_TABLES,
    directory: str = "appmetrica",
    profile_attributes: Sequence[str] | None = None,
    refresh: bool = False,
    *,
    again: Collection[tuple[str, date]] = (),
    settings: AppMetrica | None = None,
    bucket: Bucket | None = None,
    retries: Retries | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[JobsProgress], None] = lambda _: None,
) -> ExportResult:
    """What `export_appmetrica` does, without Prefect.

    again: tables and days to be asked though they are archived and confirmed. settings, bucket:
    default from the environment. retries: how patient the client is with trouble. now: the clock
    that tells which days are over. progress: called from this thread, about once a second.
    Temporary files: of each archive under way (two at once) its rows, three times.
    """
    chosen = [table_of(name) for name in dict.fromkeys(tables)]
    if not chosen:
        raise BadRequest(f"no table is named: choose from {', '.join(TABLES)}")
    given_first, given_last = _day(start), _day(end)
    if given_first and given_last and given_last < given_first:
        raise BadRequest(f"end {given_last} is before start {given_first}")
    settings = settings or AppMetrica.load()
    table_prefix(directory, settings.application_id, "")
    bucket = bucket or open_bucket()
    with LogsClient(settings, retries=retries) as client:
        zone = time_zone(client, settings)
        today = now().astimezone(zone).date()
        last = given_last or today - timedelta(days=1)
        first = given_first or last - _LOOKBACK + timedelta(days=1)
        if last > today:
            raise BadRequest(f"{last} is in the future: today is {today} ({zone.key})")
        if last < first:
            raise BadRequest(f"end {last} is before start {first}")
        notes = WindowNotes.of_settings()
        exporter = Exporter(
            client=client,
            bucket=bucket,
            settings=settings,
            directory=directory,
            zone=zone,
            first=first,
            last=last,
            today=today,
            profile_attributes=(
                property_keys("appmetrica") if profile_attributes is None else profile_attributes
            ),
            refresh=refresh,
            again=frozenset(again),
            now=now,
            notes=notes,
            refused_parts={
                table: most for table, (_, most) in notes.refused_sizes("appmetrica").items()
            },
        )
        return ExportResult(settings.application_id, zone.key, exporter.export(chosen, progress))


def _day(value: date | str | int | None) -> date | None:
    return None if value is None else parse_day(value)


def time_zone(client: LogsClient, settings: AppMetrica) -> ZoneInfo:
    """The app's time zone: the setting's, else the vendor's word, else the usual one."""
    if settings.time_zone is not None:
        return ZoneInfo(settings.time_zone)
    try:
        answer = client.read(f"/management/v1/application/{settings.application_id}")
        return ZoneInfo(answer["application"]["time_zone_name"])
    except (VendorError, BadRequest, LookupError, TypeError, ValueError, ZoneInfoNotFoundError):
        # Whatever is wrong with the token or the address, the export itself will say.
        _log.warning(
            "AppMetrica does not tell the application's time zone; taking %s. APPMETRICA_TIME_ZONE"
            " sets it",
            _USUAL_TIME_ZONE,
        )
        return ZoneInfo(_USUAL_TIME_ZONE)

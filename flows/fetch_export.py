"""fetch_export: poll any one export of AppMetrica's Logs API and store it, ad hoc.

fetch_export("revenue_events", date_since="2025-01-06", date_until="2025-01-12")
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.appmetrica_archive import archive_export
from flows.errors import BadRequest
from flows.export_progress import PrefectProgress
from flows.jobs_progress import JobsProgress, JobsTally
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.day_archive import StoredArchive
from flows.lake.keys import snapshot_key
from flows.settings import AppMetrica
from flows.side_by_side import side_by_side
from flows.vendors.appmetrica import LogsClient
from flows.vendors.appmetrica_exports import free_export, table_of
from flows.vendors.appmetrica_tables import TABLES
from flows.vendors.appmetrica_wire import Export
from flows.vendors.retries import Retries
from flows.windows import parse_day

#: Beside the archive, not in it: load_raw takes whatever lies under appmetrica/.
DIRECTORY = "fetched/appmetrica"


@dataclass(frozen=True, slots=True)
class FetchedExport:
    """The stored export. rows, ndjson_bytes: of the content; bytes, etag: of the object in S3."""

    key: str
    rows: int
    ndjson_bytes: int
    bytes: int
    etag: str


@flow(
    name="fetch-export",
    flow_run_name="{table}",
    retries=0,  # the client retries, in one layer
)
def fetch_export(
    table: Annotated[str, Field(json_schema_extra={"enum": list(TABLES)})],
    date_since: date | str | None = None,
    date_until: date | str | None = None,
    fields: Sequence[str] | None = None,
    parameters: dict[str, str] | None = None,
    poll_interval_seconds: float | None = None,
    poll_timeout_seconds: float | None = None,
    key: str | None = None,
    resume: bool = False,
) -> FetchedExport:
    """Ask the Logs API for one export, wait for it, and store its rows as NDJSON in S3.

    Args:
        table: Table of the Logs API.
        date_since: First second, "YYYY-MM-DD HH:MM:SS" in the app's time zone, or a whole day.
        date_until: Last second or day, inclusive.
        fields: Which fields; by default all that the vendor documents.
        parameters: Any further URL parameters, such as event_name, limit, date_dimension.
        poll_interval_seconds: Seconds between two polls; by default the setting's.
        poll_timeout_seconds: Most seconds to wait for the job; by default the setting's.
        key: Where in the bucket to put the file (.ndjson.gz), in place of what is there; by default
            fetched/appmetrica/{application}/{table}/{time}.ndjson.gz.
        resume: Take up the vendor's job or file for the same parameters (it is kept for 24 hours),
            as after a time-out, in place of beginning anew.

    Raises BadRequest, MissingSetting, Forbidden, WindowTooLarge, VendorFailed, ArchiveFailed.
    """
    with PrefectProgress("fetch-export") as progress:
        return fetch(
            table,
            date_since,
            date_until,
            fields,
            parameters or {},
            poll_interval_seconds,
            poll_timeout_seconds,
            key,
            resume,
            progress=progress.tell,
        )


def fetch(
    table: str,
    date_since: date | str | None = None,
    date_until: date | str | None = None,
    fields: Sequence[str] | None = None,
    parameters: Mapping[str, str] | None = None,
    poll_interval_seconds: float | None = None,
    poll_timeout_seconds: float | None = None,
    key: str | None = None,
    resume: bool = False,
    *,
    settings: AppMetrica | None = None,
    bucket: Bucket | None = None,
    retries: Retries | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[JobsProgress], None] = lambda _: None,
) -> FetchedExport:
    """What `fetch_export` does, without Prefect; the last arguments are those of export_tables."""
    wanted = table_of(table)
    dates = {
        name: _second(value, clock)
        for name, value, clock in (
            ("date_since", date_since, "00:00:00"),
            ("date_until", date_until, "23:59:59"),
        )
        if value is not None
    }
    settings = _patient(settings or AppMetrica.load(), poll_interval_seconds, poll_timeout_seconds)
    app = settings.application_id
    export = free_export(app, wanted, fields, dates, parameters or {})
    place = key or snapshot_key(DIRECTORY, app, table, now())
    bucket = bucket or open_bucket()
    tally = JobsTally(1, 0, progress)
    with LogsClient(settings, retries=retries) as client:

        def archive(export: Export) -> StoredArchive:
            stored = archive_export(
                client,
                bucket,
                export,
                place,
                takes_up=lambda _: resume,
                watch=tally.watch(export.window),
            )
            tally.archive_done(export.window, stored.entry.lines)
            return stored

        found = side_by_side(archive, [export], at_once=1, tell=tally.tell, stop=client.stop)
    stored = found[export]
    return FetchedExport(
        key=stored.key,
        rows=stored.entry.lines,
        ndjson_bytes=stored.entry.bytes,
        bytes=stored.version.size_bytes,
        etag=stored.version.etag,
    )


def _patient(settings: AppMetrica, interval_s: float | None, timeout_s: float | None) -> AppMetrica:
    own = {"poll_interval_seconds": interval_s, "poll_timeout_seconds": timeout_s}
    given = {name: value for name, value in own.items() if value is not None}
    if any(value < 0 for value in given.values()):
        raise BadRequest("seconds cannot be negative")
    return settings.model_copy(update=given)


def _second(value: date | str, clock: str) -> str:
    """The vendor's form of a moment; a whole day begins or ends at `clock`."""
    try:
        moment = datetime.strptime(str(value).strip(), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return f"{parse_day(value)} {clock}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"

"""report_users: what the prostheses of all users did over a span of time, as Parquet in S3.

`report_users` is the flow; `write_report` does the work and runs without Prefect.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa  # type: ignore[import-untyped]  # what it has is in C
from prefect import flow
from prefect.artifacts import create_link_artifact
from psycopg.sql import SQL

from flows.errors import BadRequest
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.keys import users_report_key
from flows.lake.local_file import file_pieces
from flows.lake.objects import upload
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import S3, Dwh
from flows.stopping import demand_going_on
from flows.temporary_folder import temporary_folder
from flows.user_reports.figures import PIECES, SUMMED, Tables, open_tables
from flows.user_reports.parquet_stream import write_parquet
from flows.user_reports.span import Moment, Span

SUFFIX = ".parquet"
_PARQUET = "application/vnd.apache.parquet"

#: One row per user and type of prosthesis; a user without any event has one without a type.
#: total_*: of the user; durations in ms, frequencies in Hz.
SCHEMA = pa.schema(
    {
        "user_id": pa.int32(),
        "user_name": pa.string(),
        "user_email": pa.string(),
        "total_events": pa.int64(),
        "total_duration": pa.int64(),
        "prosthesis_type": pa.string(),
        "events_count": pa.int64(),
        "prosthesis_duration": pa.int64(),
        "avg_amplitude": pa.float64(),
        "avg_frequency": pa.float64(),
    }
)

_READ = f"""
with pieces as (
{PIECES.format(of_user="true")}
),
summed as (
{SUMMED}
)
select
    users.user_id,
    users.name,
    users.email,
    coalesce(sum(summed.events_count) over of_user, 0)::bigint,
    coalesce(sum(summed.total_duration) over of_user, 0)::bigint,
    summed.prosthesis_type,
    coalesce(summed.events_count, 0),
    coalesce(summed.total_duration, 0),
    summed.avg_amplitude,
    summed.avg_frequency
from reports.users
left join summed on users.user_id = summed.user_id
where users.present_since_import <= %(taken)s
window of_user as (partition by users.user_id)
order by users.user_id, summed.prosthesis_type
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class UsersReport:
    """A report that stands in S3, of the span from start to end, both inclusive, UTC.

    key: of the object; uri: s3://bucket/key; rows, size_bytes: of the Parquet file.
    """

    start: datetime
    end: datetime
    key: str
    uri: str
    rows: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.uri}: {self.rows:,} rows, {self.size_bytes / 1e6:,.1f} MB"


@flow(
    name="report-users",
    flow_run_name=named_by_days("the last month"),
    description="What the prostheses of all users did over a span of time, as Parquet in S3.",
    retries=0,
    persist_result=False,
)
def report_users(
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    key: str | None = None,
) -> UsersReport:
    """Write the report of all users, one row per user and type of prosthesis.

    Args:
        start: First second, such as 2025-01-06 or 2025-01-06T09:30:00, without a zone one of
            DWH_TIME_ZONE.
        end: Last second, inclusive; of a day its last one. Without both: the last whole month.
        key: Where it goes in the bucket, ending in .parquet; by default
            reports/users/START_END.parquet. An object that stands there is replaced.

    Raises EndBeforeStart, BadRequest, MissingSetting, WarehouseFailed (also where nothing is built
    yet), ArchiveFailed, DiskFull.
    """
    report = write_report(start, end, key)
    run_log().info("%s", report)
    create_link_artifact(
        key="users-report",
        link=S3.load().link_to(report.key),
        link_text=f"All users, {report.start:%Y-%m-%d} to {report.end:%Y-%m-%d}",
        description=str(report),
    )
    return report


def write_report(
    start: Moment | None = None,
    end: Moment | None = None,
    key: str | None = None,
    *,
    bucket: Bucket | None = None,
    settings: Dwh | None = None,
) -> UsersReport:
    """What `report_users` does, without Prefect."""
    settings = settings or Dwh.load()
    span = _span(start, end, settings.time_zone)
    key = key or users_report_key(span.start, span.end)
    if not key.endswith(SUFFIX) or key.startswith("/"):
        raise BadRequest(f"key {key!r} is no object's that ends in {SUFFIX}")
    bucket = bucket or open_bucket()
    with temporary_folder("dwh-helper-report-") as folder:
        path = folder / "report.parquet"
        with open_tables(settings) as tables:
            rows = write_parquet(tables.connection, _query(tables, span), SCHEMA, path)
        size_bytes = path.stat().st_size
        upload(
            bucket,
            key,
            lambda: file_pieces(path),
            size_bytes,
            demand_going_on,
            content_type=_PARQUET,
        )
    return UsersReport(span.start, span.end, key, f"s3://{bucket.name}/{key}", rows, size_bytes)


def _query(tables: Tables, span: Span) -> SQL:
    if tables.are_days_behind:
        span = span.from_events_alone()
    # COPY takes no parameters: psycopg writes the times into the text as literals.
    values = span.parameters() | {"taken": tables.taken}
    text = psycopg.ClientCursor(tables.connection).mogrify(_READ, values)
    return SQL(text)


def _span(start: Moment | None, end: Moment | None, time_zone: str) -> Span:
    if start is not None and end is not None:
        return Span.parse(start, end, time_zone)
    if start is not None or end is not None:
        raise BadRequest("give both start and end, or neither for the last whole month")
    today = datetime.now(UTC).astimezone(ZoneInfo(time_zone)).date()
    last = today.replace(day=1) - timedelta(days=1)
    return Span.parse(date(last.year, last.month, 1), last, time_zone)

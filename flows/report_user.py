"""report_user: what the prostheses of one user did over a span of time.

`report_user` is the flow; `count_user` does the work and runs without Prefect.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from psycopg.rows import class_row

from flows.errors import EmptyRange, UnknownUser
from flows.run_log import run_log
from flows.settings import Dwh
from flows.user_reports.figures import PIECES, SUMMED, Tables, open_tables
from flows.user_reports.span import Moment, Span, parse_end, parse_start

#: What stands on the run's page for a name and an address, which the server of Prefect would keep.
HIDDEN = "•••"

# A user whom the events have yet to follow is not there yet.
_USER = """
select
    name,
    email
from reports.users
where user_id = %(user_id)s and present_since_import <= %(taken)s
"""

_BOUNDS = """
select
    min(event_timestamp),
    max(event_timestamp)
from reports.telemetry_events
where user_id = %(user_id)s
"""

_FIGURES = f"""
with pieces as (
{PIECES.format(of_user="user_id = %(user_id)s")}
),
summed as (
{SUMMED}
)
select
    prosthesis_type,
    events_count,
    total_duration,
    avg_amplitude,
    avg_frequency
from summed
order by prosthesis_type
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ProsthesisFigures:
    """prosthesis_type: arm, hand or leg. total_duration: of all signals, in ms. avg_amplitude: in
    the device's unit; avg_frequency: in Hz; None where no event has one.
    """

    prosthesis_type: str
    events_count: int
    total_duration: int
    avg_amplitude: float | None
    avg_frequency: float | None


@dataclass(frozen=True, slots=True)
class UserReport:
    """One user from start to end, both inclusive, UTC, to the second. total_duration: in ms.

    prostheses: one for each type that sent anything, by name.
    """

    user_id: int
    user_name: str | None
    user_email: str | None
    start: datetime
    end: datetime
    total_events: int
    total_duration: int
    prostheses: tuple[ProsthesisFigures, ...]

    def as_json(self) -> str:
        """The report as JSON, times in ISO form."""
        return json.dumps(asdict(self), default=datetime.isoformat, ensure_ascii=False, indent=2)

    def __str__(self) -> str:
        types = ", ".join(f"{one.prosthesis_type} {one.events_count:,}" for one in self.prostheses)
        return (
            f"user {self.user_id}, {self.start:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S}"
            f" UTC: {self.total_events:,} events in {self.total_duration / 1000:,.1f} s of signals"
            f" ({types})"
        )


@flow(
    name="report-user",
    flow_run_name="user {user_id}",
    description="What the prostheses of one user did over a span of time.",
    retries=0,
    persist_result=False,
)
def report_user(
    user_id: int,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    show_personal: bool = False,
) -> UserReport:
    """Show events, durations and means of one user, in all and by type of prosthesis.

    Args:
        user_id: Number of the user in the CRM.
        start: First second, such as 2025-01-06 or 2025-01-06T09:30:00, without a zone one of
            DWH_TIME_ZONE. By default the user's first event.
        end: Last second, inclusive; of a day its last one. By default the user's last event.
        show_personal: Show name and e-mail on the run's page, too, which the server of Prefect
            keeps. The result has them in any case.

    Raises UnknownUser, EmptyRange, EndBeforeStart, BadRequest, MissingSetting, WarehouseFailed
    (also where nothing is built yet).
    """
    report = count_user(user_id, start, end)
    run_log().info("%s", report)
    show(report, show_personal=show_personal)
    return report


def count_user(
    user_id: int,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    settings: Dwh | None = None,
) -> UserReport:
    """What `report_user` does, without Prefect."""
    settings = settings or Dwh.load()
    zone = settings.time_zone
    first = None if start is None else parse_start(start, zone)
    last = None if end is None else parse_end(end, zone)
    if first is not None and last is not None:
        Span.parse(first, last, zone)  # before anything is read
    with open_tables(settings) as tables:
        values = {"user_id": user_id, "taken": tables.taken}
        user = tables.connection.execute(_USER, values).fetchone()
        if user is None:
            raise UnknownUser(f"the CRM has no user {user_id}, as of the last import")
        known = tables.connection.execute(_BOUNDS, values).fetchone()
        if known is None or known[0] is None:
            raise EmptyRange(f"user {user_id} has no telemetry at all")
        span = Span.parse(first or known[0], last or known[1], zone)
        figures = _figures(tables, user_id, span)
    if not figures:
        raise EmptyRange(
            f"user {user_id} has no telemetry from {span}; all of it lies from"
            f" {Span(known[0], known[1])}"
        )
    return UserReport(
        user_id=user_id,
        user_name=user[0],
        user_email=user[1],
        start=span.start,
        end=span.end,
        total_events=sum(one.events_count for one in figures),
        total_duration=sum(one.total_duration for one in figures),
        prostheses=figures,
    )


def show(report: UserReport, *, show_personal: bool) -> None:
    """The report as a table and as JSON on the run's page."""
    shown = report if show_personal else replace(report, user_name=HIDDEN, user_email=HIDDEN)
    named = f"{report.user_name}, {report.user_email}: " if show_personal else ""
    total = ProsthesisFigures("all", report.total_events, report.total_duration, None, None)
    create_table_artifact(
        key="user-report",
        table=[_rounded(asdict(one)) for one in (*report.prostheses, total)],
        description=f"{named}{report}. Durations are in ms, frequencies in Hz.",
    )
    create_markdown_artifact(key="user-report-json", markdown=f"```json\n{shown.as_json()}\n```\n")


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """A row for people; the result and the JSON have all digits."""
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()
    }


def _figures(tables: Tables, user_id: int, span: Span) -> tuple[ProsthesisFigures, ...]:
    if tables.are_days_behind:
        span = span.from_events_alone()
    cursor = tables.connection.cursor(row_factory=class_row(ProsthesisFigures))
    return tuple(cursor.execute(_FIGURES, {"user_id": user_id} | span.parameters()))

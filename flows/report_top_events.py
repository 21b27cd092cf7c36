"""report_top_events: which events happened most often over some days, and to how many users."""

from dataclasses import asdict, dataclass
from datetime import date

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.reporting import parse_count, parse_span, read
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import Dwh

#: More is a table to query, not a report to read.
MAX_LIMIT = 1000

# Users of several days are not the sum of each day's: they are counted over all events.
_READ = """
select
    row_number() over (order by count(*) desc, event_type) as rank,
    event_type,
    count(*) as events,
    count(distinct user_key) as users,
    (count(*) / sum(count(*)) over ())::float as share
from product.event_users
where day between %(start)s and %(end)s
group by event_type
order by 1
limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class TopEvent:
    """One event of all sources together.

    rank: from 1; of equally frequent ones the first by name. event_type: None for events without
    a name. users: distinct over all the days. share: of all events of these days, from 0 to 1.
    """

    rank: int
    event_type: str | None
    events: int
    users: int
    share: float


@dataclass(frozen=True, slots=True)
class TopEventsReport:
    """The most frequent events from start to end, both inclusive; empty where none happened."""

    start: date
    end: date
    events: tuple[TopEvent, ...]

    def __str__(self) -> str:
        if not self.events:
            return f"no events are known from {self.start} to {self.end}"
        first = self.events[0]
        return (
            f"{len(self.events)} events from {self.start} to {self.end}, at the top"
            f" {first.event_type or '(no name)'}: {first.events} times by {first.users} users"
        )


@flow(
    name="report-top-events",
    flow_run_name=named_by_days("all days"),
    description="Which events happened most often over some days, and to how many users.",
    retries=0,
    persist_result=False,
)
def report_top_events(
    start: date | str | int, end: date | str | int, limit: int = 10
) -> TopEventsReport:
    """Show which events happened most often.

    Args:
        start: First day, YYYY-MM-DD, in the time zone DWH_TIME_ZONE.
        end: Last day, inclusive; at most ten years behind the first.
        limit: How many events to show, at most 1000.

    Raises BadRequest, MissingSetting, WarehouseFailed (also where nothing is built yet).
    """
    report = count_top_events(start, end, limit)
    run_log().info("%s", report)
    create_table_artifact(
        key="top-events",
        table=[
            asdict(event)
            | {"event_type": event.event_type or "(no name)", "share": f"{event.share:.1%}"}
            for event in report.events
        ],
        description=f"The most frequent events. {report}",
    )
    return report


def count_top_events(
    start: date | str | int,
    end: date | str | int,
    limit: int = 10,
    *,
    settings: Dwh | None = None,
) -> TopEventsReport:
    """What `report_top_events` does, without Prefect."""
    first, last = parse_span(start, end)
    span = {"start": first, "end": last, "limit": parse_count("limit", limit, MAX_LIMIT)}
    return TopEventsReport(first, last, read(TopEvent, _READ, span, settings))

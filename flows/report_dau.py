"""report_dau: active users of each day, of the last 7 and of the last 30 days, by source."""

from dataclasses import asdict, dataclass
from datetime import date

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.reporting import LAST_DAY, parse_span, read
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import Dwh

#: Newest rows of the table artifact: a page, not a book. The result has them all.
_SHOWN_ROWS = 1000

# A day without a row had nobody within 30 days, unless it lies behind the last one known.
_READ = f"""
with found as (
    select * from product.daily_active_users where day between %(start)s and %(end)s
),
sources as (
    select source from found
    union
    select 'all'
)
select
    days.day::date as day,
    sources.source,
    coalesce(found.active_users, 0) as active_users,
    coalesce(found.active_users_7_days, 0) as active_users_7_days,
    coalesce(found.active_users_30_days, 0) as active_users_30_days
from generate_series(
    %(start)s::timestamp, least(%(end)s, {LAST_DAY})::timestamp, interval '1 day'
) as days (day)
cross join sources
left join found on days.day::date = found.day and sources.source = found.source
order by 1, 2
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ActiveUsers:
    """Users with an event on the day, in the 7 and in the 30 days that end with it.

    source: of the events; "all" for all of them together, each user counted once.
    """

    day: date
    source: str
    active_users: int
    active_users_7_days: int
    active_users_30_days: int


@dataclass(frozen=True, slots=True)
class DauReport:
    """Every day from start to end, both inclusive, and each source that has any user there.

    days: in order, quiet days as zeros; none behind the last day of which anything is known.
    """

    start: date
    end: date
    days: tuple[ActiveUsers, ...]

    def __str__(self) -> str:
        of_all = [day.active_users for day in self.days if day.source == "all"]
        if not of_all:
            return f"no events are known from {self.start} to {self.end}"
        return (
            f"{len(of_all)} days from {self.start}: {min(of_all)} to {max(of_all)} active users"
            f" a day, {sum(of_all) / len(of_all):.1f} on average"
        )


@flow(
    name="report-dau",
    flow_run_name=named_by_days("all days"),
    description="Active users of each day, of the last 7 and of the last 30 days, by source.",
    retries=0,
    persist_result=False,
)
def report_dau(start: date | str | int, end: date | str | int) -> DauReport:
    """Show how many users were active on each day.

    Args:
        start: First day, YYYY-MM-DD, in the time zone DWH_TIME_ZONE.
        end: Last day, inclusive; at most ten years behind the first.

    Raises BadRequest, MissingSetting, WarehouseFailed (also where nothing is built yet).
    """
    report = count_active_users(start, end)
    run_log().info("%s", report)
    create_table_artifact(
        key="daily-active-users",
        table=[asdict(day) | {"day": str(day.day)} for day in report.days[: -_SHOWN_ROWS - 1 : -1]],
        description=f"Active users by day and source, newest first. {report}",
    )
    return report


def count_active_users(
    start: date | str | int, end: date | str | int, *, settings: Dwh | None = None
) -> DauReport:
    """What `report_dau` does, without Prefect."""
    first, last = parse_span(start, end)
    days = read(ActiveUsers, _READ, {"start": first, "end": last}, settings)
    return DauReport(first, last, days)

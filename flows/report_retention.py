"""report_retention: of those who first came in a week, how many came again in each later one."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.errors import BadRequest
from flows.reporting import LAST_DAY, parse_count, read
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import Dwh
from flows.windows import IsoWeek, parse_day

#: Two years of weeks: a wider table is for a query, not for a page.
MAX_WINDOW = 104

# A week without a row had nobody of the cohort, unless it lies behind the last day known.
_READ = f"""
select
    sizes.cohort_week,
    sizes.cohort_size,
    array_agg(coalesce(cells.active_users, 0) order by weeks.number) as active_users
from (
    select distinct cohort_week, cohort_size
    from product.weekly_cohorts
    where cohort_week >= %(monday)s
        and cohort_week < %(monday)s + 7 * %(window)s
) as sizes
inner join generate_series(0, %(window)s - 1) as weeks (number)
    on sizes.cohort_week + 7 * weeks.number <= {LAST_DAY}
left join product.weekly_cohorts as cells
    on sizes.cohort_week = cells.cohort_week
    and weeks.number = cells.week_number
group by 1, 2
order by 1
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Cohort:
    """Users whose first event falls into one week.

    cohort_week: its Monday. active_users: how many of them came in that week, the next one and so
    on; shorter than the window where later weeks are still to come, and the last one may be under
    way.
    """

    cohort_week: date
    cohort_size: int
    active_users: tuple[int, ...]

    @property
    def retention(self) -> tuple[float, ...]:
        """active_users as shares of the cohort, from 0 to 1."""
        return tuple(users / self.cohort_size for users in self.active_users)


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """The cohorts of `window` weeks from the Monday `start` on, each followed for as many weeks.

    cohorts: in order; a week in which nobody came for the first time has none.
    """

    start: date
    window: int
    cohorts: tuple[Cohort, ...]

    def __str__(self) -> str:
        users = sum(cohort.cohort_size for cohort in self.cohorts)
        return f"{users} new users in {self.window} weeks from {self.start}"


@flow(
    name="report-retention",
    flow_run_name=named_by_days("all weeks"),
    description="Of those who first came in a week, how many came again in each later one.",
    retries=0,
    persist_result=False,
)
def report_retention(start: date | str | int, window: int = 8) -> RetentionReport:
    """Show how many users of each week came again.

    Args:
        start: Any day of the first week, YYYY-MM-DD, in the time zone DWH_TIME_ZONE.
        window: How many weeks of first visits, each followed for as many weeks; up to 104.

    Raises BadRequest, MissingSetting, WarehouseFailed (also where nothing is built yet).
    """
    report = count_retention(start, window)
    run_log().info("%s", report)
    create_table_artifact(
        key="retention",
        table=[_shown(cohort, report.window) for cohort in report.cohorts],
        description=f"Weekly cohorts, and the share of each that came again. {report}",
    )
    return report


def count_retention(
    start: date | str | int, window: int = 8, *, settings: Dwh | None = None
) -> RetentionReport:
    """What `report_retention` does, without Prefect."""
    monday = IsoWeek.of(parse_day(start)).monday
    weeks = parse_count("window", window, MAX_WINDOW)
    if monday > date.max - timedelta(weeks=2 * MAX_WINDOW):
        raise BadRequest(f"{start} lies too far in the future")
    cohorts = read(Cohort, _READ, {"monday": monday, "window": weeks}, settings)
    return RetentionReport(
        monday,
        weeks,
        # an array comes as a list
        tuple(replace(cohort, active_users=tuple(cohort.active_users)) for cohort in cohorts),
    )


def _shown(cohort: Cohort, window: int) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "cohort": str(cohort.cohort_week),
        "users": cohort.cohort_size,
    }
    shares = [f"{share:.1%}" for share in cohort.retention]
    shares += [""] * (window - len(shares))
    return row | {f"week {number}": share for number, share in enumerate(shares)}

"""All that the page tells of some days, read from the warehouse once. No event, no user, no value.

Marts of one build are written one after the other: a page that is made within a build may show one
chapter older than the next.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from flows.product_page.completeness import ArchivedDay, read_archived_days
from flows.product_page.freshness import SourceFreshness, read_freshness
from flows.product_page.headline import Headline, read_headline
from flows.product_page.interruptions import Interruption, read_interruptions
from flows.product_page.sessions import SessionsDay, read_sessions
from flows.report_dau import DauReport, count_active_users
from flows.report_retention import RetentionReport, count_retention
from flows.report_top_events import TopEventsReport, count_top_events
from flows.settings import Dwh
from flows.windows import IsoWeek

#: What fits on a page and can be told apart.
SHOWN_EVENTS = 15
#: Cohorts of a short span say nothing; those of more weeks than half a year cannot be read.
FEWEST_WEEKS, MOST_WEEKS = 8, 26


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Days from start to end, both inclusive, in the time zone; made_at: aware, UTC.

    retention: of weeks up to that of `end`, at least FEWEST_WEEKS of them. archived_days: None
    where nobody has counted the archive yet.
    """

    start: date
    end: date
    time_zone: str
    made_at: datetime
    headline: Headline
    active_users: DauReport
    top_events: TopEventsReport
    retention: RetentionReport
    sessions: tuple[SessionsDay, ...]
    sources: tuple[SourceFreshness, ...]
    archived_days: tuple[ArchivedDay, ...] | None
    interruptions: tuple[Interruption, ...]


def read_figures(start: date, end: date, made_at: datetime, settings: Dwh) -> PageFigures:
    """The figures of some days. Raises WarehouseFailed, also where nothing is built yet."""
    headline = read_headline(start, end, settings)
    active_users = count_active_users(start, end, settings=settings)
    # Before the first event of all nothing was quiet: nothing was measured.
    first = headline.first_day or start
    return PageFigures(
        start=start,
        end=end,
        time_zone=settings.time_zone,
        made_at=made_at,
        headline=headline,
        active_users=replace(
            active_users, days=tuple(day for day in active_users.days if day.day >= first)
        ),
        top_events=count_top_events(start, end, SHOWN_EVENTS, settings=settings),
        retention=_retention_until(start, end, settings),
        sessions=read_sessions(max(start, first), end, settings),
        sources=read_freshness(start, end, settings),
        archived_days=read_archived_days(start, end, settings),
        interruptions=read_interruptions(settings),
    )


def _retention_until(start: date, end: date, settings: Dwh) -> RetentionReport:
    """The cohorts up to the week of `end`, and no week behind it."""
    last = IsoWeek.of(end).monday
    weeks = (last - IsoWeek.of(start).monday).days // 7 + 1
    weeks = min(max(weeks, FEWEST_WEEKS), MOST_WEEKS)
    first = last - timedelta(weeks=weeks - 1)
    report = count_retention(first, weeks, settings=settings)
    return replace(
        report,
        cohorts=tuple(
            replace(
                cohort,
                active_users=cohort.active_users[: (last - cohort.cohort_week).days // 7 + 1],
            )
            for cohort in report.cohorts
        ),
    )

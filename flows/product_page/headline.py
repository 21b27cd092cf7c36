"""The numbers at the top: users, events and sessions of the days, beside as many days before."""

from dataclasses import dataclass
from datetime import date, timedelta

from flows.reporting import read
from flows.settings import Dwh

# Users of several days are not the sum of each day's: they are counted over all events.
_READ = """
with events as (

    select
        count(distinct user_key) filter (where day >= %(start)s) as users,
        count(*) filter (where day >= %(start)s) as events,
        count(distinct user_key) filter (where day < %(start)s) as users_before,
        count(*) filter (where day < %(start)s) as events_before
    from product.event_users
    where day between %(before)s and %(end)s

),

sessions as (

    select
        coalesce(sum(sessions) filter (where day >= %(start)s), 0)::bigint as sessions,
        coalesce(sum(sessions) filter (where day < %(start)s), 0)::bigint as sessions_before
    from product.sessions_daily
    where source = 'all'
        and day between %(before)s and %(end)s

),

lengths as (

    -- medians of days make no median of them all
    select
        percentile_cont(0.5) within group (order by extract(epoch from duration))
            as median_session_s
    from dwh.sessions
    where started_at >= %(start)s::timestamp at time zone %(zone)s
        and started_at < (%(end)s + 1)::timestamp at time zone %(zone)s

),

known as (

    select
        min(day) as first_day,
        max(day) as last_day
    from product.event_counts

)

select
    events.users,
    events.events,
    sessions.sessions,
    lengths.median_session_s,
    events.users_before,
    events.events_before,
    sessions.sessions_before,
    known.first_day,
    known.last_day
from events
cross join sessions
cross join lengths
cross join known
"""


@dataclass(frozen=True, slots=True)
class Headline:
    """Of the days of the page: distinct users, events, sessions, their median length in seconds.

    median_session_s: None where there are none. …_before: of as many days right before. first_day,
    last_day: of all events that are known, None where there are none at all.
    """

    users: int
    events: int
    sessions: int
    median_session_s: float | None
    users_before: int
    events_before: int
    sessions_before: int
    first_day: date | None
    last_day: date | None

    def is_comparable(self, start: date, end: date) -> bool:
        """Whether all these days and as many before them are known, so that a change means it."""
        if self.first_day is None or self.last_day is None:
            return False
        return self.first_day <= before(start, end) and end <= self.last_day


def before(start: date, end: date) -> date:
    """The first of as many days before a span as it has itself."""
    days = (end - start).days + 1
    return start - timedelta(days=days) if start > date.min + timedelta(days=days) else date.min


def read_headline(start: date, end: date, settings: Dwh) -> Headline:
    """The numbers of some days, both inclusive. Raises WarehouseFailed."""
    span = {
        "start": start,
        "end": end,
        "before": before(start, end),
        "zone": settings.time_zone,
    }
    (headline,) = read(Headline, _READ, span, settings)
    return headline

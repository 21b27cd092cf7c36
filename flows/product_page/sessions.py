"""Sessions: how many began on a day, by source, and how long they were."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from plotly import graph_objects as go

from flows.product_page import texts
from flows.product_page.drawing import (
    INK,
    MUTED,
    bars,
    count_axis,
    day_axis,
    line,
    picture,
    source_colour,
)
from flows.product_page.section import Section, Table
from flows.reporting import LAST_DAY, read
from flows.settings import Dwh

TITLE = "Sessions"
ALL = "all"
#: A mean so many times the median is of a few sessions alone, and leaves no room to the median.
_LARGEST_RATIO = 20

# A day without a row had none, unless it lies behind the last one of which anything is known.
_READ = f"""
with found as (

    select * from product.sessions_daily where day between %(start)s and %(end)s

),

sources as (

    select distinct source from found

),

known as (

    select greatest({LAST_DAY}, (select max(day) from product.sessions_daily)) as last_day

)

select
    days.day::date as day,
    sources.source,
    coalesce(found.sessions, 0) as sessions,
    coalesce(found.events, 0) as events,
    found.mean_duration_s::float as mean_s,
    found.median_duration_s::float as median_s
from known
cross join generate_series(
    %(start)s::timestamp, least(%(end)s, known.last_day)::timestamp, interval '1 day'
) as days (day)
cross join sources
left join found on days.day::date = found.day and sources.source = found.source
order by 1, 2
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SessionsDay:
    """Sessions that began on a day. source: "all" for all of them together.

    events: of these sessions. mean_s, median_s: from first to last event, in seconds; None where
    there are none.
    """

    day: date
    source: str
    sessions: int
    events: int
    mean_s: float | None
    median_s: float | None


def read_sessions(start: date, end: date, settings: Dwh) -> tuple[SessionsDay, ...]:
    """Every day from start to end and each source with sessions there. Raises WarehouseFailed."""
    return read(SessionsDay, _READ, {"start": start, "end": end}, settings)


def sessions(found: tuple[SessionsDay, ...]) -> Section:
    """The chapter of these days."""
    by_source: dict[str, list[SessionsDay]] = defaultdict(list)
    for day in found:
        by_source[day.source].append(day)
    of_all = by_source.pop(ALL, [])
    if not of_all:
        return Section(
            "sessions",
            TITLE,
            "",
            nothing="No session began in these days. Imported events belong to none.",
        )
    days = [day.day for day in of_all]
    total = sum(day.sessions for day in of_all)
    counts = picture(
        *(
            bars(source, days, [day.sessions for day in of_source], source_colour(source))
            for source, of_source in by_source.items()
        ),
        height=300,
        barmode="stack",
        xaxis=day_axis(days),
        yaxis=count_axis(max(day.sessions for day in of_all)),
        hovermode="x unified",
    )
    return Section(
        "sessions",
        TITLE,
        f"{texts.count(total)} began in these days, {total / len(of_all):,.1f} a day on average."
        if len(of_all) > 1
        else f"{texts.count(total)} began on {texts.long_day(days[0])}.",
        pictures=(counts, _lengths(of_all)),
        table=_table(of_all, by_source),
        notes=("A session counts on the day on which it began, in full.",),
    )


def _lengths(of_all: list[SessionsDay]) -> go.Figure:
    """Median and mean; the mean is hidden where a few sessions of wrong clocks make it."""
    medians, means = ([getattr(day, name) for day in of_all] for name in ("median_s", "mean_s"))
    longest_median, longest_mean = (max(one or 0 for one in values) for values in (medians, means))
    mean_is_shown = longest_mean <= _LARGEST_RATIO * longest_median
    longest = longest_mean if mean_is_shown else longest_median
    unit, divisor = ("minutes", 60) if longest >= 120 else ("seconds", 1)
    days = [day.day for day in of_all]
    return picture(
        *(
            line(
                name,
                days,
                [None if value is None else value / divisor for value in values],
                colour,
                hovertemplate="%{y:,.1f} " + unit,
                line={"dash": dash},
                visible=True if is_shown else "legendonly",
            )
            for name, values, colour, dash, is_shown in (
                ("median length", medians, INK, "solid", True),
                ("mean length", means, MUTED, "dash", mean_is_shown),
            )
        ),
        height=220,
        xaxis=day_axis(days),
        yaxis=count_axis(
            longest, dtick=None, nticks=5, tickformat=",", title={"text": unit, "standoff": 6}
        ),
        hovermode="x unified",
    )


def _table(of_all: list[SessionsDay], by_source: dict[str, list[SessionsDay]]) -> Table:
    numbers: dict[date, list[int]] = {day.day: [day.sessions] for day in of_all}
    shown = by_source if len(by_source) > 1 else {}
    for of_source in shown.values():
        for day in of_source:
            numbers[day.day].append(day.sessions)
    return Table(
        "Sessions by day",
        ("Day", "All sources", *shown, "Events in them", "Mean length", "Median length"),
        tuple(
            (
                str(day.day),
                *map(texts.count, numbers[day.day]),
                texts.count(day.events),
                texts.length(day.mean_s),
                texts.length(day.median_s),
            )
            for day in of_all
        ),
    )

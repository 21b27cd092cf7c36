"""Sessions: how many began on a day, by source, and how long they were."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from flows.product_page import texts
from flows.product_page.drawing import SERIES, bars, count_axis, day_axis, line, picture
from flows.product_page.section import Section, Table
from flows.reporting import LAST_DAY, read
from flows.settings import Dwh

TITLE = "Sessions"
ALL = "all"

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
            bars(source, days, [day.sessions for day in of_source], SERIES[number])
            for number, (source, of_source) in enumerate(by_source.items())
        ),
        height=300,
        barmode="stack",
        showlegend=len(by_source) > 1,
        xaxis=day_axis(days),
        yaxis=count_axis(max(day.sessions for day in of_all)),
        hovermode="x unified",
    )
    longest = max(day.mean_s or 0 for day in of_all)
    in_minutes = longest >= 120
    unit, divisor = ("minutes", 60) if in_minutes else ("seconds", 1)
    lengths = picture(
        *(
            line(
                name,
                days,
                [None if value is None else value / divisor for value in values],
                colour,
                hovertemplate="%{y:,.1f} " + unit,
                line={"dash": dash},
            )
            for name, values, colour, dash in (
                ("mean length", [day.mean_s for day in of_all], SERIES[0], "solid"),
                ("median length", [day.median_s for day in of_all], SERIES[1], "dash"),
            )
        ),
        height=240,
        xaxis=day_axis(days),
        yaxis=count_axis(longest / divisor, dtick=None, title={"text": unit, "standoff": 6}),
        hovermode="x unified",
    )
    return Section(
        "sessions",
        TITLE,
        f"{texts.count(total)} sessions began in these days,"
        f" {total / len(of_all):,.1f} a day on average.",
        pictures=(counts, lengths),
        table=_table(of_all, by_source),
        notes=("A session counts on the day on which it began, in full.",),
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

"""Daily active users: a line for each source, and one for all of them."""

from collections import defaultdict
from datetime import date

from flows.product_page import texts
from flows.product_page.drawing import (
    INK,
    MUTED,
    count_axis,
    day_axis,
    line,
    picture,
    source_colour,
)
from flows.product_page.section import Section, Table
from flows.report_dau import ActiveUsers, DauReport

ALL = "all"
TITLE = "Active users"


def active_users(report: DauReport) -> Section:
    """The chapter of a report. Users of 7 and of 30 days are those of all sources together."""
    by_source: dict[str, list[ActiveUsers]] = defaultdict(list)
    for day in report.days:
        by_source[day.source].append(day)
    of_all = by_source.pop(ALL, [])
    if not any(day.active_users_30_days for day in of_all):
        return Section("active-users", TITLE, "", nothing="Nobody was active in these days.")
    days = [day.day for day in of_all]
    # All of one source is that source.
    sources = by_source if len(by_source) > 1 else {}
    lines = [
        line("all sources", days, [day.active_users for day in of_all], INK),
        *(
            line(source, days, [day.active_users for day in of_source], source_colour(source))
            for source, of_source in sources.items()
        ),
        line(
            "all, 7 days",
            days,
            [day.active_users_7_days for day in of_all],
            MUTED,
            line={"dash": "dash"},
            visible="legendonly",
        ),
        line(
            "all, 30 days",
            days,
            [day.active_users_30_days for day in of_all],
            MUTED,
            line={"dash": "dot"},
            visible="legendonly",
        ),
    ]
    return Section(
        "active-users",
        TITLE,
        _summary(of_all),
        pictures=(
            picture(
                *lines,
                height=340,
                xaxis=day_axis(days),
                yaxis=count_axis(max(day.active_users for day in of_all)),
                hovermode="x unified",
            ),
        ),
        table=_table(of_all, sources),
        notes=(
            "A user counts once a day, whatever the source. Users of 7 and of 30 days, which their"
            " names above show and hide, are those of the days that end with the one shown.",
        ),
    )


def _summary(of_all: list[ActiveUsers]) -> str:
    if len(of_all) == 1:
        return f"{texts.count(of_all[0].active_users)} on {texts.long_day(of_all[0].day)}."
    most = max(of_all, key=lambda day: day.active_users)
    mean = sum(day.active_users for day in of_all) / len(of_all)
    return (
        f"{mean:,.1f} active users a day on average, at most {texts.count(most.active_users)}"
        f" on {texts.long_day(most.day)}."
    )


def _table(of_all: list[ActiveUsers], sources: dict[str, list[ActiveUsers]]) -> Table:
    by_day: dict[date, list[int]] = {day.day: [day.active_users] for day in of_all}
    for of_source in sources.values():
        for day in of_source:
            by_day[day.day].append(day.active_users)
    for day in of_all:
        by_day[day.day] += [day.active_users_7_days, day.active_users_30_days]
    return Table(
        "Active users by day",
        ("Day", "All sources", *sources, "All, 7 days", "All, 30 days"),
        tuple((str(day), *map(texts.count, numbers)) for day, numbers in by_day.items()),
    )

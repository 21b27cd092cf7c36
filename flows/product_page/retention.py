"""Retention: a heat map of weekly cohorts, one row each, one column a week."""

from datetime import date, timedelta

from plotly import graph_objects as go

from flows.product_page import texts
from flows.product_page.drawing import picture, row_axis
from flows.product_page.section import Section, Table
from flows.report_retention import Cohort, RetentionReport

TITLE = "Retention"
#: More numbers than that do not fit into the cells of a phone.
_MOST_NUMBERED_WEEKS = 9
_ROW_PX = 34


def retention(report: RetentionReport, last_day: date | None) -> Section:
    """The chapter of a report. last_day: the last one known; its week may be under way."""
    cohorts = report.cohorts
    if not cohorts or last_day is None:
        return Section(
            "retention", TITLE, "", nothing="Nobody came for the first time in these weeks."
        )
    back = returned(report, last_day)
    unfinished = any(
        _under_way(cohort, number, last_day)
        for cohort in cohorts
        for number in range(len(cohort.active_users))
    )
    return Section(
        "retention",
        TITLE,
        f"{texts.count(sum(cohort.cohort_size for cohort in cohorts))} users came for the first"
        f" time in the {report.window} weeks from {texts.long_day(report.start)} on"
        + ("." if back is None else f"; {texts.share(back)} of them came again in the next week."),
        pictures=(_picture(report, last_day),),
        table=_table(report, last_day),
        notes=(
            "Weeks begin on Monday. Week 0 is that of a user's first event, of all sources.",
            *(("* This week is not over in the data.",) if unfinished else ()),
        ),
    )


def returned(report: RetentionReport, last_day: date | None) -> float | None:
    """Of users whose next week is over, the share that came in it; None without such users."""
    over = [
        cohort
        for cohort in report.cohorts
        if last_day is not None
        and len(cohort.active_users) > 1
        and not _under_way(cohort, 1, last_day)
    ]
    users = sum(cohort.cohort_size for cohort in over)
    return sum(cohort.active_users[1] for cohort in over) / users if users else None


def _under_way(cohort: Cohort, number: int, last_day: date) -> bool:
    return cohort.cohort_week + timedelta(days=7 * number + 6) > last_day


def _picture(report: RetentionReport, last_day: date) -> go.Figure:
    weeks = max(len(cohort.active_users) for cohort in report.cohorts)
    shares = [_padded([*cohort.retention], weeks) for cohort in report.cohorts]
    later = [share for row in shares for share in row[1:] if share is not None]
    numbered = weeks <= _MOST_NUMBERED_WEEKS
    heat = go.Heatmap(
        z=shares,
        x=[str(number) for number in range(weeks)],
        y=[str(cohort.cohort_week) for cohort in report.cohorts],
        # Week 0 is always whole, and would leave no colours to the others.
        zmin=0,
        zmax=max([*later, 0.01]) if later else 1,
        colorscale=[[0, "var(--heat-none)"], [1, "var(--heat-all)"]],
        showscale=not numbered,
        colorbar={"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
        xgap=2,
        ygap=2,
        hoverongaps=False,
        customdata=[
            [
                (users, cohort.cohort_size, _star(cohort, number, last_day))
                for number, users in enumerate(_padded([*cohort.active_users], weeks))
            ]
            for cohort in report.cohorts
        ],
        texttemplate="%{z:.0%}" if numbered else "",
        hovertemplate=(
            "week of %{y}, week %{x}<br><b>%{z:.1%}</b>%{customdata[2]}:"
            " %{customdata[0]:,} of %{customdata[1]:,} users<extra></extra>"
        ),
    )
    return picture(
        heat,
        height=_ROW_PX * len(report.cohorts) + 56,
        xaxis={
            "type": "category",
            "side": "top",
            "title": {"text": "weeks since the first visit", "standoff": 4, "font": {"size": 12}},
            "showgrid": False,
            "ticks": "",
            "fixedrange": True,
            "automargin": True,
        },
        yaxis=row_axis()
        | {
            "ticktext": [f"{week:%-d %b}" for week in _weeks(report)],
            "tickvals": [str(week) for week in _weeks(report)],
        },
    )


def _weeks(report: RetentionReport) -> list[date]:
    return [cohort.cohort_week for cohort in report.cohorts]


def _padded(values: list[float], length: int) -> list[float | None]:
    return [*values, *[None] * (length - len(values))]


def _star(cohort: Cohort, number: int, last_day: date) -> str:
    return "*" if _under_way(cohort, number, last_day) else ""


def _table(report: RetentionReport, last_day: date) -> Table:
    weeks = max(len(cohort.active_users) for cohort in report.cohorts)
    return Table(
        "Share of each week's new users that came again",
        ("Week of first visit", "Users", *(f"Week {number}" for number in range(weeks))),
        tuple(
            (
                str(cohort.cohort_week),
                texts.count(cohort.cohort_size),
                *(
                    texts.share(part) + _star(cohort, number, last_day)
                    for number, part in enumerate(cohort.retention)
                ),
                *[""] * (weeks - len(cohort.active_users)),
            )
            for cohort in report.cohorts
        ),
    )

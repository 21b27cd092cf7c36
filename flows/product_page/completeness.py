"""Completeness: what `reconcile` last said of each source and day of the archive."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from plotly import graph_objects as go

from flows.product_page import texts
from flows.product_page.drawing import DAY_MS, day_axis, picture, row_axis
from flows.product_page.section import Section, Table, listed
from flows.reporting import read_if_built
from flows.settings import Dwh

TITLE = "Completeness"
#: Worst first, with the names of their colours in page.css.
VERDICTS = ("hole", "surplus", "held back", "waiting", "complete")
NO_EVENTS = "no events"
_COLOURS = {name: f"verdict-{name.replace(' ', '-')}" for name in (*VERDICTS, NO_EVENTS)}
_ROW_PX = 34

# A source's day shows the worst of its tables; rows of no archived day belong to none.
_READ = """
select
    source,
    day,
    (array_agg(verdict order by array_position(%(verdicts)s, verdict)))[1] as verdict,
    sum(events_archived)::bigint as events_archived,
    sum(rows_in_marts)::bigint as rows_in_marts,
    coalesce(
        string_agg(concat_ws(': ', nullif(table_name, ''), reasons), '; ' order by table_name)
        filter (where reasons <> ''),
        ''
    ) as reasons,
    min(checked_at) as checked_at
from audit.reconciliation
where day between %(start)s and %(end)s
    or day is null
group by source, day
order by day, source
"""


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A source's day of the archive: of upload or of receipt, unlike the days of the statistics.

    day: None for rows that belong to no archived day. verdict: the worst of the day's tables, one
    of VERDICTS. events_archived, rows_in_marts: counted at checked_at. reasons: of differences.
    """

    source: str
    day: date | None
    verdict: str
    events_archived: int
    rows_in_marts: int
    reasons: str
    checked_at: datetime

    @property
    def shown_verdict(self) -> str:
        """The verdict; a complete day without events is one of NO_EVENTS."""
        empty = self.verdict == "complete" and not self.events_archived
        return NO_EVENTS if empty else self.verdict


def read_archived_days(start: date, end: date, settings: Dwh) -> tuple[ArchivedDay, ...] | None:
    """Days of the archive from start to end; None where `reconcile` never ran.

    Raises WarehouseFailed.
    """
    span = {"start": start, "end": end, "verdicts": list(VERDICTS)}
    return read_if_built(ArchivedDay, _READ, span, settings)


def completeness(found: tuple[ArchivedDay, ...] | None, zone: str) -> Section:
    """The chapter of these days."""
    if not found:
        return Section(
            "completeness",
            TITLE,
            "",
            nothing="The archive was not counted yet: run reconcile."
            if found is None
            else "The archive has none of these days. Imported files have no days to be missed.",
        )
    days = [day for day in found if day.day is not None]
    counts = Counter(day.shown_verdict for day in found)
    return Section(
        "completeness",
        TITLE,
        _summary(counts),
        pictures=(_picture(days),) if days else (),
        table=Table(
            "Archive against tables, by source and day",
            ("Day", "Source", "Verdict", "Events archived", "Rows in the tables", "Reasons"),
            tuple(
                (
                    str(day.day or "no archived day"),
                    day.source,
                    day.shown_verdict,
                    texts.count(day.events_archived),
                    texts.count(day.rows_in_marts),
                    day.reasons,
                )
                for day in found
            ),
            texts=frozenset({1, 2, 5}),
            long=frozenset({5}),
        ),
        legend=tuple((colour, name) for name, colour in _COLOURS.items() if counts[name]),
        notes=(
            "Counted by reconcile, last at"
            f" {texts.moment(min(day.checked_at for day in found), zone)}. Days are the archive's:"
            " those of upload or of receipt, at which an event can be days old.",
        ),
    )


def _summary(counts: Counter[str]) -> str:
    days = sum(counts.values())
    if counts["complete"] == days:
        return f"All {texts.days(days)} of the archives are complete."
    parts = [f"{counts[name]:,} {_phrase(name)}" for name in _COLOURS if counts[name]]
    return f"Of {texts.days(days)} of the archives, {listed(parts)}."


def _phrase(verdict: str) -> str:
    return {
        "hole": "with a hole",
        "surplus": "with a surplus",
        NO_EVENTS: "without events",
    }.get(verdict, verdict)


def _picture(days: list[ArchivedDay]) -> go.Figure:
    names = list(_COLOURS)
    sources = sorted({day.source for day in days})
    first, last = (edge(day.day for day in days if day.day is not None) for edge in (min, max))
    axis = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    cells = {(day.source, day.day): day for day in days}
    rows = [[cells.get((source, day)) for day in axis] for source in sources]
    # One band of colour for each verdict.
    bands = [
        [edge / len(names), f"var(--{_COLOURS[name]})"]
        for number, name in enumerate(names)
        for edge in (number, number + 1)
    ]
    heat = go.Heatmap(
        z=[
            [None if cell is None else names.index(cell.shown_verdict) for cell in row]
            for row in rows
        ],
        # a lone day has no neighbour that would tell how wide it is
        x0=str(first),
        dx=DAY_MS,
        y=sources,
        zmin=-0.5,
        zmax=len(names) - 0.5,
        colorscale=bands,
        showscale=False,
        xgap=2 if len(axis) <= 120 else 0,
        ygap=4,
        hoverongaps=False,
        customdata=[
            [
                ("", 0) if cell is None else (cell.shown_verdict, cell.events_archived)
                for cell in row
            ]
            for row in rows
        ],
        hovertemplate=(
            "%{y}, %{x|%-d %B %Y}<br><b>%{customdata[0]}</b>,"
            " %{customdata[1]:,} events archived<extra></extra>"
        ),
    )
    return picture(
        heat,
        height=_ROW_PX * len(sources) + 48,
        xaxis=day_axis(axis),
        yaxis=row_axis(),
    )

"""What all pictures share. Colours are names of page.css, which page.js looks up when it draws."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from html import escape
from textwrap import wrap
from typing import Any

from plotly import graph_objects as go

from flows.product_page.section import shortened

INK, MUTED, GRID = "var(--ink)", "var(--muted)", "var(--grid)"
#: Of sources, the same in every picture; told apart by people who do not see all colours, too.
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
_SOURCES = ("amplitude_mobile", "amplitude_web", "appmetrica", "import", "direct")
#: Fewer days are drawn as if they were so many, and each of them is named.
_FEW_DAYS = 7
#: Up to so many days a point is seen as one; a lone day is nothing but a point.
_MARKED_DAYS = 62
DAY_MS = 86_400_000
_LABEL_LENGTH, _HOVER_LENGTH, _HOVER_WIDTH = 30, 160, 48


def picture(*traces: Any, height: int, **layout: Any) -> go.Figure:
    """A figure with the page's look; height in pixels."""
    look: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": MUTED},
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line)",
            "font": {"color": INK, "size": 12},
        },
        # page.js names lines and bars above the picture, in as many rows as a phone needs
        "showlegend": False,
        # A finger that scrolls past a picture must not be caught by it.
        "dragmode": False,
        "separators": ".,",
    }
    return go.Figure(list(traces), look | layout)


def day_axis(days: Sequence[date]) -> dict[str, Any]:
    """A time axis of these days; a few of them stand in the middle of it."""
    beside = timedelta(days=max(1.0, _FEW_DAYS + 1 - len(days)) / 2)
    first, last = (datetime.combine(day, time()) for day in (days[0], days[-1]))
    axis: dict[str, Any] = {
        "type": "date",
        "range": [str(first - beside), str(last + beside)],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "linecolor": "var(--line)",
        "tickformat": "%-d %b<br>%Y" if len(days) > 300 else "%-d %b",
        "hoverformat": "%A, %-d %B %Y",
        "automargin": True,
        "fixedrange": True,
    }
    if len(days) <= _FEW_DAYS:
        axis |= {"tickvals": [str(day) for day in days]}
    return axis


def count_axis(largest: float, **axis: Any) -> dict[str, Any]:
    """An axis from zero on, of whole numbers; its end follows what is shown."""
    steps = {"dtick": 1} if largest <= 5 else {"nticks": 6}
    look = {
        "rangemode": "tozero",
        "tickformat": ",d",
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
    }
    return look | steps | axis


def row_axis() -> dict[str, Any]:
    """An axis of names, one row below the other."""
    return {
        "type": "category",
        "autorange": "reversed",
        "showgrid": False,
        "fixedrange": True,
        "automargin": True,
        "ticks": "",
        "ticklabelstandoff": 6,
        "tickfont": {"color": INK},
    }


def line(
    name: str, days: Sequence[date], values: Sequence[float | None], colour: str, **trace: Any
) -> go.Scatter:
    """A line over days; points where they are few. None is a gap."""
    style = {"color": colour, "width": 2} | trace.pop("line", {})
    return go.Scatter(
        name=name,
        x=[str(day) for day in days],
        y=list(values),
        mode="lines+markers" if len(days) <= _MARKED_DAYS else "lines",
        line=style,
        marker={"size": 8 if len(days) == 1 else 5, "color": colour},
        hovertemplate=trace.pop("hovertemplate", "%{y:,}"),
        **trace,
    )


def bars(
    name: str, days: Sequence[date], values: Sequence[int], colour: str, **trace: Any
) -> go.Bar:
    """A bar a day."""
    return go.Bar(
        name=name,
        x=[str(day) for day in days],
        y=list(values),
        width=0.72 * DAY_MS,
        marker={"color": colour},
        hovertemplate="%{y:,}",
        **trace,
    )


def source_colour(source: str) -> str:
    """The colour of a source."""
    return SERIES[_SOURCES.index(source) if source in _SOURCES else -1]


def label(name: str) -> str:
    """A name from outside beside a mark: one short line. Plotly reads tags in texts."""
    return escape(shortened(name, _LABEL_LENGTH), quote=False)


def hover_name(name: str) -> str:
    """A name from outside in a box under the pointer: a few short lines."""
    lines = wrap(shortened(name, _HOVER_LENGTH), _HOVER_WIDTH)
    return "<br>".join(escape(part, quote=False) for part in lines)

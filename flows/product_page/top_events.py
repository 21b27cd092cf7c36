"""Top events: a bar each, the name above it, so that it has room on a phone, too."""

from typing import Any

from plotly import graph_objects as go

from flows.product_page import texts
from flows.product_page.drawing import INK, MUTED, SERIES, hover_name, label, picture
from flows.product_page.section import Section, Table, shortened
from flows.report_top_events import TopEvent, TopEventsReport

TITLE = "Top events"
NO_NAME = "(no name)"
_ROW_PX = 42


def top_events(report: TopEventsReport) -> Section:
    """The chapter of a report, most frequent first."""
    events = report.events
    if not events:
        return Section("top-events", TITLE, "", nothing="No event happened in these days.")
    shown = sum(event.share for event in events)
    return Section(
        "top-events",
        TITLE,
        f"The {len(events)} most frequent events are {texts.share(shown)} of all."
        if len(events) > 1
        else f"One event is {texts.share(shown)} of all.",
        pictures=(_picture(events),),
        table=Table(
            "Most frequent events",
            ("Event", "Rank", "Events", "Users", "Share of all events"),
            tuple(
                (
                    shortened(_name(event)),
                    texts.count(event.rank),
                    texts.count(event.events),
                    texts.count(event.users),
                    texts.share(event.share),
                )
                for event in events
            ),
            long=frozenset({0}),
        ),
        notes=("A user counts once for each event, however many days it was done on.",),
    )


def _picture(events: tuple[TopEvent, ...]) -> go.Figure:
    # Places are numbers: names may be equal once they are cut, or look like numbers or dates.
    places = list(range(len(events)))
    bars = go.Bar(
        orientation="h",
        x=[event.events for event in events],
        y=places,
        width=0.3,
        marker={"color": SERIES[0], "cornerradius": 3},
        customdata=[
            [hover_name(_name(event)), texts.count(event.users), texts.share(event.share)]
            for event in events
        ],
        hovertemplate=(
            "<b>%{customdata[0]}</b><br>%{x:,} events by %{customdata[1]} users"
            "<br>%{customdata[2]} of all events<extra></extra>"
        ),
    )
    return picture(
        bars,
        height=_ROW_PX * len(events) + 24,
        xaxis={"visible": False, "fixedrange": True, "range": [0, max(bars.x) * 1.02]},
        yaxis={
            "visible": False,
            "fixedrange": True,
            "range": [len(events) - 0.6, -0.8],
        },
        annotations=[
            note
            for place, event in zip(places, events, strict=True)
            for note in (
                _above(place, label(_name(event)), 0, INK),
                _above(place, _counted(event), 1, MUTED),
            )
        ],
    )


def _above(place: int, text: str, side: int, colour: str) -> dict[str, Any]:
    """A text above a bar, at the left (0) or the right (1) edge of the picture."""
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "x": side,
        "xanchor": "right" if side else "left",
        "y": place,
        "yshift": 17,
        "xshift": 2 if side else -2,
        "font": {"color": colour, "size": 13 if not side else 12},
    }


def _counted(event: TopEvent) -> str:
    users = "1 user" if event.users == 1 else f"{event.users:,} users"
    return f"{event.events:,} · {users}"


def _name(event: TopEvent) -> str:
    return (event.event_type or "").strip() or NO_NAME

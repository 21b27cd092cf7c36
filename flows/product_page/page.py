"""The page as one HTML file: nothing is asked of any server, and only its own two scripts run."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly import graph_objects as go
from plotly.offline import get_plotlyjs

from flows.product_page import texts
from flows.product_page.active_users import active_users
from flows.product_page.cards import cards
from flows.product_page.completeness import completeness
from flows.product_page.figures import PageFigures
from flows.product_page.freshness import freshness
from flows.product_page.interruptions import interruptions
from flows.product_page.retention import retention
from flows.product_page.section import Section
from flows.product_page.sessions import sessions
from flows.product_page.top_events import top_events

_FOLDER = Path(__file__).parent
#: Names of events come from outside: every text is escaped, and a forgotten one is an error.
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(figures: PageFigures) -> bytes:
    """The page of these figures, UTF-8. Plotly's own code makes most of its 5 MB."""
    sections = make_sections(figures)
    plotly, own = get_plotlyjs(), _read("page.js")
    return (
        _TEMPLATES.get_template("page.html.j2")
        .render(
            figures=figures,
            title=texts.span(figures.start, figures.end),
            days=texts.days((figures.end - figures.start).days + 1),
            made_at=texts.moment(figures.made_at, figures.time_zone),
            nothing=_nothing(figures),
            cards=cards(figures) if figures.headline.events else (),
            sections=sections,
            # policy and data stand in attributes and scripts of our own making
            policy=_policy(plotly, own),
            pictures=Markup(_as_script(_pictures(sections))),  # noqa: S704
            style=Markup(_read("page.css")),  # noqa: S704
            plotly=Markup(plotly),  # noqa: S704
            script=Markup(own),  # noqa: S704
        )
        .encode()
    )


def make_sections(figures: PageFigures) -> tuple[Section, ...]:
    """The chapters, in order."""
    today = figures.made_at.astimezone(ZoneInfo(figures.time_zone)).date()
    zone = figures.time_zone
    of_events = (
        active_users(figures.active_users),
        top_events(figures.top_events),
        retention(figures.retention, figures.headline.last_day),
        sessions(figures.sessions),
    )
    return (
        *(of_events if figures.headline.events else ()),
        freshness(figures.sources, today, zone),
        completeness(figures.archived_days, zone),
        interruptions(figures.interruptions, zone),
    )


def _nothing(figures: PageFigures) -> str:
    """What a page without any event says instead."""
    headline = figures.headline
    if headline.events:
        return ""
    said = f"No events are known from {figures.start} to {figures.end}."
    if headline.first_day is None or headline.last_day is None:
        return f"{said} None are known at all: run pipeline, or import_events and transform."
    if figures.end < headline.first_day or figures.start > headline.last_day:
        return (
            f"{said} Events are known from {headline.first_day} to {headline.last_day}:"
            " ask for some of these days, or run pipeline."
        )
    return f"{said} They are known of days before and behind."


def _pictures(sections: tuple[Section, ...]) -> dict[str, go.Figure]:
    return {
        f"{section.name}-{number}": picture
        for section in sections
        for number, picture in enumerate(section.pictures)
    }


def _as_script(pictures: dict[str, go.Figure]) -> str:
    """JSON that cannot end the script that holds it."""
    figures = {name: json.loads(picture.to_json()) for name, picture in pictures.items()}
    return json.dumps(figures, separators=(",", ":")).replace("<", "\\u003c")


def _policy(*scripts: str) -> str:
    """The Content-Security-Policy: these scripts by their hashes, and no address at all."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")

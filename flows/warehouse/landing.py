"""Where each source lands: the one place to add a source.

A new source needs a migration with its raw table, a row maker like `amplitude_rows` and an entry.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flows.errors import BadRequest
from flows.lake.line_stream import Slab
from flows.warehouse import amplitude_rows
from flows.warehouse.copy_rows import Block

# (lines, load_id, careful) -> rows; see amplitude_rows.make_block.
RowMaker = Callable[[Slab, int, bool], Block]


@dataclass(frozen=True, slots=True)
class Landing:
    """prefix: of the source's archives in S3; table: raw table; copy: its COPY statement."""

    source: str
    prefix: str
    table: str
    copy: str
    make_block: RowMaker


LANDINGS = {
    landing.source: landing
    for landing in (
        Landing(
            "amplitude_web",
            "amplitude/web/",
            "raw.amplitude_events",
            amplitude_rows.COPY,
            amplitude_rows.make_block,
        ),
        Landing(
            "amplitude_mobile",
            "amplitude/mobile/",
            "raw.amplitude_events",
            amplitude_rows.COPY,
            amplitude_rows.make_block,
        ),
    )
}


def landing_of(source: str) -> Landing:
    """The landing of a source; BadRequest names the known ones."""
    if source not in LANDINGS:
        raise BadRequest(f"unknown source {source!r}; known are {', '.join(LANDINGS)}")
    return LANDINGS[source]

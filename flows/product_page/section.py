"""What every chapter of the page is made of: a sentence, a picture, the table behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from plotly import graph_objects as go

#: Characters of a name from outside that a page shows: names have no limit in the tables.
NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as people read them. The first column names its row.

    texts: the other columns of text; long: columns whose texts may need several lines.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: frozenset[int] = frozenset()
    long: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter. name: its id. summary: what there is to see, in words; also for screen readers.

    legend: (colour's name in page.css, word). A section without pictures shows its table at once;
    one without a table says in `nothing` why.
    """

    name: str
    title: str
    summary: str
    pictures: tuple[go.Figure, ...] = ()
    table: Table | None = None
    legend: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A number at the top. note: what it means, or how it changed."""

    label: str
    number: str
    note: str = ""


def shortened(name: str, length: int = NAME_LENGTH) -> str:
    """A name on one line, cut where it is too long."""
    line = " ".join(name.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))

"""What the demo prints: acts with the seconds since its start, and small tables."""

import sys
import time
from collections.abc import Iterable, Sequence


class Screen:
    """Prints to standard output, flushed, so that progress is seen as it is made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    def line(self, text: str = "") -> None:
        """A line as it is."""
        print(text, file=sys.stdout, flush=True)

    def act(self, title: str) -> None:
        """The heading of a new act."""
        self.line(f"\n[{self.seconds:5.1f} s] {title}")

    def step(self, text: str) -> None:
        """One thing that is now done."""
        self.line(f"[{self.seconds:5.1f} s]   {text}")

    def table(self, rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> None:
        """Columns as wide as their widest cell; numbers to the right."""
        held = [list(row) for row in rows]
        shown = [list(header)] * bool(header) + [[_cell(value) for value in row] for row in held]
        columns = range(len(shown[0])) if shown else range(0)
        numeric = [all(isinstance(row[at], int | float) for row in held) for at in columns]
        widths = [max(len(row[at]) for row in shown) for at in columns]
        for row in shown:
            cells = [
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, numeric, strict=True)
            ]
            self.line(f"            {'  '.join(cells).rstrip()}")


def _cell(value: object) -> str:
    if value is None:
        return "·"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)

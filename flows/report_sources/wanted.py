"""Which events an import takes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events an import takes: of a half-open window, or saved since then, or all of them."""

    window_start: datetime | None = None
    window_end: datetime | None = None
    saved_since: datetime | None = None

    @property
    def is_windowed(self) -> bool:
        """Whether it says nothing of events outside of a window."""
        return self.window_start is not None or self.window_end is not None

    def __str__(self) -> str:
        if self.saved_since is not None:
            return f"events saved since {self.saved_since:%Y-%m-%d %H:%M:%S} UTC"
        if not self.is_windowed:
            return "all events"
        edges = (
            "" if edge is None else f" {word} {edge:%Y-%m-%d %H:%M:%S} UTC"
            for word, edge in (("from", self.window_start), ("to before", self.window_end))
        )
        return f"events{''.join(edges)}"

"""What the vendor allows, as far as a test may want it otherwise."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from flows.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the simulator.

    parallel: requests at once over all projects, 429 past it (the Dashboard REST page's 5).
    widest_days: days that one request may span. size_cap_bytes: largest zip, 400 above it.
    timeout_hours: requests of more hours than this get 504; None never, 0 always.
    ready_after_hours: hour H shows from H:00 plus this on. delay_seconds: wait before each answer.
    chunk_bytes, chunk_delay_seconds: how a body is sent, slowly if wished.
    """

    parallel: int = 5
    widest_days: int = 365
    size_cap_bytes: int = 4 * 1024**3
    timeout_hours: int | None = None
    ready_after_hours: float = 3
    delay_seconds: float = 0
    chunk_bytes: int = 256 * 1024
    chunk_delay_seconds: float = 0

    def changed(self, wish: dict[str, Any]) -> Self:
        """A copy with some limits changed; BadRequest names what is no limit."""
        unknown = set(wish) - {field.name for field in fields(self)}
        if unknown:
            raise BadRequest(f"no such limit: {', '.join(sorted(unknown))}")
        return replace(self, **wish)

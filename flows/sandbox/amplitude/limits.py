"""What Amplitude allows, as far as a test may want it otherwise."""

from dataclasses import dataclass

from flows.sandbox import simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(simulator.Limits):
    """The limits of the simulator, beside those that every one has.

    parallel: requests at once over all projects, 429 past it (the Dashboard REST page's 5).
    widest_days: days that one request may span. size_cap_bytes: largest zip, 400 above it.
    timeout_hours: requests of more hours than this get 504; None never, 0 always.
    ready_after_hours: hour H shows from H:00 plus this on.
    """

    parallel: int = 5
    widest_days: int = 365
    size_cap_bytes: int = 4 * 1024**3
    timeout_hours: int | None = None
    ready_after_hours: float = 3

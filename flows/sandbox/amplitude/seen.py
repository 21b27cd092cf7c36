"""What the simulator was asked, for tests of politeness."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """One answered request. start, end: hours as they were written; status 0: cut on purpose."""

    project: str | None
    start: str
    end: str
    status: int

"""What the simulator was asked, for tests of politeness."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """One answered request.

    table: of an export, or "management". parameters: as they were sent, the last one of a name;
    cache_control: that header, None without it; status: 0 for an answer cut on purpose; text: what
    was said where no data were sent.
    """

    table: str
    parameters: dict[str, str] = field(default_factory=dict)
    cache_control: str | None = None
    status: int = 200
    text: str = ""

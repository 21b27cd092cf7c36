"""An answer that is not the data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer without data."""

    status: int
    text: str

"""What a vendor allows and how fast it is, as far as a test may want it otherwise."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from flows.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What every simulator has.

    delay_seconds: wait before each answer. chunk_bytes, chunk_delay_seconds: how a body is sent,
    slowly if wished.
    """

    delay_seconds: float = 0
    chunk_bytes: int = 256 * 1024
    chunk_delay_seconds: float = 0

    def changed(self, wish: dict[str, Any]) -> Self:
        """A copy with some limits changed; BadRequest names what is no limit."""
        unknown = set(wish) - {field.name for field in fields(self)}
        if unknown:
            raise BadRequest(f"no such limit: {', '.join(sorted(unknown))}")
        return replace(self, **wish)

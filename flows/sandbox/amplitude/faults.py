"""Faults that a test or a user asks for: what goes wrong, how often, and for whom."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from flows.errors import BadRequest


class FaultKind(StrEnum):
    """What can go wrong. Numbers are answers with that status; the rest are spoilt 200s."""

    BAD_REQUEST = "400"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    TIMED_OUT = "504"
    CUT = "cut"  # the connection ends in mid-body
    RESET = "reset"  # the connection is reset (RST) in mid-body
    HTML = "html"  # 200 with a page that is no zip
    TRUNCATED = "truncated"  # a well-ended answer that holds the first half of the zip
    CORRUPT = "corrupt"  # one gzip member does not inflate; the zip's own checksums are right
    MALFORMED = "malformed"  # one line is half a JSON object


HOUR_FORMAT = "%Y%m%dT%H"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    times: how many requests it spoils, None for all; project: only this one; start, end: only
    requests that touch these hours (aware, UTC, both inclusive); retry_after: seconds to wait, sent
    as a header.
    """

    kind: FaultKind
    times: int | None = 1
    project: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    retry_after: int | None = None

    @classmethod
    def of(cls, wish: dict[str, Any]) -> Self:
        """From the control address's JSON: {"fault": "502", "times": 2, "start": "20250106T00"}."""
        unknown = set(wish) - {"fault", "times", "project", "start", "end", "retry_after"}
        if unknown:
            raise BadRequest(f"a fault has no {', '.join(sorted(unknown))}")
        try:
            return cls(
                FaultKind(str(wish.get("fault"))),
                wish.get("times", 1),
                wish.get("project"),
                _hour(wish.get("start")),
                _hour(wish.get("end")),
                wish.get("retry_after"),
            )
        except ValueError as problem:
            kinds = ", ".join(FaultKind)
            raise BadRequest(f"{problem}; fault is one of {kinds}") from problem

    def concerns(self, project: str, start: datetime, end: datetime) -> bool:
        """Whether a request for these hours meets the fault."""
        return (
            self.project in (None, project)
            and (self.start is None or end >= self.start)
            and (self.end is None or start <= self.end)
        )

    def whom(self) -> dict[str, str | None]:
        """Whom it concerns, as the control address tells it."""
        return {"project": self.project}


def _hour(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(f"{text}+0000", f"{HOUR_FORMAT}%z")

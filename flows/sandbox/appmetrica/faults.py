"""Faults that a test or a user asks for: what goes wrong, how often, when, and for whom."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from flows.errors import BadRequest
from flows.sandbox.appmetrica import texts
from flows.sandbox.simulator import Refusal


class FaultKind(StrEnum):
    """What can go wrong. Numbers are answers with that status; the rest are told beside them."""

    BAD_REQUEST = "400"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    QUOTA = "420"
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    TIMED_OUT = "504"
    MORE_PARTS = "more_parts"  # 400 "Try to use more parts."
    STALL = "stall"  # the job does not move; its progress stands
    CUT = "cut"  # the connection ends in mid-body
    RESET = "reset"  # the connection is reset (RST) in mid-body
    TRUNCATED = "truncated"  # a well-ended answer with half of the file; a CSV ends with a row
    HTML = "html"  # 200 with a page


class Phase(StrEnum):
    """When a fault strikes."""

    ASK = "ask"  # the first request of a job
    POLL = "poll"  # a later one, while the job waits or runs
    FILE = "file"  # the one that would be answered with the file


#: These can only happen to a file.
SPOILS = frozenset({FaultKind.CUT, FaultKind.RESET, FaultKind.TRUNCATED, FaultKind.HTML})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    times: how many requests it spoils, None for all; phase: only then, None for as soon as it can;
    table: only requests for this one ("management" for that API, which others leave alone);
    contains: only requests whose decoded query has this text, such as a date; retry_after: seconds
    to wait, sent as a header; percent: where a stalled job stands.
    """

    kind: FaultKind
    times: int | None = 1
    phase: Phase | None = None
    table: str | None = None
    contains: str = ""
    retry_after: int | None = None
    percent: int = 97

    @classmethod
    def of(cls, wish: dict[str, Any]) -> Self:
        """From the control address's JSON: {"fault": "502", "times": 2, "table": "events"}."""
        known = {field.name for field in fields(cls)} - {"kind"}
        unknown = set(wish) - known - {"fault"}
        if unknown:
            raise BadRequest(f"a fault has no {', '.join(sorted(unknown))}")
        given = {name: wish[name] for name in known if wish.get(name) is not None}
        given["times"] = wish.get("times", 1)
        try:
            kind = FaultKind(str(wish.get("fault")))
            if "phase" in given:
                given["phase"] = Phase(given["phase"])
        except ValueError as problem:
            kinds = ", ".join(FaultKind)
            raise BadRequest(f"{problem}; fault is one of {kinds}") from problem
        return cls(kind, **given)

    def concerns(self, phase: Phase | None, table: str, query: str) -> bool:
        """Whether a request meets the fault. query: decoded."""
        at_file = phase is Phase.FILE
        return (
            (self.kind not in SPOILS or at_file)
            and self.phase in (None, phase)
            and (self.table == table if table == MANAGEMENT else self.table in (None, table))
            and self.contains in query
        )

    def whom(self) -> dict[str, str | None]:
        """Whom it concerns, as the control address tells it."""
        return {"table": self.table, "phase": self.phase and str(self.phase)}

    def refusal(self) -> Refusal:
        """What is answered; only for kinds that are an answer."""
        if self.kind is FaultKind.MORE_PARTS:
            return Refusal(400, texts.MORE_PARTS)
        return Refusal(int(self.kind), texts.BY_STATUS[int(self.kind)])


MANAGEMENT = "management"

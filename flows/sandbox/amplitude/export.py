"""What the Export API answers to a request, faults aside: pure decisions, no sockets.

https://amplitude.com/docs/apis/analytics/export; the texts of 403 and 404 are the live service's.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from flows.sandbox.amplitude.clock import HOUR
from flows.sandbox.amplitude.faults import HOUR_FORMAT
from flows.sandbox.amplitude.limits import Limits
from flows.sandbox.amplitude.projects import Project
from flows.sandbox.simulator import Refusal

PATH = "/api/2/export"

INVALID_KEY = "Invalid API Key"
NOT_FOUND = "Raw data files were not found."
TOO_LARGE = (
    "The file size of the exported data is too large. Shorten the time ranges and try again."
    " The limit size is 4GB."
)
TIMED_OUT = "504 Gateway Time-out"
TOO_MANY = "Too many requests: at most 5 at a time."


@dataclass(frozen=True, slots=True)
class Span:
    """Upload hours, both inclusive, aware and UTC."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """How many hours."""
        return int((self.end - self.start) / HOUR) + 1


def project_of(
    authorization: str | None, projects: Mapping[str, Project], region: str
) -> Project | Refusal:
    """The project whose key pair the header holds; 403 for a wrong pair or another region's."""
    scheme, _, encoded = (authorization or "").partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    for project in projects.values():
        if project.region == region and pair == f"{project.client_id}:{project.secret_key}":
            return project
    return Refusal(403, INVALID_KEY)


def span_of(query: str, limits: Limits) -> Span | Refusal:
    """The hours asked for; 400 where start or end is missing or malformed, or makes no span."""
    asked = parse_qs(query)
    try:
        start, end = (_hour(asked[name]) for name in ("start", "end"))
    except (KeyError, ValueError):
        return Refusal(400, "start and end are required, as YYYYMMDDTHH")
    span = Span(start, end)
    if span.hours < 1:
        return Refusal(400, "end is before start")
    if span.hours > limits.widest_days * 24:
        return Refusal(400, f"the range is wider than {limits.widest_days} days")
    return span


def _hour(values: list[str]) -> datetime:
    (text,) = values
    if len(text) != len("YYYYMMDDTHH"):
        raise ValueError(text)
    return datetime.strptime(text, HOUR_FORMAT).replace(tzinfo=UTC)


def last_ready_hour(now: datetime, limits: Limits) -> datetime:
    """The youngest hour that can be exported at this moment."""
    ready = now.astimezone(UTC) - timedelta(hours=limits.ready_after_hours)
    return ready.replace(minute=0, second=0, microsecond=0)

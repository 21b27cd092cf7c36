"""The protocol of Amplitude's Export API, pure: what to ask, and what an answer means.

https://amplitude.com/docs/apis/analytics/export. Nothing here opens a connection or reads a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict
from urllib.parse import urlsplit

from flows.errors import Forbidden, VendorError, VendorFailed, WindowTooLarge
from flows.vendors.retries import is_page, quoted, retry_after_s
from flows.windows import Window

VENDOR = "amplitude"
PATH = "/api/2/export"

#: Hour H can be exported from H:00 + 3 h on, says the vendor's page (its example: 20 h shows at 23
#: h).
READY_AFTER = timedelta(hours=3)

#: So many bytes of an answer are enough to tell what it is: a zip's magic, or a sentence.
BYTES_TO_UNDERSTAND = 2048

_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # a member, or the end of a zip without members

#: What the live service says with a 404, in lower case.
_NOT_FOUND = b"raw data files were not found"

_S3_EXPORT = (
    "Only the vendor's own export to S3 can give it:"
    " https://amplitude.com/docs/data/destination-catalog/amazon-s3"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One request: which hours of which project, at which host.

    base_url: such as "https://amplitude.com" (US) or "https://analytics.eu.amplitude.com" (EU).
    source: "web" or "mobile", names the key pair's variables in errors.
    window: half-open; the request's hours are inclusive, so its last hour is the one before the
    end.
    """

    base_url: str
    source: str
    window: Window
    client_id: str = field(repr=False)
    secret_key: str = field(repr=False)

    @property
    def url(self) -> str:
        """Where to ask."""
        return self.base_url.rstrip("/") + PATH

    @property
    def params(self) -> dict[str, str]:
        """First and last hour, both inclusive, UTC."""
        last = self.window.end - timedelta(hours=1)
        return {"start": f"{self.window.start:%Y%m%dT%H}", "end": f"{last:%Y%m%dT%H}"}

    @property
    def auth(self) -> tuple[str, str]:
        """User and password of basic auth."""
        return self.client_id, self.secret_key

    @property
    def host(self) -> str:
        """The region's host, for errors."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def key_pair(self) -> str:
        """The names of the variables that hold the key pair."""
        prefix = f"AMPLITUDE_{self.source.upper()}"
        return f"{prefix}_CLIENT_ID and {prefix}_SECRET_KEY"

    def with_window(self, window: Window) -> "Question":
        """The same question for other hours."""
        return Question(self.base_url, self.source, window, self.client_id, self.secret_key)


@dataclass(frozen=True, slots=True)
class Data:
    """The body is a zip; whether a whole one shows when it is read."""


@dataclass(frozen=True, slots=True)
class NoData:
    """The hours are old enough and empty."""


@dataclass(frozen=True, slots=True)
class NotReady:
    """Nothing yet, and at least one hour is too young to say that it is empty."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """More than the 4 GB that one answer may have: ask fewer hours."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The vendor ran out of time over these hours: ask fewer."""


@dataclass(frozen=True, slots=True)
class Again:
    """The same question may work later. retry_after_s: the wait that the vendor asks for."""

    reason: str
    status: int | None = None
    retry_after_s: float | None = None


Answer = Data | NoData | NotReady | TooLarge | TimedOut | Again


def is_ready(window: Window, now: datetime) -> bool:
    """Whether the window's last hour, and so each of its hours, can be exported at `now`."""
    return now >= window.end - timedelta(hours=1) + READY_AFTER


def understand(
    question: Question,
    status: int,
    headers: Mapping[str, str],
    start_of_body: bytes,
    now: datetime,
) -> Answer:
    """What an answer means. The only place that reads a status code.

    headers: names in lower case, or a mapping that ignores case; start_of_body: the first
    BYTES_TO_UNDERSTAND bytes, or all; now: when the question was asked (aware).
    Raises Forbidden (401, 403) and VendorFailed (an answer that asking again will not change).
    """
    if status == 200:
        if start_of_body.startswith(_ZIP_STARTS):
            return Data()
        # It may be events, and so patients' data: nothing but a web server's page is repeated.
        kind = headers.get("content-type") or "nameless"
        said = quoted(start_of_body) if is_page(headers, start_of_body) else f"{kind} content"
        return Again(f"a 200 that is no zip but {said}", status)
    if status in (401, 403):
        raise Forbidden(
            f"Amplitude refuses the key pair in {question.key_pair} at {question.host} ({status}):"
            " the pair is wrong, belongs to a project of the other region (AMPLITUDE_BASE_URL), or"
            " may not export.",
            **_where(question, status),
        )
    if status == 404 and not _is_page(headers, start_of_body):
        return NoData() if is_ready(question.window, now) else NotReady()
    if status == 400:
        # The question was checked before it was sent, so this is the other meaning of a 400.
        return TooLarge()
    if status == 504:
        return TimedOut()
    if status in (408, 425, 429) or status >= 500:
        wait = retry_after_s(headers.get("retry-after"), now)
        return Again(f"status {status}", status, wait)
    raise VendorFailed(
        f"Amplitude answers {status} for {question.window} at {question.url}:"
        f" {quoted(start_of_body)}. Is AMPLITUDE_BASE_URL right?",
        **_where(question, status),
    )


def too_large(question: Question) -> VendorError:
    """The error for one hour that is above the vendor's limit of 4 GB."""
    return WindowTooLarge(
        f"The hour {question.window.start:%Y-%m-%d %H}:00 UTC ({question.source}) is too large:"
        f" the Export API gives 4 GB at most (400). {_S3_EXPORT}",
        **_where(question, 400),
    )


def timed_out(question: Question) -> VendorError:
    """The error for one hour over which the vendor runs out of time."""
    return WindowTooLarge(
        f"The Export API timed out (504) over the single hour"
        f" {question.window.start:%Y-%m-%d %H}:00 UTC ({question.source}). Run again later; if it"
        f" stays so: {_S3_EXPORT}",
        **_where(question, 504),
    )


def gave_up(question: Question, last: Again, tries: int) -> VendorError:
    """The error after the last try; `last` is the trouble that the last one met."""
    return VendorFailed(
        f"Amplitude kept failing for {question.window} ({question.source}) at {question.host}:"
        f" {tries} tries, the last met {last.reason}. Run again later.",
        **_where(question, last.status),
    )


class _Where(TypedDict):
    vendor: str
    window: str
    status: int | None


def _where(question: Question, status: int | None) -> _Where:
    return {"vendor": VENDOR, "window": str(question.window), "status": status}


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a 404 is a web server's page, not the API's: a wrong address is no empty day."""
    if _NOT_FOUND in body.lower():
        return False
    return is_page(headers, body)

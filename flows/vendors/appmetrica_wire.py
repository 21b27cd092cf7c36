"""The protocol of AppMetrica's Logs API, pure: what to ask, and what an answer means.

https://appmetrica.yandex.com/docs/en/mobile-api/logs/request-procedure. An export is asked again
and again under one URL, which is the job's name, until the file is there. Nothing here opens a
connection or reads a clock.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict
from urllib.parse import urlsplit

from flows.errors import BadRequest, Forbidden, VendorError, VendorFailed, WindowTooLarge
from flows.vendors.retries import is_page, quoted, retry_after_s

VENDOR = "appmetrica"

#: Says whether the Logs API is up ("enabled") to who bears a good token: the cheapest request.
STATUS_PATH = "/management/v1/logsapi/status"

#: So many bytes of an answer that is no file are enough to tell what it is.
BYTES_TO_UNDERSTAND = 4096

#: The vendor's loader polls every 10 s and waits 60 s when the queue is full; here the waits keep
#: that order whatever the interval is: 12 times the default of 5 s is a minute.
BUSY_INTERVALS = 12

#: Parts are doubled up to this. A day of 3.25 million events (the vendor's quota) needs a few.
MOST_PARTS = 1024

_MORE_PARTS = "try to use more parts"
_PROGRESS = re.compile(r"Progress is (\d+)\s*%")


@dataclass(frozen=True, slots=True)
class Export:
    """The rows that are wanted.

    table: one of the 13; params: URL parameters without parts, in a fixed order, since they are the
    job's name; window: such as "events 2025-01-06", for errors.
    """

    table: str
    params: tuple[tuple[str, str], ...]
    window: str

    @property
    def job_id(self) -> str:
        """The same for the same URL, whatever its host: 16 hexadecimal digits."""
        text = json.dumps([self.table, self.params])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    base_url: such as "https://api.appmetrica.yandex.net"; token: OAuth; window: what is asked, for
    errors.
    """

    base_url: str
    token: str = field(repr=False)
    path: str
    params: tuple[tuple[str, str], ...]
    window: str

    @classmethod
    def of_export(
        cls, base_url: str, token: str, export: Export, parts_count: int, part_number: int
    ) -> "Question":
        """One part of an export, part_number from 0; a single part is not named in the URL."""
        parts = (("parts_count", str(parts_count)), ("part_number", str(part_number)))
        return cls(
            base_url,
            token,
            f"/logs/v1/export/{export.table}.json",
            export.params + (parts if parts_count > 1 else ()),
            export.window + (f" part {part_number} of {parts_count}" if parts_count > 1 else ""),
        )

    @property
    def url(self) -> str:
        """Where to ask."""
        return self.base_url.rstrip("/") + self.path

    @property
    def host(self) -> str:
        """For errors."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    def headers(self, *, anew: bool) -> dict[str, str]:
        """anew: have the file built now; on each poll this would begin the job again for ever."""
        headers = {"Authorization": f"OAuth {self.token}"}
        return headers | {"Cache-Control": "no-cache"} if anew else headers


@dataclass(frozen=True, slots=True)
class Data:
    """The body is what was asked; whether a whole one shows when it is read.

    rows: how many the vendor says it has, where it says so.
    """

    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The job is queued or at work: ask the same URL again. percent: None while it is queued."""

    percent: int | None = None

    def __str__(self) -> str:
        return "queued" if self.percent is None else f"{self.percent} %"


@dataclass(frozen=True, slots=True)
class MoreParts:
    """Too many rows for one answer: ask in twice as many parts, from part 0."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A full queue or a used-up quota: wait long, then ask again; nothing was begun."""

    reason: str
    status: int
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """The same question may work soon. retry_after_s: the wait that the vendor asks for."""

    reason: str
    status: int | None = None
    retry_after_s: float | None = None


Answer = Data | Waiting | MoreParts | Busy | Again


def understand(
    question: Question,
    status: int,
    headers: Mapping[str, str],
    start_of_body: bytes,
    now: datetime,
) -> Answer:
    """What an answer means. The only place that reads a status code.

    headers: names in lower case, or a mapping that ignores case; start_of_body: the first
    BYTES_TO_UNDERSTAND bytes, or all; of a 200 none are needed; now: an aware moment.
    Raises Forbidden (401, 403), BadRequest (400: the vendor's sentence names the field), and
    VendorFailed (an answer that asking again will not change).
    """
    if status == 200:
        rows = headers.get("rows-number", "")
        return Data(int(rows) if rows.isascii() and rows.isdigit() else None)
    text = start_of_body.decode("utf-8", "replace")
    if status == 202:
        found = _PROGRESS.search(text)
        return Waiting(int(found[1]) if found else None)
    if status == 400 and _MORE_PARTS in text.lower():
        return MoreParts()
    if status == 400:
        raise BadRequest(
            f"AppMetrica refuses the request for {question.window}: {_said(start_of_body)}"
        )
    if status in (401, 403):
        raise Forbidden(
            f"AppMetrica refuses the token in APPMETRICA_API_KEY at {question.host} ({status}): it"
            " is wrong or has expired, or may not read the application in APPMETRICA_APPLICATION_ID"
            f" (asked: {question.window}).",
            **_where(question, status),
        )
    wait = retry_after_s(headers.get("retry-after"), now)
    if status in (420, 429):
        return Busy(f"status {status}, {_said(start_of_body)}", status, wait)
    if status in (408, 425) or status >= 500:
        return Again(f"status {status}", status, wait)
    said = "a page" if is_page(headers, start_of_body) else _said(start_of_body)
    raise VendorFailed(
        f"AppMetrica answers {status} for {question.window} at {question.url}: {said}."
        " Is APPMETRICA_BASE_URL right?",
        **_where(question, status),
    )


def broken(window: str, what: str) -> VendorFailed:
    """The error for a file that is cut, or is no list of rows. what: no word of the file's."""
    return VendorFailed(
        f"AppMetrica's answer for {window} is broken: {what}",
        vendor=VENDOR,
        window=window,
        status=200,
    )


def too_many_parts(question: Question) -> VendorError:
    """The error for a window that is too large for MOST_PARTS parts."""
    return WindowTooLarge(
        f"{question.window} is too large even in {MOST_PARTS} parts. The vendor's Data Stream API"
        " is made for so much: https://appmetrica.yandex.com/docs/en/mobile-api/datastream/about",
        **_where(question, 400),
    )


def poll_timed_out(question: Question, last: Waiting, waited_s: float) -> VendorError:
    """The error for a job that is not ready in time; the vendor goes on with it."""
    return VendorFailed(
        f"AppMetrica has {question.window} not ready after {waited_s:,.0f} s, last progress:"
        f" {last}. The vendor goes on building it, and the next run takes it up where it is then;"
        " jobs that always take longer need a larger APPMETRICA_POLL_TIMEOUT_SECONDS.",
        **_where(question, 202),
    )


def gave_up(question: Question, last: Again | Busy, tries: int) -> VendorError:
    """The error after the last try; `last` is the trouble that the last one met."""
    return VendorFailed(
        f"AppMetrica kept failing for {question.window} at {question.host}: {tries} tries, the last"
        f" met {last.reason}. Run again later.",
        **_where(question, last.status),
    )


class _Where(TypedDict):
    vendor: str
    window: str
    status: int | None


def _where(question: Question, status: int | None) -> _Where:
    return {"vendor": VENDOR, "window": question.window, "status": status}


def _said(body: bytes) -> str:
    """The vendor's sentence, out of its JSON where it is in one."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return quoted(body, 500)
    message = told.get("message") if isinstance(told, dict) else None
    return quoted(message.encode() if isinstance(message, str) else body, 500)

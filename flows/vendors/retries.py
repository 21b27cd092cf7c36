"""How patiently a vendor is asked again, and what all vendors' answers have in common."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Retries:
    """The bounds of asking one question again.

    tries: most requests; total_s: no try starts later than this after the first; first_wait_s:
    doubled before each further try up to longest_wait_s, of which between half and all is waited
    (jitter). A Retry-After of the vendor is waited in full, if that stays within total_s.
    """

    tries: int = 6
    total_s: float = 1200.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0

    def wait_s(self, tries_done: int, asked_s: float | None) -> float:
        """Seconds to wait after so many tries; asked_s: the vendor's Retry-After, or None."""
        doubled = self.first_wait_s * 2.0 ** (tries_done - 1)
        jittered = min(self.longest_wait_s, doubled) * random.uniform(0.5, 1.0)  # noqa: S311
        return max(jittered, asked_s or 0.0)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header (seconds or a date); None if absent or malformed."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def is_page(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is a web server's page, not the API's: a sign of a wrong address."""
    return "html" in headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"


def quoted(body: bytes, length: int = 80) -> str:
    """The first bytes of an unexpected body, made safe for a log line."""
    if not body:
        return "nothing"
    text = body[:length].decode("utf-8", "replace")
    return repr("".join(letter if letter.isprintable() else " " for letter in text).strip())

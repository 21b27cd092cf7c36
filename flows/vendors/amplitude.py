"""The client of Amplitude's Export API: streams answers to files, retries, halves windows.

What an answer means is said in `amplitude_wire.py`; how its zip is read, in `amplitude_zip.py`.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

import httpx

from flows.errors import VendorFailed
from flows.settings import Amplitude
from flows.vendors.amplitude_wire import (
    BYTES_TO_UNDERSTAND,
    VENDOR,
    Again,
    Answer,
    Data,
    NotReady,
    Question,
    TimedOut,
    TooLarge,
    gave_up,
    is_ready,
    timed_out,
    too_large,
    understand,
)
from flows.vendors.retries import Retries
from flows.windows import Window

_log = logging.getLogger(__name__)

#: Requests at once over the whole process. The vendor allows 5 over all its REST APIs; one is left
#: free.
MOST_REQUESTS = 4
_slots = threading.BoundedSemaphore(MOST_REQUESTS)

#: Seconds. A large answer may take minutes until its first byte; the vendor's own gateway gives up
#: first.
_TIMEOUT = httpx.Timeout(300.0, connect=20.0)

_CHUNK_BYTES = 256 * 1024

#: What a caller does with an answer: reads the zip at the path; VendorFailed says that it is
#: broken.
Take = Callable[[Path, Window], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a window.

    has_data: at least one answer was a zip; ready: all its hours were old enough, so that nothing
    can be missing; downloaded_bytes: sum of the answers' sizes; refused_hours: the fewest hours
    that proved too many for one answer, None where none did.
    """

    has_data: bool
    ready: bool
    downloaded_bytes: int
    refused_hours: int | None = None

    def __add__(self, other: "Fetched") -> "Fetched":
        refused = [hours for hours in (self.refused_hours, other.refused_hours) if hours]
        return Fetched(
            self.has_data or other.has_data,
            self.ready and other.ready,
            self.downloaded_bytes + other.downloaded_bytes,
            min(refused, default=None),
        )


class ExportClient:
    """Asks the Export API of one project. Thread-safe; use as a context manager.

    source: "web" or "mobile". directory: for temporary files (default: the system's).
    now: the clock that says which hours are ready. widest_hours: wider windows are not asked but
    halved at once, as they are known to be too large. MissingSetting if the key pair is not set.
    """

    def __init__(
        self,
        settings: Amplitude,
        source: str,
        *,
        directory: Path | None = None,
        retries: Retries | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        widest_hours: int = 24,
    ) -> None:
        self._base_url = str(settings.base_url)
        self._source = source
        self._key_pair = settings.key_pair(source)
        self._directory = directory
        self._retries = retries or Retries()
        self._now = now
        self._widest_hours = max(1, widest_hours)
        self._stopped = threading.Event()
        self._http = httpx.Client(
            timeout=_TIMEOUT,
            # The bodies are zips: another layer of compression would only cost time.
            headers={"Accept": "application/zip", "Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._http.close()

    def stop(self) -> None:
        """Let no other request start; threads that wait for one give up at once."""
        self._stopped.set()

    def fetch(self, window: Window, take: Take) -> Fetched:
        """Ask a window and hand each zip to `take`, in time order; each hour is handed over once.

        Too large or timed out: the window is halved, down to single hours.
        `take` may be called again for the same window when it raised VendorFailed (a broken zip),
        so it must forget what it took from the broken one.
        Raises Forbidden, WindowTooLarge, VendorFailed.
        """
        if window.hours > self._widest_hours:
            return self._fetch_halves(window, take)
        question = Question(self._base_url, self._source, window, *self._key_pair)
        answer, fetched = self._insist(question, take)
        if isinstance(answer, TooLarge | TimedOut):
            if window.hours > 1:
                halves = self._fetch_halves(window, take)
                return replace(halves, refused_hours=halves.refused_hours or window.hours)
            raise too_large(question) if isinstance(answer, TooLarge) else timed_out(question)
        return fetched

    def _fetch_halves(self, window: Window, take: Take) -> Fetched:
        first, second = window.halves()
        return self.fetch(first, take) + self.fetch(second, take)

    def _insist(self, question: Question, take: Take) -> tuple[Answer, Fetched]:
        """Ask until the answer is one that asking again would not better."""
        started = time.monotonic()
        tries = 0
        while True:
            self._check_stopped(question)
            asked_at = self._now()
            answer, size = self._ask(question, take, asked_at)
            tries += 1
            if not isinstance(answer, Again):
                ready = not isinstance(answer, NotReady) and is_ready(question.window, asked_at)
                return answer, Fetched(isinstance(answer, Data), ready, size)
            wait_s = self._retries.wait_s(tries, answer.retry_after_s)
            late = time.monotonic() - started + wait_s > self._retries.total_s
            if tries >= self._retries.tries or late:
                raise gave_up(question, answer, tries)
            _log.info("%s: %s, asking again in %.1f s", question.window, answer.reason, wait_s)
            self._stopped.wait(wait_s)

    def _ask(self, question: Question, take: Take, asked_at: datetime) -> tuple[Answer, int]:
        """One request. The zip is taken before the answer counts as data; returns its size too."""
        with tempfile.NamedTemporaryFile(dir=self._directory, suffix=".zip") as file:
            answer = self._download(question, file, asked_at)
            size = file.tell()
            if not isinstance(answer, Data):
                return answer, 0
            file.flush()
            try:
                take(Path(file.name), question.window)
            except VendorFailed as broken:
                return Again(broken.message, broken.status), 0
            return answer, size

    def _download(self, question: Question, file: IO[bytes], asked_at: datetime) -> Answer:
        with _slots:
            self._check_stopped(question)
            try:
                with self._http.stream(
                    "GET", question.url, params=question.params, auth=question.auth
                ) as response:
                    chunks = response.iter_bytes(_CHUNK_BYTES)
                    start = b""
                    while len(start) < BYTES_TO_UNDERSTAND and (chunk := next(chunks, b"")):
                        start += chunk
                    answer = understand(
                        question, response.status_code, response.headers, start, asked_at
                    )
                    if isinstance(answer, Data):
                        file.write(start)
                        for chunk in chunks:
                            file.write(chunk)
                            self._check_stopped(question)
                    return answer
            except (httpx.TransportError, httpx.DecodingError) as error:
                return Again(f"{type(error).__name__}: {error}")

    def _check_stopped(self, question: Question) -> None:
        if self._stopped.is_set():
            raise VendorFailed(
                f"{question.window} was not asked: the export has stopped",
                vendor=VENDOR,
                window=str(question.window),
            )

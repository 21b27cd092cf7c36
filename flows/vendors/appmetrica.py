"""The client of AppMetrica's Logs API: begins jobs, polls them, streams files, retries.

What an answer means is said in `appmetrica_wire.py`; how a file is read, in `appmetrica_json.py`.
"""

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

import httpx

from flows.errors import VendorFailed
from flows.settings import AppMetrica, Limits
from flows.vendors.appmetrica_wire import (
    BUSY_INTERVALS,
    BYTES_TO_UNDERSTAND,
    MOST_PARTS,
    STATUS_PATH,
    VENDOR,
    Again,
    Answer,
    Busy,
    Data,
    Export,
    MoreParts,
    Question,
    Waiting,
    broken,
    gave_up,
    poll_timed_out,
    too_many_parts,
    understand,
)
from flows.vendors.retries import Retries

_log = logging.getLogger(__name__)

#: Jobs at once over the whole process. The vendor takes 3 of an application and works on one; one
#: is left free, so that somebody else's export is not refused.
MOST_JOBS = 2
_slots = threading.BoundedSemaphore(MOST_JOBS)

#: The jobs of ours that the vendor is at work on. It takes one after the other, so the time that a
#: job spends in the queue behind another one of ours is no time that it was waited for.
_at_work: set[object] = set()

#: Seconds between two looks at whether a thread that waits for a slot should stop.
_LOOK_UP_S = 0.2

#: Seconds. A file is ready when its answer begins, so only a broken connection is silent for long.
_TIMEOUT = httpx.Timeout(120.0, connect=20.0)

_CHUNK_BYTES = 256 * 1024

#: After so many broken answers the file is built anew instead of sent once more.
_BROKEN_BEFORE_ANEW = 3

#: What a caller does with a part: (part number, file) -> number of rows; VendorFailed says that the
#: file is cut or broken. Part 0 begins anew: whatever was taken before is to be forgotten.
Take = Callable[[int, Path], int]


@dataclass(frozen=True, slots=True)
class Place:
    """A part of an export; each is a job of its own. part_number: from 0."""

    parts_count: int = 1
    part_number: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """What a caller is told while a job runs.

    begun: the vendor has taken a part of a job into its queue; progress: what it says of it;
    received: bytes that came; refused: the vendor wants more parts.
    """

    begun: Callable[[Place], None] = lambda _: None
    progress: Callable[[Waiting], None] = lambda _: None
    received: Callable[[int], None] = lambda _: None
    refused: Callable[[Place], None] = lambda _: None


class LogsClient:
    """Asks the Logs API for one application. Thread-safe; use as a context manager.

    directory: for temporary files (default: the system's). retries: the bounds for trouble; how
    long a job is waited for is a setting.
    """

    def __init__(
        self,
        settings: AppMetrica,
        *,
        directory: Path | None = None,
        retries: Retries | None = None,
    ) -> None:
        self._settings = settings
        self._limits = Limits.load()
        self._base_url = str(settings.base_url)
        self._token = settings.api_key.get_secret_value()
        self._directory = directory
        self._retries = retries or Retries()
        self._stopped = threading.Event()
        self._http = httpx.Client(timeout=_TIMEOUT, headers={"Accept-Encoding": "gzip"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._http.close()

    def stop(self) -> None:
        """Let no other request start; threads that wait give up. Jobs stay at the vendor."""
        self._stopped.set()

    def fetch(
        self,
        export: Export,
        take: Take,
        *,
        parts_count: int = 1,
        takes_up: Callable[[Place], bool] = lambda _: False,
        watch: Watch | None = None,
    ) -> None:
        """Have the vendor build an export, wait for it, and hand each part to `take`, in order.

        "Try to use more parts" doubles the number of parts and begins again with part 0.
        parts_count: to begin with. takes_up: whether a job is taken up where it is, because an
        earlier run has begun it, and not begun anew.
        Raises BadRequest (the vendor's sentence names the field), Forbidden, WindowTooLarge,
        VendorFailed (also when a job is not ready in time).
        """
        watch = watch or Watch()
        part_number = 0
        while part_number < parts_count:
            question = Question.of_export(
                self._base_url, self._token, export, parts_count, part_number
            )
            place = Place(parts_count, part_number)
            with self._slot(question):
                answer = self._insist(question, take, place, watch, anew=not takes_up(place))
            part_number += 1
            if isinstance(answer, MoreParts):
                watch.refused(place)
                parts_count, part_number = parts_count * 2, 0
                if parts_count > MOST_PARTS:
                    raise too_many_parts(question)

    def read(self, path: str) -> Any:
        """The JSON that a path of the management API answers with. Raises as `fetch` does."""
        question = Question(self._base_url, self._token, path, (), path)
        found: list[Any] = []

        def take(_: int, file: Path) -> int:
            try:
                found.append(json.loads(file.read_bytes()))
            except (ValueError, RecursionError):
                raise broken(path, "it is no JSON") from None
            return 0

        self._insist(question, take, Place(), Watch(), anew=False)
        return found[-1]

    def _insist(
        self, question: Question, take: Take, place: Place, watch: Watch, *, anew: bool
    ) -> Data | MoreParts:
        """Ask one URL until its answer is there.

        anew: begin the job anew. It is so until the vendor has taken the request, never after.
        """
        retries = self._retries
        alive_at = time.monotonic()
        waiting_since: float | None = None
        asked = busy = failed = broken_files = 0
        while True:
            answer = self._ask(question, take, place, watch, anew=anew)
            asked += 1
            now = time.monotonic()
            if isinstance(answer, Data | MoreParts):
                return answer
            if isinstance(answer, Waiting):
                if anew:
                    watch.begun(place)
                watch.progress(answer)
                anew = False
                alive_at = now
                failed = broken_files
                if answer.percent is not None:
                    _at_work.add(question)
                elif _at_work:
                    waiting_since = None
                waiting_since = now if waiting_since is None else waiting_since
                left_s = waiting_since + self._settings.poll_timeout_seconds - now
                if left_s <= 0:
                    raise poll_timed_out(question, answer, now - waiting_since)
                self._stopped.wait(min(left_s, self._settings.poll_interval_seconds))
                continue
            if isinstance(answer, Busy):
                busy += 1
                wait_s = answer.retry_after_s
                if wait_s is None:
                    wait_s = BUSY_INTERVALS * self._settings.poll_interval_seconds
                wait_s = retries.wait_s(busy, wait_s)
            else:
                failed += 1
                wait_s = retries.wait_s(failed, answer.retry_after_s)
                if answer.status == 200:
                    # The vendor keeps its file: one that comes broken again and again is so there.
                    broken_files += 1
                    anew = broken_files % _BROKEN_BEFORE_ANEW == 0
            if failed >= retries.tries or now - alive_at + wait_s > retries.total_s:
                raise gave_up(question, answer, asked)
            _log.info("%s: %s, asking again in %.1f s", question.window, answer.reason, wait_s)
            self._stopped.wait(wait_s)

    def _ask(
        self, question: Question, take: Take, place: Place, watch: Watch, *, anew: bool
    ) -> Answer:
        """One request. The file is taken before the answer counts as data."""
        self._check_stopped(question.window)
        with tempfile.NamedTemporaryFile(dir=self._directory, suffix=".json") as file:
            answer = self._download(question, file, watch, anew=anew)
            if not isinstance(answer, Data):
                return answer
            file.flush()
            try:
                rows = take(place.part_number, Path(file.name))
            except VendorFailed as damage:
                return Again(damage.message, 200)
            # Over several parts nobody knows what the number would count.
            if place.parts_count == 1 and answer.rows not in (None, rows):
                return Again(f"{rows} rows where the vendor says {answer.rows}", 200)
            return answer

    def _download(self, question: Question, file: IO[bytes], watch: Watch, *, anew: bool) -> Answer:
        status = None
        try:
            with self._http.stream(
                "GET",
                question.url,
                params=question.params,
                headers=question.headers(anew=anew),
            ) as response:
                chunks = response.iter_bytes(_CHUNK_BYTES)
                start = b""
                if response.status_code != 200:
                    while len(start) < BYTES_TO_UNDERSTAND and (chunk := next(chunks, b"")):
                        start += chunk
                answer = understand(
                    question, response.status_code, response.headers, start, datetime.now(UTC)
                )
                if isinstance(answer, Data):
                    status = 200
                    for chunk in chunks:
                        file.write(chunk)
                        if self._limits.is_bomb(file.tell(), response.num_bytes_downloaded):
                            raise broken(question.window, "it inflates to too much: a gzip bomb")
                        watch.received(len(chunk))
                        self._check_stopped(question.window)
                return answer
        except (httpx.TransportError, httpx.DecodingError) as error:
            return Again(f"{type(error).__name__}: {error}", status)

    @contextmanager
    def _slot(self, question: Question) -> Iterator[None]:
        while not _slots.acquire(timeout=_LOOK_UP_S):
            self._check_stopped(question.window)
        try:
            yield
        finally:
            _at_work.discard(question)
            _slots.release()

    def _check_stopped(self, window: str) -> None:
        if self._stopped.is_set():
            raise VendorFailed(
                f"{window} was not asked: the export has stopped", vendor=VENDOR, window=window
            )


def ping(settings: AppMetrica | None = None) -> None:
    """Prove in one cheap request that the Logs API can be reached and the token is good.

    Raises MissingSetting, Forbidden, VendorFailed (not reachable, wrong address, or switched off by
    the vendor for the moment). https://appmetrica.yandex.com/docs/en/mobile-api/management
    """
    with LogsClient(settings or AppMetrica.load(), retries=Retries(tries=1)) as client:
        answer = client.read(STATUS_PATH)
    status = answer.get("status") if isinstance(answer, dict) else None
    if status != "enabled":
        raise VendorFailed(
            f"AppMetrica says that its Logs API is {status!r}: wait until it is enabled",
            vendor=VENDOR,
            window=STATUS_PATH,
            status=200,
        )

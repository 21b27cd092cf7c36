"""The jobs of all applications: a URL is a job, and jobs of one application run one by one.

A job takes a step whenever its application is asked for anything, as time passes for the vendor;
at its last step its file is built from the rows that show at that moment, and stays for 24 hours.
"""

import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from flows.sandbox.appmetrica import texts
from flows.sandbox.appmetrica.faults import Phase
from flows.sandbox.appmetrica.limits import Limits
from flows.sandbox.appmetrica.request import Export
from flows.sandbox.simulator import Refusal


@dataclass(frozen=True, slots=True)
class File:
    """A finished answer on disk."""

    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A file opened for one answer: another request may have it removed meanwhile."""

    body: BinaryIO
    file: File

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self.body.fileno()).st_size


@dataclass(slots=True)
class _Job:
    export: Export
    steps: int
    steps_left: int
    stands_at: int | None = None
    result: File | Refusal | None = None
    finished_at: datetime | None = None

    @property
    def text(self) -> str:
        if self.stands_at is not None:
            return texts.progress(self.stands_at)
        return texts.progress(100 * (self.steps - self.steps_left) // self.steps)


@dataclass(frozen=True, slots=True)
class CacheWish:
    """What the request's Cache-Control says: not from the cache, or not older than some seconds."""

    no_cache: bool = False
    max_age: int | None = None

    @classmethod
    def of(cls, header: str | None) -> "CacheWish":
        """From the header; what it does not know it ignores."""
        wishes = [wish.strip().lower() for wish in (header or "").split(",")]
        ages = [wish.removeprefix("max-age=") for wish in wishes if wish.startswith("max-age=")]
        max_age = int(ages[0]) if ages and ages[0].isdecimal() else None
        return cls("no-cache" in wishes, max_age)

    def takes(self, age: timedelta) -> bool:
        """Whether a file of this age will do."""
        return not self.no_cache and (
            self.max_age is None or age <= timedelta(seconds=self.max_age)
        )


class Jobs:
    """The job table.

    build: makes the file or tells what is wrong with it; stall: the percent at which a running job
    stands just now, None where it may move.
    """

    def __init__(
        self,
        build: Callable[[Export, Path, int], File | Refusal],
        stall: Callable[[Export], int | None],
    ) -> None:
        self._build = build
        self._stall = stall
        self._folder = tempfile.TemporaryDirectory(prefix="appmetrica-files-")
        self._jobs: dict[tuple[int, str], _Job] = {}
        self._queues: dict[int, list[_Job]] = defaultdict(list)
        self._lock = threading.RLock()
        self._built = 0

    def close(self) -> None:
        """Remove all files."""
        self._folder.cleanup()

    def phase_of(self, export: Export) -> Phase:
        """Whether a request for this would begin a job or look after one."""
        with self._lock:
            job = self._jobs.get(_key(export))
            return Phase.POLL if job and job.result is None else Phase.ASK

    def ask(
        self, export: Export, cache: CacheWish, now: datetime, limits: Limits
    ) -> str | Refusal | Ready:
        """Begin or look after a job: a text while it is not finished, or its result."""
        with self._lock:
            self._forget(now - timedelta(hours=limits.kept_hours))
            queue = self._queues[export.application.application_id]
            job = self._jobs.get(_key(export))
            text = texts.ADDED
            if job and job.finished_at and not cache.takes(now - job.finished_at):
                self._drop(job)
                job, text = None, texts.MOVED
            if job and job.result is None and cache.no_cache:
                queue.remove(job)
                queue.append(job)
                job.steps_left = job.steps
                if queue[0] is not job:
                    self._advance(queue, now)
                return texts.MOVED
            if job is None and len(queue) >= limits.queued:
                self._advance(queue, now)  # time passes for the others
                return Refusal(429, texts.TOO_MANY)
            if job is None:
                job = _Job(export, limits.steps, limits.steps)
                self._jobs[_key(export)] = job
                queue.append(job)
                if limits.steps:
                    return text
            if job.result is None:
                self._advance(queue, now)
            if isinstance(job.result, File):
                return Ready(job.result.path.open("rb"), job.result)
            if job.result is not None:
                return job.result
            return job.text if queue[0] is job else texts.ADDED

    def _advance(self, queue: list[_Job], now: datetime) -> None:
        if not queue:
            return
        job = queue[0]
        job.stands_at = self._stall(job.export)
        if job.stands_at is not None:
            return
        job.steps_left -= 1
        if job.steps_left > 0:
            return
        self._built += 1
        path = Path(self._folder.name) / f"{self._built}"
        job.result = self._build(job.export, path, self._built)
        job.finished_at = now
        queue.remove(job)

    def _forget(self, before: datetime) -> None:
        for job in list(self._jobs.values()):
            if job.finished_at and job.finished_at <= before:
                self._drop(job)

    def _drop(self, job: _Job) -> None:
        del self._jobs[_key(job.export)]
        if isinstance(job.result, File):
            job.result.path.unlink()


def _key(export: Export) -> tuple[int, str]:
    return export.application.application_id, export.job

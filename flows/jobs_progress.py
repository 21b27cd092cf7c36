"""How far an export is whose archives are jobs at the vendor: its own percent counts too."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from flows.vendors.appmetrica import Place, Watch
from flows.vendors.appmetrica_wire import Waiting


@dataclass(frozen=True, slots=True)
class JobsProgress:
    """How far an export is.

    archives: wanted; archives_done: of them; received_bytes, rows: so far; jobs: what the vendor
    says of those under way, such as ("events 2025-01-06", Waiting(97)).
    """

    archives: int
    archives_done: int = 0
    received_bytes: int = 0
    rows: int = 0
    jobs: tuple[tuple[str, Waiting], ...] = ()

    @property
    def percent(self) -> float:
        """Archives done of archives wanted, jobs counted as far as they are; 0 to 100."""
        under_way = sum(job.percent or 0 for _, job in self.jobs) / 100.0
        return 100.0 * min(1.0, (self.archives_done + under_way) / max(1, self.archives))

    def __str__(self) -> str:
        text = (
            f"{self.archives_done} of {self.archives} archives,"
            f" {self.received_bytes / 1e6:,.1f} MB, {self.rows:,} rows"
        )
        return "; ".join([text, *(f"{name}: {job}" for name, job in self.jobs)])


class JobsTally:
    """Counts over all threads; tells the caller from one."""

    def __init__(self, archives: int, done: int, progress: Callable[[JobsProgress], None]) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._jobs: dict[str, Waiting] = {}
        self._now = JobsProgress(archives, done)

    def job(self, name: str, waiting: Waiting) -> None:
        """Note what the vendor says of a job."""
        with self._lock:
            self._jobs[name] = waiting

    def received(self, received_bytes: int) -> None:
        """Count bytes that came."""
        with self._lock:
            at = self._now
            self._now = replace(at, received_bytes=at.received_bytes + received_bytes)

    def archive_done(self, name: str, rows: int) -> None:
        """Count an archive, whatever its job was called."""
        with self._lock:
            self._jobs.pop(name, None)
            at = self._now
            self._now = replace(at, archives_done=at.archives_done + 1, rows=at.rows + rows)

    def watch(
        self,
        name: str,
        begun: Callable[[Place], None] = lambda _: None,
        refused: Callable[[Place], None] = lambda _: None,
    ) -> Watch:
        """Ears for the client while it works on a job."""
        return Watch(begun, lambda waiting: self.job(name, waiting), self.received, refused)

    def tell(self) -> None:
        """Tell the caller, from this thread."""
        with self._lock:
            now = replace(self._now, jobs=tuple(sorted(self._jobs.items(), key=lambda job: job[0])))
        self._progress(now)

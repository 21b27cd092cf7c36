"""How far an export is, and how Prefect's users see it: a progress artifact and log lines."""

import time
from dataclasses import dataclass
from typing import Protocol, Self
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.run_log import run_log

#: Seconds between two updates: people read no faster, and each one is a request to the server.
_UPDATE_EVERY_S = 2.0
_LOG_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """days: asked; days_done: of them; ndjson_bytes, events: received so far."""

    days: int
    days_done: int
    ndjson_bytes: int
    events: int

    @property
    def percent(self) -> float:
        """Days done of days asked, 0 to 100."""
        return 100.0 * self.days_done / self.days

    def __str__(self) -> str:
        megabytes = self.ndjson_bytes / 1e6
        return f"{self.days_done} of {self.days} days, {megabytes:,.1f} MB, {self.events:,} events"


class Progress(Protocol):
    """How far something is: its text is a sentence for people."""

    @property
    def percent(self) -> float:
        """0 to 100."""


class PrefectProgress:
    """Shows progress in a flow run. Use as a context manager inside one, and tell it often."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._artifact: UUID | None = None
        self._latest: Progress | None = None
        self._logged: Progress | None = None
        self._updated_at = self._logged_at = float("-inf")

    def tell(self, progress: Progress) -> None:
        """Take in how far the export is; shows it if the last time is a while ago."""
        self._latest = progress
        now = time.monotonic()
        if now - self._updated_at >= _UPDATE_EVERY_S:
            self._update(progress)
            self._updated_at = now
        if now - self._logged_at >= _LOG_EVERY_S:
            self._log(progress)
            self._logged_at = now

    def _update(self, progress: Progress) -> None:
        if self._artifact is None:
            artifact = create_progress_artifact(
                progress.percent, key=self._key, description=str(progress)
            )
            self._artifact = artifact if isinstance(artifact, UUID) else None
        else:
            update_progress_artifact(self._artifact, progress.percent, description=str(progress))

    def _log(self, progress: Progress) -> None:
        if progress != self._logged:
            run_log().info("%s", progress)
            self._logged = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._latest is not None:
            self._update(self._latest)
            self._log(self._latest)

"""How far a load is, and how Prefect's users see it: a progress artifact and log lines."""

import time
from typing import Protocol
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.run_log import run_log


class HowFar(Protocol):
    """Anything that says how far it is: in percent, and as text."""

    @property
    def percent(self) -> float:
        """0 to 100."""


#: Seconds between two updates: each one is a request to the server.
_UPDATE_EVERY_S = 2.0


class PrefectLoadProgress:
    """Shows progress in a flow run; tell it often."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._artifact: UUID | None = None
        self._updated_at = float("-inf")

    def tell(self, progress: HowFar) -> None:
        """Take in how far a file is; shows it if that is due, or the file is done."""
        now = time.monotonic()
        if now - self._updated_at < _UPDATE_EVERY_S and progress.percent < 100:
            return
        self._updated_at = now
        if self._artifact is None:
            artifact = create_progress_artifact(
                progress.percent, key=self._key, description=str(progress)
            )
            self._artifact = artifact if isinstance(artifact, UUID) else None
        else:
            update_progress_artifact(self._artifact, progress.percent, description=str(progress))
        if progress.percent < 100:  # the end is told by whoever loads
            run_log().info("%s", progress)

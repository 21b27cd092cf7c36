"""A real HTTP server that behaves as the Amplitude Export API does, faults on demand.

with AmplitudeSimulator(data=folder) as amplitude:
    httpx.get(f"{amplitude.base_url}/api/2/export", params=…, auth=(client_id, secret_key))
"""

import tempfile
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from flows.errors import BadRequest
from flows.sandbox.amplitude.faults import Fault, FaultKind, Faults
from flows.sandbox.amplitude.fields import Row
from flows.sandbox.amplitude.handler import Handler, Server
from flows.sandbox.amplitude.limits import Limits
from flows.sandbox.amplitude.projects import MOBILE, WEB, Project
from flows.sandbox.amplitude.store import HourStore, encode_row, is_in_hours, sort_into_hours
from flows.sandbox.amplitude.traffic import Traffic


class AmplitudeSimulator:
    """The Export API of some projects on 127.0.0.1.

    projects: who may ask (default: the sandbox's web and mobile project).
    data: a folder of hour files (`web/2025-01-06/09.ndjson`), served in place, or any other folder
    of NDJSON, whose rows are first put into hours by their server_upload_time; None for no rows.
    port: None for a free one. now: the clock that readiness goes by (aware), None for the real one.
    region: which region's host this is; key pairs of another region are refused.
    """

    def __init__(
        self,
        projects: Iterable[Project] = (WEB, MOBILE),
        *,
        data: Path | None = None,
        port: int | None = None,
        now: Callable[[], datetime] | None = None,
        region: str = "us",
        limits: Limits | None = None,
    ) -> None:
        self.projects = {project.name: project for project in projects}
        self.limits = limits or Limits()
        self.region = region
        self.faults = Faults()
        self.traffic = Traffic()
        self._data = data
        self._sorted: tempfile.TemporaryDirectory[str] | None = None
        self.store = HourStore(self._hour_folder())
        self._port = port or 0
        self._clock = now or _real_clock
        self._now = self._clock
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def _hour_folder(self) -> Path | None:
        if self._data is None or not self._data.is_dir() or is_in_hours(self._data):
            return self._data
        self._sorted = tempfile.TemporaryDirectory(prefix="amplitude-hours-")
        sort_into_hours(self._data, Path(self._sorted.name))
        return Path(self._sorted.name)

    @property
    def port(self) -> int:
        """The port in use; 0 before a free one was taken."""
        return int(self._server.server_address[1]) if self._server else self._port

    @property
    def base_url(self) -> str:
        """What AMPLITUDE_BASE_URL should be."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve in a thread of its own; returns when connections are accepted."""
        self._server = Server(("127.0.0.1", self._port), Handler)
        self._server.simulator = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="amplitude", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection; stopping twice does no harm."""
        if self._server is not None and self._thread is not None:
            self._port = self.port
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._thread.join()
            self._server = self._thread = None
        if self._sorted is not None:
            self._sorted.cleanup()
            self._sorted = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def now(self) -> datetime:
        """The moment that readiness goes by."""
        return self._now()

    def set_now(self, moment: datetime | None) -> None:
        """Stop the clock at a moment; None lets the clock of the constructor run again."""
        self._now = self._clock if moment is None else lambda: moment

    def inject(
        self,
        kind: FaultKind | str,
        *,
        times: int | None = 1,
        project: str | None = None,
        start: str | None = None,
        end: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Spoil the next requests; see Fault. start, end as in a request (YYYYMMDDTHH)."""
        wish = {"fault": kind, "times": times, "project": project, "retry_after": retry_after}
        self.faults.add(Fault.of(wish | {"start": start, "end": end}))

    def add_events(self, project: str, rows: Iterable[Row], *, late: bool = False) -> int:
        """Add rows, each to its upload hour; late: seen from the second pull of that hour on."""
        return self.add_lines(project, (encode_row(row) for row in rows), late=late)

    def add_lines(self, project: str, lines: Iterable[bytes], *, late: bool = False) -> int:
        """Like add_events, with the lines as they shall be sent, malformed ones included."""
        if project not in self.projects:
            raise BadRequest(f"no project {project!r}; there are {', '.join(self.projects)}")
        return self.store.add(project, lines, late=late)


def _real_clock() -> datetime:
    return datetime.now(UTC)

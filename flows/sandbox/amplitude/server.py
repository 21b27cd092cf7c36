"""A real HTTP server that behaves as the Amplitude Export API does, faults on demand.

with AmplitudeSimulator(data=folder) as amplitude:
    httpx.get(f"{amplitude.base_url}/api/2/export", params=…, auth=(client_id, secret_key))
"""

import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.errors import BadRequest
from flows.sandbox.amplitude import control
from flows.sandbox.amplitude.faults import Fault, FaultKind
from flows.sandbox.amplitude.fields import Row
from flows.sandbox.amplitude.handler import Handler
from flows.sandbox.amplitude.limits import Limits
from flows.sandbox.amplitude.projects import MOBILE, WEB, Project
from flows.sandbox.amplitude.seen import Seen
from flows.sandbox.amplitude.store import HourStore, encode_row, is_in_hours, sort_into_hours
from flows.sandbox.simulator import Faults, Simulator, Traffic


class AmplitudeSimulator(Simulator):
    """The Export API of some projects on 127.0.0.1.

    projects: who may ask (default: the sandbox's web and mobile project).
    data: a folder of hour files (`web/2025-01-06/09.ndjson`), served in place, or any other folder
    of NDJSON, whose rows are first put into hours by their server_upload_time; None for no rows.
    port: None for a free one. now: the clock that readiness goes by (aware), None for the real one.
    region: which region's host this is; key pairs of another region are refused.
    """

    name = "amplitude"
    handler = Handler

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
        super().__init__(port=port, now=now)
        self.projects = {project.name: project for project in projects}
        self.limits: Limits = limits or Limits()
        self.region = region
        self.faults: Faults[Fault] = Faults()
        self.traffic: Traffic[Seen] = Traffic()
        self._data = data
        self._sorted: tempfile.TemporaryDirectory[str] | None = None
        self.store = HourStore(self._hour_folder())

    @property
    def variables(self) -> dict[str, str]:
        """The variables of `.env.example` that lead to the sandbox's two projects here."""
        return {
            "AMPLITUDE_BASE_URL": self.base_url,
            "AMPLITUDE_WEB_CLIENT_ID": WEB.client_id,
            "AMPLITUDE_WEB_SECRET_KEY": WEB.secret_key,
            "AMPLITUDE_MOBILE_CLIENT_ID": MOBILE.client_id,
            "AMPLITUDE_MOBILE_SECRET_KEY": MOBILE.secret_key,
        }

    def _hour_folder(self) -> Path | None:
        if self._data is None or not self._data.is_dir() or is_in_hours(self._data):
            return self._data
        self._sorted = tempfile.TemporaryDirectory(prefix="amplitude-hours-")
        sort_into_hours(self._data, Path(self._sorted.name))
        return Path(self._sorted.name)

    def stop(self) -> None:
        """Stop serving and close every connection; stopping twice does no harm."""
        super().stop()
        if self._sorted is not None:
            self._sorted.cleanup()
            self._sorted = None

    def fault_of(self, wish: dict[str, Any]) -> Fault:
        """See Fault.of."""
        return Fault.of(wish)

    def obey(self, method: str, subject: str, wish: dict[str, Any]) -> dict[str, Any]:
        """See control.py."""
        return control.obey(self, method, subject, wish)

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

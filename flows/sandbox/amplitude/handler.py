"""How the simulator answers a request: with data, a refusal or a fault.

Answers are built in a temporary file and sent from there in chunks: memory stays constant.
"""

import tempfile
import time
from typing import TYPE_CHECKING

from flows.sandbox.amplitude.archive import Damage, write_archive
from flows.sandbox.amplitude.export import (
    INVALID_KEY,
    NOT_FOUND,
    PATH,
    TIMED_OUT,
    TOO_LARGE,
    TOO_MANY,
    Span,
    last_ready_hour,
    project_of,
    span_of,
)
from flows.sandbox.amplitude.faults import FaultKind
from flows.sandbox.amplitude.projects import Project
from flows.sandbox.amplitude.seen import Seen
from flows.sandbox.simulator import Handler as AnyHandler
from flows.sandbox.simulator import Presence, Refusal

if TYPE_CHECKING:
    from flows.sandbox.amplitude.server import AmplitudeSimulator

_HTML = b"<!DOCTYPE html><html><head><title>Amplitude</title></head><body>One moment</body></html>"

_TEXTS = {
    400: TOO_LARGE,
    403: INVALID_KEY,
    404: NOT_FOUND,
    429: TOO_MANY,
    500: "Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: TIMED_OUT,
}
_DAMAGES = {FaultKind.CORRUPT: Damage.CORRUPT_MEMBER, FaultKind.MALFORMED: Damage.MALFORMED_LINE}
_CUTS = (FaultKind.CUT, FaultKind.RESET)


class Handler(AnyHandler):
    """One connection."""

    server_version = "AmplitudeSimulator"
    simulator: "AmplitudeSimulator"

    def respond(self, path: str, query: str) -> None:
        """Export."""
        if path == PATH:
            self._export(query)
        else:
            self.not_found()

    def _export(self, query: str) -> None:
        simulator = self.simulator
        with simulator.traffic.entered() as presence:
            time.sleep(simulator.limits.delay_seconds)
            project = project_of(
                self.headers.get("Authorization"), simulator.projects, simulator.region
            )
            if isinstance(project, Refusal):
                self._refuse(presence, None, query, project)
            elif presence.position > simulator.limits.parallel:
                self._refuse(presence, project, query, Refusal(429, TOO_MANY))
            else:
                span = span_of(query, simulator.limits)
                if isinstance(span, Refusal):
                    self._refuse(presence, project, query, span)
                else:
                    self._answer(presence, project, span, query)

    def _answer(self, presence: Presence, project: Project, span: Span, query: str) -> None:
        simulator = self.simulator
        fault = simulator.faults.take(
            lambda waiting: waiting.concerns(project.name, span.start, span.end)
        )
        if fault and fault.kind.isdigit():
            refusal = Refusal(int(fault.kind), _TEXTS[int(fault.kind)])
            self._refuse(presence, project, query, refusal, fault.retry_after)
            return
        if fault and fault.kind is FaultKind.HTML:
            self._note(project, query, 200)
            presence.leave()
            self.send(200, "text/html; charset=utf-8", _HTML)
            return
        limit = simulator.limits.timeout_hours
        if limit is not None and span.hours > limit:
            self._refuse(presence, project, query, Refusal(504, TIMED_OUT))
            return
        ready = min(span.end, last_ready_hour(simulator.now(), simulator.limits))
        hours = simulator.store.hours(project.name, span.start, ready)
        if not hours:
            self._refuse(presence, project, query, Refusal(404, NOT_FOUND))
            return
        with tempfile.TemporaryFile() as body:
            write_archive(
                body,
                project_id=project.project_id,
                hours=hours,
                size_of=lambda hour: simulator.store.size(project.name, hour),
                lines_of=lambda hour: simulator.store.lines(project.name, hour),
                damage=_DAMAGES.get(fault.kind) if fault else None,
            )
            size = body.tell()
            if size > simulator.limits.size_cap_bytes:
                self._refuse(presence, project, query, Refusal(400, TOO_LARGE))
                return
            body.seek(0)
            if fault and fault.kind in _CUTS:
                self._note(project, query, 0)
                reset = fault.kind is FaultKind.RESET
                self.break_off("application/zip", body, size // 2, reset=reset)
                return
            if not fault:
                simulator.store.pulled(project.name, hours)
            self._note(project, query, 200)
            truncated = fault is not None and fault.kind is FaultKind.TRUNCATED
            self.stream(presence, "application/zip", body, size // 2 if truncated else size)

    def _refuse(
        self,
        presence: Presence,
        project: Project | None,
        query: str,
        refusal: Refusal,
        retry_after: int | None = None,
    ) -> None:
        self._note(project, query, refusal.status)
        presence.leave()
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.send(refusal.status, "text/plain; charset=utf-8", refusal.text.encode(), headers)

    def _note(self, project: Project | None, query: str, status: int) -> None:
        asked = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        name = project.name if project else None
        self.simulator.traffic.note(
            Seen(name, asked.get("start", ""), asked.get("end", ""), status)
        )

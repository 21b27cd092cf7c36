"""How the simulator answers a request: with a file, a refusal, "not yet" or a fault."""

import json
import tempfile
import time
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl, unquote_plus

from isal import isal_zlib

from flows.sandbox.appmetrica import texts
from flows.sandbox.appmetrica.applications import Application
from flows.sandbox.appmetrica.bodies import CONTENT_TYPES
from flows.sandbox.appmetrica.faults import MANAGEMENT, SPOILS, Fault, FaultKind, Phase
from flows.sandbox.appmetrica.jobs import CacheWish, Ready
from flows.sandbox.appmetrica.request import (
    Export,
    application_of,
    export_of,
    table_of,
    token_of,
)
from flows.sandbox.appmetrica.seen import Seen
from flows.sandbox.simulator import Handler as AnyHandler
from flows.sandbox.simulator import Presence, Refusal

if TYPE_CHECKING:
    from flows.sandbox.appmetrica.server import AppMetricaSimulator

_HTML = b"<!DOCTYPE html><html><head><title>AppMetrica</title></head><body>One moment</body></html>"
_TEXT = "text/plain; charset=utf-8"
_APPLICATION = "/management/v1/application/"
_STATUS = "/management/v1/logsapi/status"
#: A gzip stream, not a zlib one.
_GZIP = 31
#: The vendor's name for 420, which HTTP does not know.
_REASONS = {420: "Too Many Requests"}


class Handler(AnyHandler):
    """One connection."""

    server_version = "AppMetricaSimulator"
    simulator: "AppMetricaSimulator"

    def respond(self, path: str, query: str) -> None:
        """Export, or tell about an application or the Logs API."""
        table = table_of(path)
        if table is not None:
            name = table.name
        elif path == _STATUS or path.startswith(_APPLICATION):
            name = MANAGEMENT
        else:
            self.not_found()
            return
        with self.simulator.traffic.entered() as presence:
            time.sleep(self.simulator.limits.delay_seconds)
            token = token_of(self.headers.get("Authorization"))
            if token not in self.simulator.tokens or token is None:
                self._refuse(presence, name, query, Refusal(401, texts.UNAUTHORIZED))
            elif quota := self.simulator.quota.spend(token, self.simulator.now()):
                self._refuse(presence, name, query, Refusal(420, quota))
            elif name == MANAGEMENT:
                self._manage(presence, path, query, token)
            else:
                self._export(presence, path, query, token)

    def _manage(self, presence: Presence, path: str, query: str, token: str) -> None:
        simulator = self.simulator
        fault = self._fault(None, MANAGEMENT, path)
        if fault:
            self._refuse(presence, MANAGEMENT, query, fault.refusal(), fault.retry_after)
            return
        if path == _STATUS:
            answer: object = {"status": "enabled" if simulator.limits.enabled else "disabled"}
        else:
            number = path.removeprefix(_APPLICATION)
            application = application_of(number, token, simulator.applications)
            if isinstance(application, Refusal):
                self._refuse(presence, MANAGEMENT, query, application)
                return
            answer = {"application": _description(application, simulator.now())}
        self._note(MANAGEMENT, query, 200)
        presence.leave()
        self.send(200, "application/json; charset=utf-8", json.dumps(answer).encode())

    def _export(self, presence: Presence, path: str, query: str, token: str) -> None:
        simulator = self.simulator
        export = self._understood(path, query, token)
        if isinstance(export, Refusal):
            self._refuse(presence, _name(path), query, export)
            return
        name, decoded = export.table.name, unquote_plus(query)
        fault = self._fault(simulator.jobs.phase_of(export), name, decoded)
        if fault:
            self._refuse(presence, name, query, fault.refusal(), fault.retry_after)
            return
        answer = simulator.jobs.ask(
            export,
            CacheWish.of(self.headers.get("Cache-Control")),
            simulator.now(),
            simulator.limits,
        )
        if isinstance(answer, Ready):
            with answer.body:
                self._answer(presence, export, answer, query)
        elif isinstance(answer, Refusal):
            self._refuse(presence, name, query, answer)
        else:
            self._refuse(presence, name, query, Refusal(202, answer))

    def _understood(self, path: str, query: str, token: str) -> Export | Refusal:
        simulator = self.simulator
        if not simulator.limits.enabled:
            return Refusal(503, texts.DISABLED)
        number = dict(parse_qsl(query)).get("application_id", "")
        application = application_of(number, token, simulator.applications)
        if isinstance(application, Refusal):
            return application
        return export_of(
            path,
            query,
            application,
            simulator.store.attributes(application),
            profiles_need_dates=simulator.limits.profiles_need_dates,
        )

    def _answer(self, presence: Presence, export: Export, ready: Ready, query: str) -> None:
        name = export.table.name
        fault = self._fault(Phase.FILE, name, unquote_plus(query))
        if fault and fault.kind not in SPOILS:
            self._refuse(presence, name, query, fault.refusal(), fault.retry_after)
            return
        if fault and fault.kind is FaultKind.HTML:
            self._note(name, query, 200)
            presence.leave()
            self.send(200, "text/html; charset=utf-8", _HTML)
            return
        content_type = CONTENT_TYPES[export.format]
        headers: dict[str, str] = {}
        if self.simulator.limits.rows_number:
            headers["Rows-Number"] = str(ready.file.rows)
        whole, size = ready.body, ready.size
        with tempfile.TemporaryFile() as packed:
            if fault and fault.kind is FaultKind.TRUNCATED:
                size = _half(whole, size, export.format)
            body: BinaryIO = whole
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body, size = packed, _packed(whole, size, packed)
            if fault and fault.kind in (FaultKind.CUT, FaultKind.RESET):
                self._note(name, query, 0)
                reset = fault.kind is FaultKind.RESET
                self.break_off(content_type, body, size // 2, reset=reset, headers=headers)
                return
            self._note(name, query, 200)
            self.stream(presence, content_type, body, size, headers)

    def _fault(self, phase: Phase | None, name: str, decoded: str) -> Fault | None:
        return self.simulator.faults.take(
            lambda fault: fault.kind is not FaultKind.STALL and fault.concerns(phase, name, decoded)
        )

    def _refuse(
        self,
        presence: Presence,
        name: str,
        query: str,
        refusal: Refusal,
        retry_after: int | None = None,
    ) -> None:
        self._note(name, query, refusal.status, refusal.text)
        presence.leave()
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        reason = _REASONS.get(refusal.status)
        self.send(refusal.status, _TEXT, refusal.text.encode(), headers, reason)

    def _note(self, name: str, query: str, status: int, text: str = "") -> None:
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        cache_control = self.headers.get("Cache-Control")
        self.simulator.traffic.note(Seen(name, parameters, cache_control, status, text))


def _name(path: str) -> str:
    table = table_of(path)
    return table.name if table else MANAGEMENT


def _description(application: Application, now: datetime) -> dict[str, object]:
    offset = now.astimezone(application.zone).utcoffset()
    return {
        "id": application.application_id,
        "name": application.name,
        "time_zone_name": application.time_zone,
        "time_zone_offset": int(offset.total_seconds()) if offset else 0,
    }


def _half(whole: BinaryIO, size: int, form: str) -> int:
    """Where half of a file ends; in a CSV before a newline, so that it looks complete."""
    half = size // 2
    if form == "csv":
        whole.seek(half)
        half += len(whole.readline().rstrip(b"\n"))
        whole.seek(0)
    return half


def _packed(whole: BinaryIO, size: int, packed: BinaryIO) -> int:
    compressor = isal_zlib.compressobj(level=1, wbits=_GZIP)
    while size and (piece := whole.read(min(256 * 1024, size))):
        packed.write(compressor.compress(piece))
        size -= len(piece)
    packed.write(compressor.flush())
    length = packed.tell()
    packed.seek(0)
    return length

"""The sockets of the simulator: connections, requests, and how an answer or a fault is sent.

Answers are built in a temporary file and sent from there in chunks: memory stays constant.
"""

import json
import socket
import struct
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from flows.errors import BadRequest
from flows.sandbox.amplitude import control
from flows.sandbox.amplitude.archive import Damage, write_archive
from flows.sandbox.amplitude.export import (
    INVALID_KEY,
    NOT_FOUND,
    PATH,
    TIMED_OUT,
    TOO_LARGE,
    TOO_MANY,
    Refusal,
    Span,
    last_ready_hour,
    project_of,
    span_of,
)
from flows.sandbox.amplitude.faults import FaultKind
from flows.sandbox.amplitude.projects import Project
from flows.sandbox.amplitude.traffic import Presence, Seen

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


class Server(ThreadingHTTPServer):
    """One thread per connection; knows its connections, so that stopping really ends them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    simulator: "AmplitudeSimulator"

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, and remember the connection."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and forget it."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is a mistake of the simulator's own."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """End what is still open: a thread that waits for a next request ends too."""
        with self._guard:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "AmplitudeSimulator"
    disable_nagle_algorithm = True

    @property
    def simulator(self) -> "AmplitudeSimulator":
        """Whose connection this is."""
        return cast(Server, self.server).simulator

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent: GET /control/requests tells what was asked."""

    def do_GET(self) -> None:
        """Export, or look at the controls."""
        url = urlsplit(self.path)
        if url.path == PATH:
            self._export(url.query)
        else:
            self._control("GET", url.path)

    def do_POST(self) -> None:
        """Turn a control."""
        self._control("POST", urlsplit(self.path).path)

    def do_DELETE(self) -> None:
        """Clear a control."""
        self._control("DELETE", urlsplit(self.path).path)

    def _control(self, method: str, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not path.startswith(control.PREFIX):
            self._send(404, "text/plain", b"Not Found")
            return
        try:
            answer = control.obey(self.simulator, method, path, body)
        except (BadRequest, TypeError, ValueError) as problem:
            self._send(400, "application/json", json.dumps({"error": str(problem)}).encode())
        else:
            self._send(200, "application/json", json.dumps(answer).encode())

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
        fault = simulator.faults.take(project.name, span.start, span.end)
        if fault and fault.kind.isdigit():
            refusal = Refusal(int(fault.kind), _TEXTS[int(fault.kind)])
            self._refuse(presence, project, query, refusal, fault.retry_after)
            return
        if fault and fault.kind is FaultKind.HTML:
            self._note(project, query, 200)
            presence.leave()
            self._send(200, "text/html; charset=utf-8", _HTML)
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
                self._break_off(body, size // 2, fault.kind)
                return
            if not fault:
                simulator.store.pulled(project.name, hours)
            self._note(project, query, 200)
            truncated = fault is not None and fault.kind is FaultKind.TRUNCATED
            self._stream(presence, body, size // 2 if truncated else size)

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
        self._send(refusal.status, "text/plain; charset=utf-8", refusal.text.encode(), headers)

    def _note(self, project: Project | None, query: str, status: int) -> None:
        asked = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
        name = project.name if project else None
        self.simulator.traffic.note(
            Seen(name, asked.get("start", ""), asked.get("end", ""), status)
        )

    def _send(
        self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin_stream(self) -> None:
        """The vendor promises no Content-Length, so the body goes in chunks."""
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _stream(self, presence: Presence, body: BinaryIO, size: int) -> None:
        self._begin_stream()
        self._send_chunks(body, size)
        presence.leave()  # before the last byte: with it the client may ask the next
        self.wfile.write(b"0\r\n\r\n")

    def _send_chunks(self, body: BinaryIO, size: int) -> None:
        limits = self.simulator.limits
        left = size
        while left and (piece := body.read(min(limits.chunk_bytes, left))):
            left -= len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if limits.chunk_delay_seconds:
                time.sleep(limits.chunk_delay_seconds)

    def _break_off(self, body: BinaryIO, size: int, kind: FaultKind) -> None:
        self._begin_stream()
        self._send_chunks(body, size)
        if kind is FaultKind.RESET:
            # Lingering for no time at all makes the closing a reset (RST) instead of an end (FIN).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

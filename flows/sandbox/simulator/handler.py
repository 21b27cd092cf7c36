"""The sockets of a simulator: connections, requests, and how an answer or its breaking is sent.

Bodies are sent from files in chunks: memory stays constant.
"""

import json
import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from flows.errors import BadRequest
from flows.sandbox.simulator import control
from flows.sandbox.simulator.traffic import Presence

if TYPE_CHECKING:
    from flows.sandbox.simulator.base import Simulator


class Server(ThreadingHTTPServer):
    """One thread per connection; knows its connections, so that stopping really ends them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    simulator: "Simulator"

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
    """One connection; a vendor's handler answers GET in `respond`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def simulator(self) -> "Simulator":
        """Whose connection this is."""
        return cast(Server, self.server).simulator

    def respond(self, path: str, query: str) -> None:
        """Answer a GET that is not the control address's."""
        raise NotImplementedError

    def not_found(self) -> None:
        """Say that there is no such address."""
        self.send(404, "text/plain", b"Not Found")

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent: GET /control/requests tells what was asked."""

    def do_GET(self) -> None:
        """Play the vendor, or look at the controls."""
        url = urlsplit(self.path)
        if url.path.startswith(control.PREFIX):
            self._control("GET", url.path)
        else:
            self.respond(url.path, url.query)

    def do_POST(self) -> None:
        """Turn a control."""
        self._control("POST", urlsplit(self.path).path)

    def do_DELETE(self) -> None:
        """Clear a control."""
        self._control("DELETE", urlsplit(self.path).path)

    def _control(self, method: str, path: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not path.startswith(control.PREFIX):
            self.not_found()
            return
        try:
            answer = control.obey(self.simulator, method, path, body)
        except (BadRequest, TypeError, ValueError) as problem:
            self.send(400, "application/json", json.dumps({"error": str(problem)}).encode())
        else:
            self.send(200, "application/json", json.dumps(answer).encode())

    def send(
        self,
        status: int,
        content_type: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        """Send a whole answer that is small."""
        self.send_response(status, reason)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(
        self,
        presence: Presence,
        content_type: str,
        body: BinaryIO,
        size: int,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send `size` bytes of a file; in chunks, as no vendor promises a Content-Length."""
        self._begin_stream(content_type, headers)
        self._send_chunks(body, size)
        presence.leave()  # before the last byte: with it the client may ask the next
        self.wfile.write(b"0\r\n\r\n")

    def break_off(
        self,
        content_type: str,
        body: BinaryIO,
        size: int,
        *,
        reset: bool,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send the first `size` bytes of a body, then end or reset the connection."""
        self._begin_stream(content_type, headers)
        self._send_chunks(body, size)
        if reset:
            # Lingering for no time at all makes the closing a reset (RST) instead of an end (FIN).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def _begin_stream(self, content_type: str, headers: dict[str, str] | None) -> None:
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _send_chunks(self, body: BinaryIO, size: int) -> None:
        limits = self.simulator.limits
        left = size
        while left and (piece := body.read(min(limits.chunk_bytes, left))):
            left -= len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if limits.chunk_delay_seconds:
                time.sleep(limits.chunk_delay_seconds)

"""A proxy in front of an S3 server that spoils requests: what a network and a store can do to you.

with FaultyS3(server.endpoint_url) as faulty:
    faulty.inject(S3Fault.CUT, times=3, method="GET")
    ...  # with S3_ENDPOINT_URL=faulty.endpoint_url
"""

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from flows.sandbox.processes import LOOPBACK
from flows.sandbox.simulator.faults import Faults

_PIECE_BYTES = 64 * 1024


class S3Fault(StrEnum):
    """What can go wrong with a request. Numbers are answers with that status."""

    INTERNAL_ERROR = "500"
    SLOW_DOWN = "503"
    REFUSED = "refused"  # the connection is reset before the request is read
    CUT = "cut"  # the answer ends in the middle of its body, or before it where it has none
    CUT_REQUEST = "cut_request"  # the connection is reset in the middle of what is sent
    LOST_ANSWER = "lost_answer"  # the request is carried out, and its answer never comes
    SLOW = "slow"  # the answer comes late, and in small pieces
    LOST_UPLOAD = "lost_upload"  # S3 does not know a multipart upload any more, for good


@dataclass(frozen=True, slots=True)
class _Spoilt:
    """A fault that waits. method: only these requests."""

    kind: S3Fault
    times: int | None
    method: str | None

    def concerns(self, method: str, upload_id: str | None) -> bool:
        if self.kind is S3Fault.LOST_UPLOAD:
            # Parts and completions; to take an upload back is always allowed.
            return upload_id is not None and method in ("PUT", "POST")
        return self.method in (None, method)


class FaultyS3:
    """Passes requests on to an S3 server, but for those that meet a fault; a context manager.

    endpoint_url: of the server. slow_s: how late a slow answer comes.
    """

    def __init__(self, endpoint_url: str, *, slow_s: float = 0.5) -> None:
        self.upstream = urlsplit(endpoint_url).netloc
        self.slow_s = slow_s
        self.faults: Faults[_Spoilt] = Faults()
        self.lost_uploads: set[str] = set()
        self.spoilt = 0
        self._chance: tuple[random.Random, float, list[S3Fault]] | None = None
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="faulty-s3", daemon=True
        )

    @property
    def endpoint_url(self) -> str:
        """What S3_ENDPOINT_URL should be."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def inject(
        self, kind: S3Fault | str, *, times: int | None = 1, method: str | None = None
    ) -> None:
        """Spoil the next requests, all of them where times is None. method: only such ones."""
        self.faults.add(_Spoilt(S3Fault(kind), times, method))

    def spoil_at_random(self, share: float, seed: int, kind: S3Fault | None = None) -> None:
        """Spoil this share of all requests; without a kind, each with a fault drawn at random."""
        self._chance = random.Random(seed), share, [kind] if kind else list(S3Fault)

    def clear(self) -> None:
        """Everything works again."""
        self.faults.clear()
        self._chance = None

    def take(self, method: str, upload_id: str | None) -> S3Fault | None:
        """The fault that a request meets, if any."""
        fault = self.faults.take(lambda fault: fault.concerns(method, upload_id))
        kind = fault.kind if fault else None
        if kind is None and self._chance is not None:
            numbers, share, kinds = self._chance
            if numbers.random() < share:
                drawn = _Spoilt(numbers.choice(kinds), None, None)
                kind = drawn.kind if drawn.concerns(method, upload_id) else None
        if kind is not None:
            self.spoilt += 1
        return kind

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection; answers as the server does, or as the fault wants it."""

    protocol_version = "HTTP/1.1"
    faulty: FaultyS3

    def _answer(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        upload_id = query.get("uploadId", [None])[0]
        fault = self.faulty.take(self.command, upload_id)
        if fault is S3Fault.LOST_UPLOAD and upload_id is not None:
            self.faulty.lost_uploads.add(upload_id)
        length = int(self.headers.get("Content-Length", 0))
        if fault is S3Fault.REFUSED:
            self._reset()
            return
        if fault is S3Fault.CUT_REQUEST:
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if upload_id in self.faulty.lost_uploads and self.command != "DELETE":
            self._say(404, "NoSuchUpload")
        elif fault in (S3Fault.INTERNAL_ERROR, S3Fault.SLOW_DOWN):
            code = "InternalError" if fault is S3Fault.INTERNAL_ERROR else "SlowDown"
            self._say(int(fault), code)
        else:
            self._pass_on(body, fault)

    def _pass_on(self, body: bytes, fault: S3Fault | None) -> None:
        connection = http.client.HTTPConnection(self.faulty.upstream, timeout=60)
        with contextlib.closing(connection):
            # Signed by the client for this host, so it stays as it is.
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            content = answer.read() if self.command != "HEAD" else b""
            if fault is S3Fault.LOST_ANSWER:
                self._reset()
                return
            if fault is S3Fault.SLOW:
                time.sleep(self.faulty.slow_s)
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            told = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", told or str(len(content)))
            if fault is S3Fault.CUT and not content:
                self._reset()
                return
            self.end_headers()
            end = len(content) // 2 if fault is S3Fault.CUT else len(content)
            for start in range(0, end, _PIECE_BYTES):
                self.wfile.write(content[start : min(end, start + _PIECE_BYTES)])
                if fault is S3Fault.SLOW:
                    time.sleep(0.01)
            if fault is S3Fault.CUT:
                self._reset()

    def _say(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _reset(self) -> None:
        """End the connection with RST instead of a polite goodbye."""
        with contextlib.suppress(OSError):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The request's own file holds the socket open, too.
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def handle(self) -> None:
        """Serve the connection; clients that go away are their own affair."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _handler_of(faulty: FaultyS3) -> type[_Handler]:
    return type("_BoundHandler", (_Handler,), {"faulty": faulty})

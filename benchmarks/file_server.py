"""A vendor that has its answers ready as files: the export is measured, not the simulator."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def file_server(answer_to: Callable[[str], Path]) -> Iterator[str]:
    """Serve on 127.0.0.1; yields the base URL. answer_to: the file for a path with its query."""

    class Vendor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = answer_to(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            with path.open("rb") as file:
                self.connection.sendfile(file)

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

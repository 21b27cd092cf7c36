"""What only a vendor that misbehaves on purpose can show: a scripted server in its place."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.errors import VendorFailed
from flows.settings import AppMetrica
from flows.vendors.appmetrica import LogsClient, Place, Watch
from flows.vendors.appmetrica_json import read_rows
from flows.vendors.appmetrica_wire import Export, Waiting
from flows.vendors.retries import Retries

EXPORT = Export("events", (("application_id", "1111"), ("fields", "a,б")), "events 2025-01-06")
BODY = b'{"data":[{"a":"1"},{"a":"2"}]}'


@dataclass
class Script:
    """The answers still to come, (status, headers, body) each; seen: the requests that came."""

    answers: list[tuple[int, dict[str, str], bytes]]
    base_url: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script([])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.seen.append((self.path, dict(self.headers)))
            status, headers, body = script.answers.pop(0)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.base_url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield script
        server.shutdown()
        thread.join()


def test_a_bomb_stops_while_it_comes(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small packed body does not grow beyond the setting, and is not asked for again."""
    monkeypatch.setenv("DWH_ARCHIVE_MAX_BYTES", "1000000")
    body = gzip.compress(bytes(10_000_000))
    script.answers = [(200, {"Content-Encoding": "gzip"}, body)]
    received: list[int] = []
    with pytest.raises(VendorFailed, match="a gzip bomb"):
        fetch(script, Watch(received=received.append))
    assert sum(received) <= 1_000_000
    assert len(script.seen) == 1


def fetch(script: Script, watch: Watch | None = None, tries: int = 3) -> list[bytes]:
    """The rows of an export, each as often as it was taken."""
    settings = {"base_url": script.base_url, "api_key": "t", "application_id": 1111}
    rows: list[bytes] = []

    def take(part: int, path: Path) -> int:
        rows[:] = read_rows(path, EXPORT.window)
        return len(rows)

    with LogsClient(
        AppMetrica.model_validate(settings | {"poll_interval_seconds": 0}),
        retries=Retries(tries=tries, first_wait_s=0),
    ) as client:
        client.fetch(EXPORT, take, watch=watch)
    return rows


def caches(script: Script) -> list[str | None]:
    return [headers.get("Cache-Control") for _, headers in script.seen]


def test_the_same_url_is_asked_with_token_and_gzip(script: Script) -> None:
    """Queue, progress, file: the URL is the job; what is told on the way is told once."""
    begun: list[Place] = []
    told: list[Waiting] = []
    sizes: list[int] = []
    script.answers = [
        (202, {}, b"Your query is added to the queue."),
        (202, {}, b"Wait for result. Progress is 97%."),
        (202, {}, b"Wait for result. Progress is 97%."),
        (200, {"Content-Encoding": "gzip"}, gzip.compress(BODY)),
    ]
    assert fetch(script, Watch(begun.append, told.append, sizes.append)) == [
        b'{"a":"1"}',
        b'{"a":"2"}',
    ]
    assert (begun, told) == ([Place()], [Waiting(), Waiting(97), Waiting(97)])
    assert sum(sizes) == len(BODY)
    assert {path for path, _ in script.seen} == {
        "/logs/v1/export/events.json?application_id=1111&fields=a%2C%D0%B1"
    }
    for _, headers in script.seen:
        assert headers["Authorization"] == "OAuth t"
        assert headers["Accept-Encoding"] == "gzip"
    assert caches(script) == ["no-cache", None, None, None]


def test_no_cache_is_repeated_until_the_vendor_has_taken_the_job(script: Script) -> None:
    """A request that failed began nothing; without no-cache yesterday's file would come."""
    script.answers = [
        (429, {"Retry-After": "0"}, b"There are already 3 enqueued queries"),
        (500, {}, b""),
        (202, {}, b"Your query is moved to the end of the queue"),
        (503, {}, b""),
        (200, {}, BODY),
    ]
    assert len(fetch(script)) == 2
    assert caches(script) == ["no-cache", "no-cache", "no-cache", None, None]


def test_a_wrong_number_of_rows_is_asked_again(script: Script) -> None:
    """Where the vendor says how many rows it sends, that many must come."""
    script.answers = [(200, {"Rows-Number": "3"}, BODY), (200, {"Rows-Number": "2"}, BODY)]
    assert len(fetch(script)) == 2
    script.answers = [(200, {"Rows-Number": "3"}, BODY)] * 3
    with pytest.raises(VendorFailed, match="2 rows where the vendor says 3"):
        fetch(script)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY[:-1]),
        ({"Content-Length": "1000"}, BODY),
        ({"Content-Encoding": "gzip"}, gzip.compress(BODY)[:-20]),
        ({"Content-Encoding": "gzip"}, BODY),
        ({}, b""),
        ({"Content-Type": "text/csv"}, b"a,b\n1,2"),
    ],
    ids=["no end", "short", "cut gzip", "no gzip", "empty", "csv"],
)
def test_a_body_that_is_not_whole_is_asked_again(
    script: Script, headers: dict[str, str], body: bytes
) -> None:
    """Cut in any way, or another thing altogether."""
    script.answers = [(200, headers, body), (200, {}, BODY)]
    assert len(fetch(script)) == 2
    assert caches(script) == ["no-cache", None]


def test_failures_count_anew_after_a_sign_of_life_and_broken_files_do_not(script: Script) -> None:
    """A long job may meet a bad gateway now and then; a broken file again and again is broken."""
    script.answers = [(202, {}, b""), (502, {}, b"")] * 5 + [(200, {}, BODY)]
    assert len(fetch(script, tries=2)) == 2
    script.answers = [(200, {}, b"{"), (202, {}, b"")] * 5
    with pytest.raises(VendorFailed, match="is broken"):
        fetch(script, tries=2)
    assert len(script.answers) == 7

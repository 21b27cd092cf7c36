"""The simulated Export API is steered over HTTP, tells what it was asked, and starts and stops."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from amplitude_requests import MONDAY, ask, rows_of
from simulator_control import control

from flows.sandbox.amplitude import WEB, AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event


def test_the_control_address_adds_events_and_tells_requests(amplitude: AmplitudeSimulator) -> None:
    """Events, clock and the list of requests work over HTTP as they do in Python."""
    row = make_event(MONDAY)
    added = control(amplitude, "POST", "events", project="web", rows=[row])
    assert added == {"added": 1}
    assert rows_of(ask(amplitude)) == [row]
    control(amplitude, "POST", "clock", now="2025-01-06T02:59:59Z")
    assert ask(amplitude).status_code == 404
    seen = {"project": "web", "start": "20250106T00", "end": "20250106T23"}
    assert control(amplitude, "GET", "requests") == {
        "max_parallel": 1,
        "requests": [seen | {"status": 200}, seen | {"status": 404}],
    }
    control(amplitude, "DELETE", "requests")
    assert amplitude.traffic.seen == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", {"fault": "599"}),
        ("POST", "faults", {"fault": "502", "tmies": 2}),
        ("POST", "faults", {"fault": "502", "start": "Monday"}),
        ("POST", "limits", {"size": 3}),
        ("POST", "events", {"project": "desktop", "rows": []}),
        ("POST", "events", {"project": "web", "rows": [{"event_type": "timeless"}]}),
        ("POST", "clock", {"now": "noon"}),
        ("PUT", "faults", {}),
        ("POST", "nothing", {}),
    ],
)
def test_a_senseless_wish_is_refused(
    amplitude: AmplitudeSimulator, method: str, path: str, body: dict[str, Any]
) -> None:
    """The control address answers 400 or 501 with a reason and changes nothing."""
    answer = httpx.request(method, f"{amplitude.base_url}/control/{path}", json=body)
    assert answer.status_code in {400, 501}
    assert control(amplitude, "GET", "faults") == {"faults": []}
    assert ask(amplitude).status_code == 404


def test_stopping_ends_open_connections() -> None:
    """A client with a connection kept open gets no answer from a stopped simulator."""
    amplitude = AmplitudeSimulator().start()
    with httpx.Client(base_url=amplitude.base_url) as client:
        assert client.get("/control/faults").status_code == 200
        amplitude.stop()
        with pytest.raises(httpx.TransportError):
            client.get("/control/faults")
    amplitude.stop()


def test_it_can_be_started_again_at_its_address() -> None:
    """After a stop, start serves the same rows under the same URL."""
    amplitude = AmplitudeSimulator()
    row = make_event(MONDAY)
    amplitude.add_events("web", [row])
    with amplitude:
        url = amplitude.base_url
    with amplitude:
        assert amplitude.base_url == url
        assert rows_of(ask(amplitude, pair=(WEB.client_id, WEB.secret_key))) == [row]


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """`python -m flows.sandbox.amplitude` invents data, says where it serves, ends on SIGTERM."""
    data = tmp_path / "data"
    command = [sys.executable, "-m", "flows.sandbox.amplitude", "--data", str(data)]
    command += ["--generate", "2025-01-06", "2025-01-07", "--users", "10", "--web", "id:secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, said
        query = "start=20250106T00&end=20250107T23"
        answer = httpx.get(f"{url[0]}/api/2/export?{query}", auth=("id", "secret"))
        process.terminate()
        assert process.wait(timeout=10) == 0
    on_disk = sum(path.read_bytes().count(b"\n") for path in (data / "web").rglob("*.ndjson"))
    assert len(rows_of(answer)) == on_disk > 0

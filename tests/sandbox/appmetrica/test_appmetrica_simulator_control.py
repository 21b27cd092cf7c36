"""The simulated Logs API is steered over HTTP, tells what it was asked, and starts and stops."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from appmetrica_requests import DAY, get, named, names_of, rows_of, wait
from simulator_control import control

from flows.sandbox.appmetrica import AppMetricaSimulator, texts


def test_it_tells_what_it_was_asked(vendor: AppMetricaSimulator) -> None:
    """Table, parameters, Cache-Control, status and text of each request, in order."""
    get(vendor, headers={"Cache-Control": "no-cache"})
    get(vendor, fields="x")
    asked = {"application_id": "4051234", "fields": "event_name"} | DAY
    seen = [
        {
            "table": "events",
            "parameters": asked,
            "cache_control": "no-cache",
            "status": 202,
            "text": texts.ADDED,
        },
        {
            "table": "events",
            "parameters": asked | {"fields": "x"},
            "cache_control": None,
            "status": 400,
            "text": "Unknown field: x",
        },
    ]
    assert control(vendor, "GET", "requests") == {"max_parallel": 1, "requests": seen}
    control(vendor, "DELETE", "requests")
    assert vendor.traffic.seen == []


def test_the_control_address_adds_rows(vendor: AppMetricaSimulator) -> None:
    """Rows, attributes and limits work over HTTP as they do in Python."""
    assert control(vendor, "POST", "rows", table="events", rows=named("a")) == {"added": 1}
    assert control(vendor, "POST", "attributes", names=["ehr_id"]) == {"names": ["ehr_id"]}
    assert control(vendor, "POST", "limits", steps=0)["steps"] == 0
    assert names_of(get(vendor)) == ["a"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"fault": "599"}),
        ("faults", {"fault": "502", "tmies": 2}),
        ("faults", {"fault": "502", "phase": "never"}),
        ("limits", {"size": 3}),
        ("rows", {"table": "users", "rows": []}),
        ("rows", {"table": "events", "rows": [{"event_timestamp": "noon"}]}),
        ("nothing", {}),
    ],
)
def test_a_senseless_wish_is_refused(
    vendor: AppMetricaSimulator, path: str, body: dict[str, Any]
) -> None:
    """The control address answers 400 with a reason and changes nothing."""
    answer = httpx.post(f"{vendor.base_url}/control/{path}", json=body)
    assert answer.status_code == 400
    assert vendor.faults.waiting() == []


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """`python -m flows.sandbox.appmetrica` invents data, says where it serves, ends on SIGTERM."""
    command = [sys.executable, "-m", "flows.sandbox.appmetrica", "--data", str(tmp_path / "data")]
    command += ["--generate", "2025-01-06", "2025-01-07", "--users", "10", "--steps", "0"]
    command += ["--application", "5", "--token", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, said
        answer = httpx.get(
            f"{url[0]}/logs/v1/export/events.json",
            params={"application_id": 5, "fields": "event_name"} | DAY,
            headers={"Authorization": "OAuth secret"},
        )
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert rows_of(answer)


def test_it_can_be_started_again_at_its_address(vendor: AppMetricaSimulator) -> None:
    """After a stop, start serves the same rows and jobs under the same URL."""
    vendor.add_rows("events", named("a"))
    wait(vendor)
    url = vendor.base_url
    vendor.stop()
    with pytest.raises(httpx.TransportError):
        get(vendor)
    vendor.start()
    assert (vendor.base_url, names_of(get(vendor))) == (url, ["a"])

"""The simulated Export API hears who may ask, and for how much at once; all else is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from amplitude_requests import PAIR, ask, hourly
from simulator_control import control

from flows.sandbox.amplitude import WEB, AmplitudeSimulator
from flows.sandbox.amplitude.export import TOO_LARGE


@pytest.mark.parametrize(
    "pair", [("web-id", "wrong"), ("wrong", "web-secret"), ("web-id", "mobile-secret"), ("", "")]
)
def test_a_wrong_key_pair_is_refused(amplitude: AmplitudeSimulator, pair: tuple[str, str]) -> None:
    """403 with the live service's text, whatever part of the pair is wrong."""
    answer = ask(amplitude, pair=pair)
    assert (answer.status_code, answer.text) == (403, "Invalid API Key")


def test_a_key_pair_of_another_region_is_refused() -> None:
    """A pair of the EU region fails on the US host like a wrong one, and works on its own."""
    european = replace(WEB, region="eu")
    with AmplitudeSimulator([european]) as us, AmplitudeSimulator([european], region="eu") as eu:
        pair = (WEB.client_id, WEB.secret_key)
        assert [ask(us, pair=pair).status_code, ask(eu, pair=pair).status_code] == [403, 404]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "start=20250106T00",
        "end=20250106T00",
        "start=20250106T24&end=20250106T25",
        "start=2025-01-06T00&end=2025-01-06T01",
        "start=20250106&end=20250107",
        "start=20250106T05&end=20250106T04",
        "start=20240101T00&end=20241231T00",
    ],
)
def test_a_span_that_is_none_is_a_bad_request(amplitude: AmplitudeSimulator, query: str) -> None:
    """Missing, malformed, backward and more than 365 days wide spans get 400."""
    url = f"{amplitude.base_url}/api/2/export?{query}"
    assert httpx.get(url, auth=PAIR).status_code == 400


def test_the_widest_span_is_365_days(amplitude: AmplitudeSimulator) -> None:
    """365 days of 24 hours are let through, one hour more is not."""
    statuses = [
        ask(amplitude, "20240101T00", end).status_code for end in ("20241230T23", "20241231T00")
    ]
    assert statuses == [404, 400]


def test_too_much_data_is_400(amplitude: AmplitudeSimulator) -> None:
    """Above the size cap comes the vendor's 4 GB text; half the span may pass."""
    amplitude.add_events("web", hourly(10, each=30))
    whole, half = len(ask(amplitude).content), len(ask(amplitude, end="20250106T04").content)
    amplitude.limits = amplitude.limits.changed({"size_cap_bytes": (whole + half) // 2})
    answer = ask(amplitude)
    assert (answer.status_code, answer.text) == (400, TOO_LARGE)
    assert ask(amplitude, end="20250106T04").status_code == 200


def test_too_many_hours_time_out(amplitude: AmplitudeSimulator) -> None:
    """Above the hours that are allowed comes 504."""
    amplitude.add_events("web", hourly(10))
    control(amplitude, "POST", "limits", timeout_hours=6)
    statuses = [ask(amplitude, end=f"20250106T{last:02d}").status_code for last in (5, 6)]
    assert statuses == [200, 504]


def test_a_sixth_parallel_request_is_429(amplitude: AmplitudeSimulator) -> None:
    """Five at once over both projects pass; of eight, three are told to wait."""
    amplitude.add_events("web", hourly(1))
    amplitude.add_events("mobile", hourly(1))
    amplitude.limits = amplitude.limits.changed({"delay_seconds": 0.5})
    pairs = [PAIR, ("mobile-id", "mobile-secret")] * 4
    barrier = threading.Barrier(8)

    def go(pair: tuple[str, str]) -> int:
        with httpx.Client() as client:
            barrier.wait()
            url = f"{amplitude.base_url}/api/2/export?start=20250106T00&end=20250106T23"
            return client.get(url, auth=pair).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(go, pairs)) == [200] * 5 + [429] * 3
    assert amplitude.traffic.max_parallel == 8


def test_a_polite_client_counts_as_it_behaves(amplitude: AmplitudeSimulator) -> None:
    """Whoever asks the next when the last byte is in has never two requests at once."""
    amplitude.add_events("web", hourly(1))
    with httpx.Client(base_url=amplitude.base_url, auth=PAIR) as client:
        for _ in range(100):
            client.get("/api/2/export?start=20250106T00&end=20250106T00")
            client.get("/api/2/export?start=20250106T09&end=20250106T09")
    assert amplitude.traffic.max_parallel == 1
    assert [seen.status for seen in amplitude.traffic.seen] == [200, 404] * 100

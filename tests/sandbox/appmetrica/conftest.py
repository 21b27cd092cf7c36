"""The simulated Logs API that the tests here ask."""

from collections.abc import Iterator

import pytest
from appmetrica_requests import MONDAY

from flows.sandbox.appmetrica import AppMetricaSimulator


@pytest.fixture
def vendor() -> Iterator[AppMetricaSimulator]:
    """An AppMetrica without rows, whose clock stands still."""
    with AppMetricaSimulator() as simulator:
        simulator.set_now(MONDAY)
        yield simulator

"""A vendor with some events of one day, and the export from it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from appmetrica_exports import APP, DAY, EVENTS, NEXT, NOW, Exporter, event

from flows.lake.bucket import Bucket
from flows.mapping import property_keys
from flows.sandbox.appmetrica import AppMetricaSimulator


@pytest.fixture
def vendor() -> Iterator[AppMetricaSimulator]:
    """The Logs API with some events of one day, long ago."""
    with AppMetricaSimulator([APP], now=lambda: NOW) as simulator:
        simulator.declare_attributes(property_keys("appmetrica"))
        simulator.add_rows("events", EVENTS)
        simulator.add_rows(
            "events", [event("before", DAY - timedelta(days=1), "23:59:59"), event("after", NEXT)]
        )
        yield simulator


@pytest.fixture
def export(vendor: AppMetricaSimulator, bucket: Bucket) -> Exporter:
    return Exporter(vendor, bucket)

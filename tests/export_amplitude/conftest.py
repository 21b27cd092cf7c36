"""A vendor with events of one week, and the export from it."""

from collections.abc import Iterator

import pytest
from amplitude_exports import NOW, WEEK, Exporter, rows

from flows.lake.bucket import Bucket
from flows.sandbox.amplitude import AmplitudeSimulator


@pytest.fixture
def vendor() -> Iterator[AmplitudeSimulator]:
    """The Export API with events on Monday, Tuesday and Thursday of one week, long ago."""
    with AmplitudeSimulator(now=lambda: NOW) as simulator:
        for day in (WEEK[0], WEEK[1], WEEK[3]):
            simulator.add_lines("web", rows(day))
        yield simulator


@pytest.fixture
def export(vendor: AmplitudeSimulator, bucket: Bucket) -> Exporter:
    return Exporter(vendor, bucket)

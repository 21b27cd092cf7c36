"""After any fault one more run ends in the warehouse that an undisturbed run makes.

The faults stand in benchmarks/weather/faults.py; `python -m benchmarks.faults` makes the table.
"""

import os
from collections.abc import Iterator

import pytest

from benchmarks.weather.faults import FAULTS, Fault
from benchmarks.weather.world import World

BY_NAME = {fault.name: fault for fault in FAULTS}
#: What `make test` can afford, each once; `make soak` tries all.
QUICK = ("kill -9 in a load", "PostgreSQL killed and restarted in mid-COPY")
#: Tries in `make soak`: 120 kills, and each other fault some times.
KILLS, OTHERS = 40, 5


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A few hundred events a day: enough that a load commits several times."""
    with World(events=300) as world:
        yield world


def cases() -> Iterator[object]:
    for name in QUICK:
        yield pytest.param(BY_NAME[name], 1, id=name)
    for fault in FAULTS:
        tries = KILLS if fault.name.startswith("kill") else OTHERS
        for seed in range(2, 2 + tries):
            yield pytest.param(fault, seed, id=f"{fault.name}, {seed}", marks=pytest.mark.soak)


@pytest.mark.parametrize(("fault", "seed"), cases())
def test_the_next_run_mends_what_a_fault_did(world: World, fault: Fault, seed: int):
    """No row is lost and none doubled, in any mart or among the raw rows that count."""
    if fault.needs_root and os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    outcome = fault.happen(world, seed)
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome

"""Every fault that the pipeline must outlive, tried again and again; each row must say zero, zero.

    python -m benchmarks.faults [--tries 3] [--kills 12] [--only TEXT] [--seed 0] [--events 1500]

Each try: one run of all steps (three exports, three loads, the build) is disturbed, the next one
is not; then all marts and all raw rows that count are compared with those of an undisturbed run.
--kills: tries of each kind of `kill -9`; `make soak` takes more. What needs root (a small disk has
to be mounted) is left out for others. Writes benchmarks/results/faults.json, a list of objects:
fault, tried, lost and doubled (rows in all tries), recover_seconds (of the next run, the median).
A row is replaced when its fault is tried again.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

from benchmarks.weather.faults import FAULTS, Outcome
from benchmarks.weather.world import RunFailed, World

RESULTS = Path(__file__).parent / "results" / "faults.json"


def main() -> None:
    """Try and print; see the module's docstring. Exit status 1 where a row is lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--events", type=int, default=1500, help="of a vendor's project in a day")
    arguments = parser.parse_args()
    faults = [
        fault
        for fault in FAULTS
        if arguments.only in fault.name and (os.geteuid() == 0 or not fault.needs_root)
    ]
    failed = False
    with World(events=arguments.events) as world:
        undisturbed = sum(world.step_seconds.values())
        print(f"an undisturbed run takes {undisturbed:.1f} s", flush=True)
        for fault in faults:
            tries = arguments.kills if fault.name.startswith("kill") else arguments.tries
            try:
                outcomes = [fault.happen(world, arguments.seed + number) for number in range(tries)]
            except (RunFailed, AssertionError) as error:
                failed = True
                print(f"{fault.name}: {error}", flush=True)
                continue
            row = summary(fault.name, outcomes)
            failed = failed or bool(row["lost"] or row["doubled"])
            keep(row)
            print(
                "{fault:<52} {tried:>4} tried {lost:>6} lost {doubled:>6} doubled"
                " {recover_seconds:>6} s".format(**row),
                flush=True,
            )
    sys.exit(failed)


def keep(row: dict[str, str | int | float]) -> None:
    """Put a row in the place of the one of the same fault, in the order of FAULTS."""
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    by_name = {other["fault"]: other for other in held} | {row["fault"]: row}
    rows = [by_name[fault.name] for fault in FAULTS if fault.name in by_name]
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")


def summary(name: str, outcomes: list[Outcome]) -> dict[str, str | int | float]:
    """One row of the table."""
    return {
        "fault": name,
        "tried": len(outcomes),
        "lost": sum(outcome.lost for outcome in outcomes),
        "doubled": sum(outcome.doubled for outcome in outcomes),
        "recover_seconds": round(
            statistics.median(outcome.recover_seconds for outcome in outcomes), 1
        ),
    }


if __name__ == "__main__":
    main()

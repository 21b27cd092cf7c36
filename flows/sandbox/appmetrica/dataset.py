"""The invented rows of all tables on disk, as the simulator serves them."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

from flows.sandbox.amplitude.dataset import DEMO_END, DEMO_START
from flows.sandbox.amplitude.events import SEED
from flows.sandbox.appmetrica.applications import APPLICATION, Application
from flows.sandbox.appmetrica.generator import ATTRIBUTES, Made, generate
from flows.sandbox.appmetrica.hostile import hostile_rows
from flows.sandbox.appmetrica.store import DATA_FILE, Row, Store

#: Grows when the same arguments give other rows, so that a stale folder is built anew.
_VERSION = 1
#: Rows that are put into the store at once.
_BATCH = 10_000


def build(
    folder: Path,
    start_day: date = DEMO_START,
    end_day: date = DEMO_END,
    *,
    users: int = 300,
    seed: int = SEED,
    application: Application = APPLICATION,
    hostile: bool = False,
) -> dict[str, int]:
    """Write the store of a folder unless just these rows are there; returns rows per table.

    A row shows when the simulator's clock has reached its receipt. hostile: adds `hostile.py`'s
    rows on the last day.
    """
    wish = {
        "version": _VERSION,
        "start": str(start_day),
        "end": str(end_day),
        "users": users,
        "seed": seed,
        "application": application.application_id,
        "time_zone": application.time_zone,
        "hostile": hostile,
    }
    note = folder / "dataset"
    if note.is_file():
        found = json.loads(note.read_text())
        if found["wish"] == wish:
            return dict(found["rows"])
        note.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA_FILE).unlink(missing_ok=True)
    store = Store(folder / DATA_FILE)
    store.declare(application, ATTRIBUTES)
    rows = _fill(store, application, generate(start_day, end_day, users, seed, application))
    if hostile:
        last = datetime(end_day.year, end_day.month, end_day.day, 12, tzinfo=UTC)
        rows["events"] += _add(store, application, "events", hostile_rows(last))
    store.close()
    note.write_text(json.dumps({"rows": rows, "wish": wish}))
    return dict(rows)


def _fill(store: Store, application: Application, made: Iterable[Made]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for _, batch in groupby(enumerate(made), key=lambda item: item[0] // _BATCH):
        by_table: dict[str, list[Row]] = defaultdict(list)
        for _, item in batch:
            by_table[item.table].append(item.row)
        for table, rows in by_table.items():
            counts[table] += _add(store, application, table, rows)
    return counts


def _add(store: Store, application: Application, table: str, rows: Iterable[Row]) -> int:
    now = datetime.now(UTC)
    return store.add(application, table, rows, now=now, shown_when_received=True, bare=False)

"""Data sets on disk: invented events, and the clicks of real people, as hour files."""

import json
from datetime import date
from pathlib import Path

from flows.sandbox.amplitude.clickstream import SAMPLE, shift_to, write_clicks
from flows.sandbox.amplitude.events import SEED, generate
from flows.sandbox.amplitude.hostile import hostile_lines
from flows.sandbox.amplitude.store import clear_hours, encode_row, write_hours

#: Grows when the same arguments give other rows, so that a stale folder is built anew.
_VERSION = 1

#: Four ISO weeks, 2025_week_02 to 2025_week_05.
DEMO_START = date(2025, 1, 6)
DEMO_END = date(2025, 2, 2)


def build(
    folder: Path,
    start_day: date = DEMO_START,
    end_day: date = DEMO_END,
    *,
    users: int = 300,
    seed: int = SEED,
    clicks: bool = True,
    hostile: bool = False,
) -> dict[str, int]:
    """Write hour files of both projects unless just these are there; returns rows per project.

    folder: gets `web/` and `mobile/`; what stood there is replaced. clicks: adds the packaged
    sample of real clicks, moved to start in the first week. hostile: adds `hostile.py`'s rows on
    the last day, at which a strict build must stop.
    """
    wish = {
        "version": _VERSION,
        "start": str(start_day),
        "end": str(end_day),
        "users": users,
        "seed": seed,
        "clicks": clicks,
        "hostile": hostile,
    }
    note = folder / "dataset"
    if note.is_file():
        found = json.loads(note.read_text())
        if found["wish"] == wish:
            return dict(found["rows"])
        note.unlink()
    rows: dict[str, int] = {}
    for project in ("web", "mobile"):
        clear_hours(folder, project)
        lines = (encode_row(row) for row in generate(project, start_day, end_day, users, seed))
        rows[project] = write_hours(folder, project, lines)
        if hostile:
            ugly = (item.line for item in hostile_lines(project, end_day))
            rows[project] += write_hours(folder, project, ugly)
    if clicks:
        shift = shift_to(SAMPLE, start_day)
        clicked = write_clicks(SAMPLE, folder, shift=shift, end_day=end_day)
        for project, count in clicked.items():
            rows[project] += count
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"rows": rows, "wish": wish}))
    return rows

"""The last act: an event with a key that the mapping does not know stops the build.

Each demo uses the day behind all days of the simulator: three events that are fine, then one that
is not. The load that holds them is withdrawn at the end, so that the next demo finds a clean way.
"""

import textwrap
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from flows.errors import Interrupted
from flows.export_amplitude import export_amplitude
from flows.lake.keys import archive_key
from flows.load_raw import load_raw
from flows.sandbox.amplitude.dataset import DEMO_END
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.amplitude.store import encode_row, write_hours
from flows.sandbox.demo.screen import Screen
from flows.sandbox.demo.tables import TableState, marts
from flows.settings import PROJECT
from flows.transform import transform
from flows.warehouse.connection import connect
from flows.windows import IsoWeek
from flows.withdraw_load import withdraw_load

SOURCE = "web"
NEW_KEY = "walking_aid"


def show(screen: Screen, url: str, data: Path) -> None:
    """Send the event, show the stopped build, the way to mend it, and that no table changed."""
    screen.act(f"Strictness: an event with an unknown key, {NEW_KEY!r}, arrives")
    before = marts(url)
    day = _add_day(data)
    export_amplitude(day, day, SOURCE)
    load_raw(f"amplitude_{SOURCE}")
    try:
        transform()
    except Interrupted as interruption:
        _show_report(screen, interruption)
    else:
        raise RuntimeError("the build should have stopped at the unknown key, and did not")
    _show_cure(screen)
    _compare(screen, before, marts(url))
    for load_id in withdraw_own_loads():
        screen.step(f"load {load_id} is withdrawn, so that the next demo finds a clean way")


def is_own(file_key: str | None) -> bool:
    """Whether a file holds days that only this act puts there."""
    last = archive_key("amplitude", SOURCE, IsoWeek.of(DEMO_END))
    return file_key is not None and file_key.startswith(f"amplitude/{SOURCE}/") and file_key > last


def withdraw_own_loads() -> list[int]:
    """Take the loads of this act out of the count; returns which."""
    with connect(autocommit=True) as connection:
        loaded = connection.execute(
            "select load_id, file_key from raw.loads where status = 'loaded' order by load_id"
        ).fetchall()
    own = [int(load_id) for load_id, file_key in loaded if is_own(file_key)]
    for load_id in own:
        withdraw_load(load_id, reason="the demo's event with an unknown key")
    return own


def _add_day(data: Path) -> date:
    """Put the rows of a new day into the simulator's folder, where it sees them at once."""
    held = [date.fromisoformat(folder.name) for folder in (data / SOURCE).iterdir()]
    day = max([DEMO_END, *held]) + timedelta(days=1)
    rows = []
    for hour in (8, 9, 10, 11):
        properties = {"ehr_id": f"EHR-{hour:06d}", "language": "en"}
        if hour == 11:
            properties[NEW_KEY] = "rollator"
        rows.append(
            make_event(
                datetime.combine(day, time(hour), UTC),
                event_type="Pain Diary Saved",
                user_properties=properties,
            )
        )
    write_hours(data, SOURCE, (encode_row(row) for row in rows))
    return day


def _show_report(screen: Screen, interruption: Interrupted) -> None:
    screen.act(
        "The build stopped. The interruption report (attributes of flows.errors.Interrupted):"
    )
    findings = ", ".join(f"{reason}: {count}" for reason, count in interruption.findings.items())
    first, *rest = textwrap.wrap(interruption.error_message, 84)
    screen.table(
        [
            ("status", interruption.status),
            ("reason", interruption.reason),
            ("file_key", interruption.file_key),
            ("last_successful_line", str(interruption.last_successful_line)),
            ("failed_line", str(interruption.failed_line)),
            ("findings", findings),
            ("error_message", first),
            *(("", line) for line in rest),
        ]
    )


def _show_cure(screen: Screen) -> None:
    mapping = next((PROJECT / "dbt_project" / "models").rglob("field_mappings.yaml"))
    screen.act(f"This entry in {mapping.relative_to(PROJECT)} would mend it:")
    screen.line("      - name: walking_aid")
    screen.line("        data_type: text")
    screen.line("        description: Walking aid that the patient uses; null if never said.")
    screen.line("        config: {meta: {keys: [walking_aid]}}")


def _compare(screen: Screen, before: list[TableState], after: list[TableState]) -> None:
    screen.act("The tables before and after (rows, checksum of all rows):")
    screen.table(
        [
            (
                old.name,
                old.rows,
                old.checksum,
                new.checksum,
                "unchanged" if old == new else "CHANGED",
            )
            for old, new in zip(before, after, strict=True)
        ],
        header=("table", "rows", "before", "after", ""),
    )
    if before != after:
        raise RuntimeError("the stopped build changed a table")

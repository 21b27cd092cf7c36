"""A clickstream CSV as Amplitude export rows: user, session, event, timestamp, platform, channel.

    python -m flows.sandbox.amplitude.clickstream IN.csv.gz OUT_FOLDER [--start 2025-01-06]

OUT_FOLDER then holds hour files of both projects that the simulator serves in place. One CSV row
becomes one event; nothing is dropped and nothing is made up about people: `ehr_id` is the user,
the channel goes to `utm_source`, columns without a role go to `event_properties`. The same CSV
gives the same rows.
"""

import argparse
import csv
import gzip
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TextIO

from flows.errors import BadRequest
from flows.sandbox.amplitude.clock import epoch_ms, parse_vendor_text, vendor_text
from flows.sandbox.amplitude.fields import BLANK_ROW, Row
from flows.sandbox.amplitude.projects import PROJECT_IDS
from flows.sandbox.amplitude.store import clear_hours, encode_row, write_hours

#: 1,499 clicks of 114 shop visitors in the four weeks from Monday, 2024-03-04: all that these
#: people did then, cut from the e-commerce example data of the Retentioneering library.
SAMPLE = Path(str(files("flows.sandbox.amplitude"))) / "clickstream_sample.csv.gz"

#: Platforms that are a browser; every other one is the mobile app. The CSV cannot tell iOS from
#: Android, so Android stands for both.
_WEB_PLATFORMS = frozenset({"desktop", "web", "browser"})
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "dwh-helper/clickstream")


@dataclass(frozen=True, slots=True)
class Columns:
    """The CSV's names of the columns with a role. timestamp is ISO 8601, UTC where zoneless."""

    user: str = "user_id"
    session: str = "session_id"
    event: str = "event"
    timestamp: str = "timestamp"
    platform: str = "platform"
    channel: str = "acquisition_channel"


@dataclass(frozen=True, slots=True)
class Click:
    """One converted row and the project ("web" or "mobile") it belongs to."""

    project: str
    row: Row


def read_clicks(
    path: Path, columns: Columns | None = None, shift: timedelta = timedelta(0)
) -> Iterator[Click]:
    """Convert a CSV (plain or .gz), row by row; memory grows with the number of sessions only.

    shift: added to every time. BadRequest names a missing column, or the line (0-based, header not
    counted) whose user is blank or whose timestamp is none.
    """
    columns = columns or Columns()
    roles = {getattr(columns, field.name) for field in fields(columns)}
    session_starts: dict[tuple[str, str], int] = {}
    with _opened(path) as file:
        reader = csv.DictReader(file)
        missing = sorted(roles - set(reader.fieldnames or ()))
        if missing:
            raise BadRequest(f"{path} has no column {', '.join(missing)}; name yours")
        for number, record in enumerate(reader):
            try:
                moment = parse_vendor_text(record[columns.timestamp]) + shift
            except (ValueError, TypeError) as problem:
                raise BadRequest(
                    f"{path}, line {number}: {columns.timestamp} is no time"
                ) from problem
            user = (record[columns.user] or "").strip()
            if not user:
                raise BadRequest(f"{path}, line {number}: {columns.user} is blank")
            session = (user, record[columns.session])
            session_id = session_starts.setdefault(session, epoch_ms(moment))
            extra = {name: value for name, value in record.items() if name and name not in roles}
            yield _click(columns, record, number, moment, session_id, extra)


def _click(
    columns: Columns,
    record: dict[str, str],
    number: int,
    moment: datetime,
    session_id: int,
    extra: dict[str, str],
) -> Click:
    user, platform = record[columns.user].strip(), record[columns.platform]
    project = "web" if platform.lower() in _WEB_PLATFORMS else "mobile"
    device = uuid.uuid5(_NAMESPACE, f"{user}/{platform}")
    # Two equal clicks within a second are two clicks: the row's number keeps them apart.
    key = uuid.uuid5(_NAMESPACE, f"{number}/{user}/{record[columns.session]}/{vendor_text(moment)}")
    uploaded_at = moment + timedelta(milliseconds=200 + key.int % 3000)
    row = BLANK_ROW | {
        "$insert_id": str(key),
        "amplitude_id": uuid.uuid5(_NAMESPACE, user).int >> 88,
        "app": PROJECT_IDS[project],
        "client_event_time": vendor_text(moment),
        "client_upload_time": vendor_text(uploaded_at - timedelta(milliseconds=150)),
        "data": {"path": "/2/httpapi", "group_first_event": {}, "group_ids": {}},
        "data_type": "event",
        "device_id": str(device),
        "device_type": platform,
        "event_id": number + 1,
        "event_properties": extra,
        "event_time": vendor_text(moment),
        "event_type": record[columns.event],
        "library": "amplitude-ts/2.16.1" if project == "web" else "amplitude-android/2.9.2",
        "platform": "Web" if project == "web" else "Android",
        "processed_time": vendor_text(uploaded_at + timedelta(seconds=2)),
        "server_received_time": vendor_text(uploaded_at - timedelta(milliseconds=50)),
        "server_upload_time": vendor_text(uploaded_at),
        "session_id": session_id,
        "user_id": user,
        "user_properties": {"ehr_id": user, "utm_source": record[columns.channel] or "EMPTY"},
        "uuid": str(key),
    }
    return Click(project, row)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield file


def shift_to(path: Path, start_day: date, columns: Columns | None = None) -> timedelta:
    """Whole weeks that bring the first click's ISO week to that of start_day: weekdays stay."""
    first = min(
        (str(click.row["event_time"]) for click in read_clicks(path, columns)), default=None
    )
    if first is None:
        return timedelta(0)
    then = parse_vendor_text(first).date()
    mondays = [day - timedelta(days=day.weekday()) for day in (then, start_day)]
    return mondays[1] - mondays[0]


def write_clicks(
    path: Path,
    folder: Path,
    columns: Columns | None = None,
    shift: timedelta = timedelta(0),
    end_day: date = date.max,
) -> dict[str, int]:
    """Append a CSV's clicks to the hour files below `folder`; returns rows per project.

    end_day: the last upload day (after the shift) that is written.
    """
    last = str(end_day) + "~"  # behind every time of that day, as texts sort
    return {
        project: write_hours(
            folder,
            project,
            (
                encode_row(click.row)
                for click in read_clicks(path, columns, shift)
                if click.project == project and click.row["server_upload_time"] < last
            ),
        )
        for project in PROJECT_IDS
    }


def main() -> None:
    """Convert a file; what an earlier run wrote into the folder is replaced."""
    parser = argparse.ArgumentParser(prog="python -m flows.sandbox.amplitude.clickstream")
    parser.add_argument("csv", type=Path, help="the CSV, plain or .gz")
    parser.add_argument("folder", type=Path, help="gets web/ and mobile/")
    parser.add_argument(
        "--start", type=date.fromisoformat, help="move the first week to this day's"
    )
    for field in fields(Columns):
        parser.add_argument(f"--{field.name}", default=field.default, help="(default: %(default)s)")
    arguments = vars(parser.parse_args())
    columns = Columns(**{field.name: arguments[field.name] for field in fields(Columns)})
    path, folder = arguments["csv"], arguments["folder"]
    start = arguments["start"]
    for project in PROJECT_IDS:
        clear_hours(folder, project)
    shift = shift_to(path, start, columns) if start else timedelta(0)
    for project, rows in write_clicks(path, folder, columns, shift).items():
        print(f"{project}: {rows} rows")


if __name__ == "__main__":
    main()

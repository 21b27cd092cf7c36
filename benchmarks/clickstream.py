"""Whether the product page of any clickstream CSV says what pandas says of the same file.

    python -m benchmarks.clickstream FILE [--user user_id] [--event event] [--time timestamp]
        [--zone UTC] [--page OUT.html]

FILE: a CSV, packed or not, with a column for the user, the event and the time (ISO 8601, UTC where
it has no zone); the other columns become properties. It is written as an event file, imported,
built and shown on a page, on embedded servers; then every number of the page's tables is compared
with an independent count in pandas. Ends with 1 where one differs. Writes
benchmarks/results/clickstream.json.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from benchmarks.figures import figure, report
from benchmarks.page_by_pandas import differences
from flows.import_events import import_file
from flows.lake.bucket import open_bucket
from flows.report_product import MAX_DAYS, write_page
from flows.sandbox.postgres import Postgres
from flows.sandbox.s3 import S3Server
from flows.transform import build

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "dwh-helper/clickstream-file")


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of a CSV's columns."""

    user: str = "user_id"
    event: str = "event"
    time: str = "timestamp"


def as_event_file(file: Path, columns: Columns, target: Path) -> pd.DataFrame:
    """Write a CSV's rows as an event file; returns event_time, user_id, event_type of each.

    An id is made of the row's number and content: two equal clicks are two clicks.
    """
    sent = pd.read_csv(file, dtype=str, keep_default_na=False)
    roles = [columns.user, columns.event, columns.time]
    rows = sent.drop(columns=roles).to_dict("records")
    content = sent.agg("\x1f".join, axis=1)
    pd.DataFrame(
        {
            "event_id": [str(uuid.uuid5(_IDS, f"{at}/{text}")) for at, text in enumerate(content)],
            "occurred_at": sent[columns.time],
            "user_id": sent[columns.user],
            "event_type": sent[columns.event],
            "properties": [json.dumps(row) for row in rows],
        }
    ).to_csv(target, index=False, lineterminator="\n")
    return pd.DataFrame(
        {
            "event_time": pd.to_datetime(sent[columns.time], utc=True, format="ISO8601"),
            "user_id": sent[columns.user],
            "event_type": sent[columns.event],
        }
    )


def main() -> None:
    """Import, build, show, compare; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    for name, column in (("user", "user_id"), ("event", "event"), ("time", "timestamp")):
        parser.add_argument(f"--{name}", default=column, help=f"its column, {column} by default")
    parser.add_argument("--zone", default="UTC", help="time zone of days and weeks")
    parser.add_argument("--page", type=Path, help="keep the page here")
    chosen = parser.parse_args()
    columns = Columns(chosen.user, chosen.event, chosen.time)
    with tempfile.TemporaryDirectory(prefix="dwh-helper-bench-") as folder:
        Path(folder).chmod(0o755)
        with _servers(Path(folder), chosen.zone):
            wrong = _compare(chosen.file, columns, chosen.zone, Path(folder), chosen.page)
    for one in wrong:
        print(one)
    sys.exit(bool(wrong))


@contextmanager
def _servers(folder: Path, zone: str) -> Iterator[None]:
    with Postgres(folder / "postgres") as postgres, S3Server(folder / "s3") as s3:
        s3.create_bucket("bench")
        os.environ |= {
            "DWH_DATABASE_URL": postgres.create_database("bench"),
            "DWH_TIME_ZONE": zone,
            "DBT_TARGET_PATH": str(folder / "dbt_target"),
            **s3.variables("bench"),
        }
        yield


def _compare(file: Path, columns: Columns, zone: str, folder: Path, keep: Path | None) -> list[str]:
    events = as_event_file(file, columns, folder / "events.csv")
    seconds: dict[str, float] = {}
    started = time.monotonic()
    imported = import_file(folder / "events.csv")
    seconds["import"] = time.monotonic() - started
    build()
    seconds["build"] = time.monotonic() - started - seconds["import"]
    days = events["event_time"].dt.tz_convert(zone).dt.date
    page = write_page(max(days.min(), days.max() - timedelta(days=MAX_DAYS - 1)), days.max())
    seconds["page"] = time.monotonic() - started - sum(seconds.values())
    bucket = open_bucket()
    html = bucket.client.get_object(Bucket=bucket.name, Key=page.key)["Body"].read()
    if keep is not None:
        keep.write_bytes(html)
    wrong = differences(html.decode(), events, zone, page.start, page.end)
    if (imported.inserted, imported.duplicates) != (len(events), 0):
        wrong.append(f"{imported} of {len(events):,} rows")
    report(
        "clickstream",
        [
            figure("events of the file", len(events), "rows"),
            figure("events in the statistics", page.figures.headline.events, "rows"),
            figure("distinct users", page.figures.headline.users, "users"),
            figure("days of the page", (page.end - page.start).days + 1, "days"),
            figure("numbers that differ", len(wrong), "", aim="none", holds=not wrong),
            *(figure(f"seconds of {name}", taken, "s") for name, taken in seconds.items()),
            figure("size of the page", page.size_bytes / 1e6, "MB"),
        ],
    )
    return wrong


if __name__ == "__main__":
    main()

"""A clickstream CSV becomes Amplitude rows, one for one."""

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.errors import BadRequest
from flows.sandbox.amplitude.clickstream import (
    SAMPLE,
    Columns,
    read_clicks,
    shift_to,
    write_clicks,
)
from flows.sandbox.amplitude.fields import KEYS

HEADER = "user_id,session_id,event,timestamp,platform,acquisition_channel,cohort\n"


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(folder.rglob("*.ndjson"))
        for line in path.read_text().splitlines()
    ]


def test_one_click_is_one_row(tmp_path: Path) -> None:
    """Each column goes where it belongs, and nothing is made up about the person."""
    path = tmp_path / "clicks.csv"
    path.write_text(HEADER + "u1,s1,home,2024-03-13 10:21:14,desktop,email,2024-01\n")
    (click,) = read_clicks(path)
    row = click.row
    assert (click.project, tuple(row)) == ("web", KEYS)
    filled = {
        key: row[key]
        for key in ("event_type", "event_time", "user_id", "platform", "session_id", "device_type")
    }
    assert filled == {
        "event_type": "home",
        "event_time": "2024-03-13 10:21:14.000000",
        "user_id": "u1",
        "platform": "Web",
        "session_id": 1710325274000,
        "device_type": "desktop",
    }
    assert row["user_properties"] == {"ehr_id": "u1", "utm_source": "email"}
    assert row["event_properties"] == {"cohort": "2024-01"}
    assert row["event_time"] < row["server_upload_time"] < row["processed_time"]


def test_a_session_keeps_its_id_and_a_device_its_name(tmp_path: Path) -> None:
    """session_id is the session's first click in ms; one person has one device a platform."""
    path = tmp_path / "clicks.csv"
    path.write_text(
        HEADER
        + "u1,s1,home,2024-03-13 10:00:00,mobile,email,a\n"
        + "u2,s9,home,2024-03-13 10:00:30,tablet,email,a\n"
        + "u1,s1,cart,2024-03-13 10:01:00,mobile,email,a\n"
        + "u1,s2,home,2024-03-13 11:00:00,desktop,,a\n"
    )
    clicks = list(read_clicks(path))
    assert [click.project for click in clicks] == ["mobile", "mobile", "mobile", "web"]
    assert [click.row["session_id"] - 1710324000000 for click in clicks] == [0, 30000, 0, 3600000]
    devices = [click.row["device_id"] for click in clicks]
    assert devices[0] == devices[2]
    assert len(set(devices)) == 3
    assert clicks[3].row["user_properties"]["utm_source"] == "EMPTY"


def test_equal_clicks_stay_two(tmp_path: Path) -> None:
    """Two equal lines get two uuids, and always the same ones."""
    path = tmp_path / "clicks.csv"
    path.write_text(HEADER + "u1,s1,home,2024-03-13 10:00:00,mobile,email,a\n" * 2)
    uuids = [click.row["uuid"] for click in read_clicks(path)]
    assert len(set(uuids)) == 2
    assert [click.row["uuid"] for click in read_clicks(path)] == uuids


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    """The roles are given by name; a name that is not there is an error that says so."""
    path = tmp_path / "clicks.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("who,visit,what,when,on,from\nu1,s1,home,2024-03-13T10:00:00Z,web,ads\n")
    (click,) = read_clicks(path, Columns("who", "visit", "what", "when", "on", "from"))
    assert (click.project, click.row["event_type"]) == ("web", "home")
    with pytest.raises(BadRequest, match=r"no column acquisition_channel, event, platform"):
        next(read_clicks(path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("u1,s1,home,yesterday,mobile,email,a", "timestamp is no time"),
        (" ,s1,home,2024-03-13 10:00:00,mobile,email,a", "user_id is blank"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    """The error names file, line and column."""
    path = tmp_path / "clicks.csv"
    path.write_text(f"{HEADER}u0,s0,home,2024-03-13 10:00:00,mobile,email,a\n{line}\n")
    with pytest.raises(BadRequest, match=rf"clicks\.csv, line 1: {reason}"):
        list(read_clicks(path))


def test_the_sample_becomes_as_many_rows(tmp_path: Path) -> None:
    """Every line of the packaged sample is there once, in four weeks that keep their weekdays."""
    with gzip.open(SAMPLE, "rt", newline="") as file:
        records = list(csv.DictReader(file))
    shift = shift_to(SAMPLE, date(2025, 1, 6))
    assert shift == timedelta(weeks=44)
    counts = write_clicks(SAMPLE, tmp_path, shift=shift)
    rows = rows_in(tmp_path)
    assert sum(counts.values()) == len(rows) == len(records)
    assert len({row["uuid"] for row in rows}) == len(rows)
    assert Counter(row["event_type"] for row in rows) == Counter(r["event"] for r in records)
    uploads = sorted(row["server_upload_time"][:10] for row in rows)
    assert (uploads[0], uploads[-1]) == ("2025-01-06", "2025-02-02")


def test_the_command_replaces_what_it_wrote(tmp_path: Path) -> None:
    """Converting twice into one folder gives the rows once."""
    for _ in range(2):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "flows.sandbox.amplitude.clickstream",
                str(SAMPLE),
                str(tmp_path),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    assert done.stdout == "web: 734 rows\nmobile: 765 rows\n"
    assert len(rows_in(tmp_path)) == 1499

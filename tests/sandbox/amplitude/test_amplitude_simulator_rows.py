"""A span's rows come by their upload time, late ones later, in zips like the vendor's."""

import gzip
import io
import json
import re
import zipfile
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from amplitude_requests import MONDAY, ask, hourly, rows_of, uuids_of
from simulator_control import control

from flows.errors import BadRequest
from flows.sandbox.amplitude import WEB, AmplitudeSimulator
from flows.sandbox.amplitude.dataset import build
from flows.sandbox.amplitude.hostile import hostile_lines
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.amplitude.store import upload_hour

MEMBER = re.compile(r"^(\d+)/\1_(\d{4}-\d\d-\d\d)_(\d|1\d|2[0-3])#(\d+)\.json\.gz$")


def names_of(answer: httpx.Response) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()


def test_both_hours_of_a_span_are_included(amplitude: AmplitudeSimulator) -> None:
    """start=end is one full hour, chosen by server_upload_time and not by event_time."""
    early = make_event(MONDAY.replace(hour=5, minute=59, second=59, microsecond=999999))
    first = make_event(MONDAY.replace(hour=6), event_time="2024-12-01 00:00:00.000000")
    last = make_event(MONDAY.replace(hour=7, minute=59))
    amplitude.add_events("web", [early, first, last, make_event(MONDAY.replace(hour=8))])
    assert uuids_of(ask(amplitude, "20250106T06", "20250106T06")) == [first["uuid"]]
    assert uuids_of(ask(amplitude, "20250106T06", "20250106T07")) == sorted(
        [first["uuid"], last["uuid"]]
    )


def test_no_rows_is_404(amplitude: AmplitudeSimulator) -> None:
    """An empty span is no empty zip, and one project's rows are not the other's."""
    amplitude.add_events("mobile", [make_event(MONDAY)])
    answer = ask(amplitude)
    assert (answer.status_code, answer.text) == (404, "Raw data files were not found.")


def test_an_hour_shows_three_hours_after_it_began(amplitude: AmplitudeSimulator) -> None:
    """Young hours are left out; where nothing else is asked, that looks like no data."""
    rows = [make_event(MONDAY.replace(hour=hour)) for hour in (9, 10)]
    amplitude.add_events("web", rows)
    seen = []
    for moment in (
        MONDAY.replace(hour=11, minute=59, second=59),
        MONDAY.replace(hour=12),
        MONDAY.replace(hour=13),
    ):
        amplitude.set_now(moment)
        answer = ask(amplitude)
        seen.append(len(rows_of(answer)) if answer.status_code == 200 else answer.status_code)
    assert seen == [404, 1, 2]


def test_members_are_named_and_packed_as_the_vendors(amplitude: AmplitudeSimulator) -> None:
    """Stored gzip members, unpadded hours, sparse partitions, several an hour, in no order."""
    amplitude.add_events("web", hourly(24, each=20))
    answer = ask(amplitude)
    assert answer.headers["Content-Type"] == "application/zip"
    assert "Content-Length" not in answer.headers
    names = names_of(answer)
    parts = [MEMBER.match(name) for name in names]
    assert all(parts), names
    found = [(int(part[3]), int(part[4])) for part in parts if part]
    assert {hour for hour, _ in found} == set(range(24))
    assert len(found) > 24
    assert found != sorted(found)
    partitions = {partition for _, partition in found}
    assert 1 < len(partitions) <= 4
    assert max(partitions) > len(partitions)
    assert len(rows_of(answer)) == 480


def test_each_member_holds_the_rows_of_its_hour(amplitude: AmplitudeSimulator) -> None:
    """The hour in a member's name is the upload hour of all its rows."""
    amplitude.add_events("web", hourly(12, each=9))
    with zipfile.ZipFile(io.BytesIO(ask(amplitude).content)) as archive:
        for name in archive.namelist():
            named = MEMBER.match(name)
            assert named
            lines = gzip.decompress(archive.read(name)).splitlines()
            assert lines
            hour = MONDAY.replace(hour=int(named[3]))
            assert {upload_hour(line) for line in lines} == {hour}


def test_the_same_request_gives_the_same_bytes(amplitude: AmplitudeSimulator) -> None:
    """Asking again changes nothing."""
    amplitude.add_events("web", hourly(5, each=50))
    assert ask(amplitude).content == ask(amplitude).content


def test_late_rows_show_at_the_second_pull(amplitude: AmplitudeSimulator) -> None:
    """A row added late is withheld once, from an hour with rows and from one without."""
    on_time, late, alone = (
        make_event(MONDAY + timedelta(hours=hour), event_id=hour) for hour in (1, 1, 2)
    )
    late = late | {"uuid": "00000000-0000-4000-8000-000000000000"}
    amplitude.add_events("web", [on_time])
    amplitude.add_events("web", [late], late=True)
    assert uuids_of(ask(amplitude)) == [on_time["uuid"]]
    assert uuids_of(ask(amplitude)) == sorted([on_time["uuid"], late["uuid"]])
    amplitude.add_events("web", [alone], late=True)
    assert ask(amplitude, "20250106T02", "20250106T02").status_code == 404


def test_a_share_of_all_rows_can_be_late(tmp_path: Path) -> None:
    """The late share of a folder is withheld at the first pull and complete at the second."""
    build(tmp_path, date(2025, 1, 6), date(2025, 1, 7), users=20, clicks=False)
    with AmplitudeSimulator(data=tmp_path) as amplitude:
        control(amplitude, "POST", "late", share=0.3)
        pair = (WEB.client_id, WEB.secret_key)
        first, second = (uuids_of(ask(amplitude, pair=pair)) for _ in range(2))
    assert 0.5 * len(second) < len(first) < 0.9 * len(second)
    assert set(first) < set(second)


def test_any_folder_of_ndjson_is_served_by_upload_time(tmp_path: Path) -> None:
    """Files of any name are put into hours; those of no project's folder are split by platform."""
    web, mobile, server = (
        make_event(MONDAY + timedelta(hours=hour), platform=platform, event_id=hour)
        for hour, platform in enumerate(("Web", "iOS", None))
    )
    files = {"mixed.jsonl": [web, mobile], "web/some/where.ndjson": [server]}
    for name, rows in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(json.dumps(row) for row in rows))
    with AmplitudeSimulator(data=tmp_path) as amplitude:
        pairs = {name: (p.client_id, p.secret_key) for name, p in amplitude.projects.items()}
        found = {name: uuids_of(ask(amplitude, pair=pair)) for name, pair in pairs.items()}
    assert found == {"web": sorted([web["uuid"], server["uuid"]]), "mobile": [mobile["uuid"]]}


def test_a_timeless_row_in_a_folder_is_named(tmp_path: Path) -> None:
    """The error says which file and line has no upload time."""
    (tmp_path / "rows.ndjson").write_text(json.dumps(make_event(MONDAY)) + '\n{"a": 1}\n')
    with pytest.raises(BadRequest, match=r"rows\.ndjson, line 1: .*server_upload_time"):
        AmplitudeSimulator(data=tmp_path)


def test_hostile_lines_travel_unchanged(amplitude: AmplitudeSimulator) -> None:
    """Every ugly line is well-formed JSON, has its own name, and arrives byte for byte."""
    ugly = list(hostile_lines("web", MONDAY.date()))
    assert len({item.name for item in ugly}) == len(ugly) > 40
    for item in ugly:
        json.loads(item.line)
    amplitude.add_lines("web", [item.line for item in ugly])
    answer = ask(amplitude)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        lines = [
            line
            for name in archive.namelist()
            for line in gzip.decompress(archive.read(name)).split(b"\n")
            if line
        ]
    assert sorted(lines) == sorted(item.line for item in ugly)

"""The simulator answers as the Export API's description says, and fails as it is told to."""

import gzip
import io
import json
import re
import subprocess
import sys
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.errors import BadRequest
from flows.sandbox.amplitude import WEB, AmplitudeSimulator, FaultKind
from flows.sandbox.amplitude.dataset import build
from flows.sandbox.amplitude.events import generate
from flows.sandbox.amplitude.export import NOT_FOUND, TOO_LARGE
from flows.sandbox.amplitude.fields import KEYS, OLD_KEYS
from flows.sandbox.amplitude.hostile import hostile_lines
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.amplitude.store import upload_hour
from flows.settings import PROJECT

FIELD_MAPPINGS = PROJECT / "dbt_project/models/marts/user_properties/field_mappings.yaml"
PAIR = ("web-id", "web-secret")
MONDAY = datetime(2025, 1, 6, tzinfo=UTC)
MEMBER = re.compile(r"^(\d+)/\1_(\d{4}-\d\d-\d\d)_(\d|1\d|2[0-3])#(\d+)\.json\.gz$")


def ask(
    amplitude: AmplitudeSimulator,
    start: str = "20250106T00",
    end: str = "20250106T23",
    pair: tuple[str, str] = PAIR,
) -> httpx.Response:
    return httpx.get(
        f"{amplitude.base_url}/api/2/export", params={"start": start, "end": end}, auth=pair
    )


def names_of(answer: httpx.Response) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(answer.content)).namelist()


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        return [
            json.loads(line)
            for name in archive.namelist()
            for line in gzip.decompress(archive.read(name)).splitlines()
        ]


def uuids_of(answer: httpx.Response) -> list[str]:
    return sorted(row["uuid"] for row in rows_of(answer))


def control(amplitude: AmplitudeSimulator, method: str, path: str, **json_body: Any) -> Any:
    return httpx.request(
        method, f"{amplitude.base_url}/control/{path}", json=json_body or None
    ).json()


def hourly(hours: int, each: int = 3) -> list[dict[str, Any]]:
    return [
        make_event(MONDAY + timedelta(hours=hour, minutes=minute), event_id=hour * 100 + minute)
        for hour in range(hours)
        for minute in range(each)
    ]


@pytest.mark.parametrize(
    "pair", [("web-id", "wrong"), ("wrong", "web-secret"), ("web-id", "mobile-secret"), ("", "")]
)
def test_a_wrong_key_pair_is_refused(amplitude: AmplitudeSimulator, pair: tuple[str, str]) -> None:
    """403 with the live service's text, whatever part of the pair is wrong."""
    answer = ask(amplitude, pair=pair)
    assert (answer.status_code, answer.text) == (403, "Invalid API Key")


def test_a_key_pair_of_another_region_is_refused() -> None:
    """A pair of the EU region fails on the US host like a wrong one, and works on its own."""
    european = replace(WEB, region="eu")
    with AmplitudeSimulator([european]) as us, AmplitudeSimulator([european], region="eu") as eu:
        pair = (WEB.client_id, WEB.secret_key)
        assert [ask(us, pair=pair).status_code, ask(eu, pair=pair).status_code] == [403, 404]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "start=20250106T00",
        "end=20250106T00",
        "start=20250106T24&end=20250106T25",
        "start=2025-01-06T00&end=2025-01-06T01",
        "start=20250106&end=20250107",
        "start=20250106T05&end=20250106T04",
        "start=20240101T00&end=20241231T00",
    ],
)
def test_a_span_that_is_none_is_a_bad_request(amplitude: AmplitudeSimulator, query: str) -> None:
    """Missing, malformed, backward and more than 365 days wide spans get 400."""
    url = f"{amplitude.base_url}/api/2/export?{query}"
    assert httpx.get(url, auth=PAIR).status_code == 400


def test_the_widest_span_is_365_days(amplitude: AmplitudeSimulator) -> None:
    """365 days of 24 hours are let through, one hour more is not."""
    statuses = [
        ask(amplitude, "20240101T00", end).status_code for end in ("20241230T23", "20241231T00")
    ]
    assert statuses == [404, 400]


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


def test_too_much_data_is_400(amplitude: AmplitudeSimulator) -> None:
    """Above the size cap comes the vendor's 4 GB text; half the span may pass."""
    amplitude.add_events("web", hourly(10, each=30))
    whole, half = len(ask(amplitude).content), len(ask(amplitude, end="20250106T04").content)
    amplitude.limits = amplitude.limits.changed({"size_cap_bytes": (whole + half) // 2})
    answer = ask(amplitude)
    assert (answer.status_code, answer.text) == (400, TOO_LARGE)
    assert ask(amplitude, end="20250106T04").status_code == 200


def test_too_many_hours_time_out(amplitude: AmplitudeSimulator) -> None:
    """Above the hours that are allowed comes 504."""
    amplitude.add_events("web", hourly(10))
    control(amplitude, "POST", "limits", timeout_hours=6)
    statuses = [ask(amplitude, end=f"20250106T{last:02d}").status_code for last in (5, 6)]
    assert statuses == [200, 504]


def test_a_sixth_parallel_request_is_429(amplitude: AmplitudeSimulator) -> None:
    """Five at once over both projects pass; of eight, three are told to wait."""
    amplitude.add_events("web", hourly(1))
    amplitude.add_events("mobile", hourly(1))
    amplitude.limits = amplitude.limits.changed({"delay_seconds": 0.5})
    pairs = [PAIR, ("mobile-id", "mobile-secret")] * 4
    barrier = threading.Barrier(8)

    def go(pair: tuple[str, str]) -> int:
        with httpx.Client() as client:
            barrier.wait()
            url = f"{amplitude.base_url}/api/2/export?start=20250106T00&end=20250106T23"
            return client.get(url, auth=pair).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(go, pairs)) == [200] * 5 + [429] * 3
    assert amplitude.traffic.max_parallel == 8


def test_a_polite_client_counts_as_it_behaves(amplitude: AmplitudeSimulator) -> None:
    """Whoever asks the next when the last byte is in has never two requests at once."""
    amplitude.add_events("web", hourly(1))
    with httpx.Client(base_url=amplitude.base_url, auth=PAIR) as client:
        for _ in range(100):
            client.get("/api/2/export?start=20250106T00&end=20250106T00")
            client.get("/api/2/export?start=20250106T09&end=20250106T09")
    assert amplitude.traffic.max_parallel == 1
    assert [seen.status for seen in amplitude.traffic.seen] == [200, 404] * 100


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("400", TOO_LARGE),
        ("403", "Invalid API Key"),
        ("404", NOT_FOUND),
        ("429", "Too many requests: at most 5 at a time."),
        ("502", "502 Bad Gateway"),
        ("504", "504 Gateway Time-out"),
    ],
)
def test_a_status_can_be_asked_for(amplitude: AmplitudeSimulator, fault: str, text: str) -> None:
    """A fault spoils as many requests as it says, then the data are there again."""
    amplitude.add_events("web", hourly(1))
    control(amplitude, "POST", "faults", fault=fault, times=2)
    answers = [ask(amplitude) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [int(fault), int(fault), 200]
    assert [answer.text for answer in answers[:2]] == [text, text]


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_connection_can_break_in_mid_body(amplitude: AmplitudeSimulator, fault: str) -> None:
    """The answer begins as a 200 with data and ends before its end."""
    amplitude.add_events("web", hourly(24, each=50))
    amplitude.inject(fault)
    with httpx.Client(auth=PAIR) as client:
        request = client.build_request(
            "GET", f"{amplitude.base_url}/api/2/export?start=20250106T00&end=20250106T23"
        )
        answer = client.send(request, auth=PAIR, stream=True)
        assert answer.status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            answer.read()
    assert len(rows_of(ask(amplitude))) == 1200


def test_a_page_can_come_as_200(amplitude: AmplitudeSimulator) -> None:
    """HTML under 200 is no zip."""
    amplitude.add_events("web", hourly(1))
    amplitude.inject(FaultKind.HTML)
    answer = ask(amplitude)
    assert (answer.status_code, answer.content[:9]) == (200, b"<!DOCTYPE")


def test_a_zip_can_be_truncated(amplitude: AmplitudeSimulator) -> None:
    """The answer is well-ended HTTP and the first half of the true zip."""
    amplitude.add_events("web", hourly(2, each=50))
    amplitude.inject("truncated")
    half, whole = ask(amplitude).content, ask(amplitude).content
    assert half == whole[: len(whole) // 2]
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(half))


def test_one_gzip_member_can_be_corrupt(amplitude: AmplitudeSimulator) -> None:
    """The zip is whole and so are all members but one, which does not inflate."""
    amplitude.add_events("web", hourly(6, each=50))
    amplitude.inject("corrupt")
    broken = 0
    with zipfile.ZipFile(io.BytesIO(ask(amplitude).content)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            try:
                gzip.decompress(archive.read(name))
            except (zlib.error, gzip.BadGzipFile, EOFError):
                broken += 1
    assert broken == 1


def test_one_line_can_be_malformed(amplitude: AmplitudeSimulator) -> None:
    """Exactly one line of the whole answer is half an object."""
    amplitude.add_events("web", hourly(6, each=50))
    amplitude.inject("malformed")
    bad = []
    lines = 0
    with zipfile.ZipFile(io.BytesIO(ask(amplitude).content)) as archive:
        for name in archive.namelist():
            for line in gzip.decompress(archive.read(name)).splitlines():
                lines += 1
                try:
                    json.loads(line)
                except json.JSONDecodeError:
                    bad.append(line)
    assert (lines, len(bad)) == (300, 1)
    assert bad[0].startswith(b'{"$insert_id"')


def test_a_fault_concerns_whom_it_says(amplitude: AmplitudeSimulator) -> None:
    """Project and hours of a fault are looked at, and it stays until it is met or cleared."""
    amplitude.add_events("web", hourly(24))
    amplitude.add_events("mobile", hourly(24))
    amplitude.inject("502", times=None, project="web", start="20250106T05", end="20250106T06")
    mobile = ("mobile-id", "mobile-secret")
    statuses = [
        ask(amplitude, "20250106T05", "20250106T06", mobile).status_code,
        ask(amplitude, "20250106T00", "20250106T04").status_code,
        ask(amplitude, "20250106T07", "20250106T09").status_code,
        ask(amplitude, "20250106T06", "20250106T09").status_code,
        ask(amplitude).status_code,
    ]
    assert statuses == [200, 200, 200, 502, 502]
    waiting = control(amplitude, "GET", "faults")
    assert waiting == {"faults": [{"fault": "502", "left": None, "project": "web"}]}
    assert control(amplitude, "DELETE", "faults") == {"faults": []}
    assert ask(amplitude).status_code == 200


def test_a_429_can_say_how_long_to_wait(amplitude: AmplitudeSimulator) -> None:
    """Retry-After is sent where the fault has it."""
    amplitude.inject("429", retry_after=7)
    assert ask(amplitude).headers["Retry-After"] == "7"


def test_the_control_address_adds_events_and_tells_requests(amplitude: AmplitudeSimulator) -> None:
    """Events, clock and the list of requests work over HTTP as they do in Python."""
    row = make_event(MONDAY)
    added = control(amplitude, "POST", "events", project="web", rows=[row])
    assert added == {"added": 1}
    assert rows_of(ask(amplitude)) == [row]
    control(amplitude, "POST", "clock", now="2025-01-06T02:59:59Z")
    assert ask(amplitude).status_code == 404
    seen = {"project": "web", "start": "20250106T00", "end": "20250106T23"}
    assert control(amplitude, "GET", "requests") == {
        "max_parallel": 1,
        "requests": [seen | {"status": 200}, seen | {"status": 404}],
    }
    control(amplitude, "DELETE", "requests")
    assert amplitude.traffic.seen == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", {"fault": "599"}),
        ("POST", "faults", {"fault": "502", "tmies": 2}),
        ("POST", "faults", {"fault": "502", "start": "Monday"}),
        ("POST", "limits", {"size": 3}),
        ("POST", "events", {"project": "desktop", "rows": []}),
        ("POST", "events", {"project": "web", "rows": [{"event_type": "timeless"}]}),
        ("POST", "clock", {"now": "noon"}),
        ("PUT", "faults", {}),
        ("POST", "nothing", {}),
    ],
)
def test_a_senseless_wish_is_refused(
    amplitude: AmplitudeSimulator, method: str, path: str, body: dict[str, Any]
) -> None:
    """The control address answers 400 or 501 with a reason and changes nothing."""
    answer = httpx.request(method, f"{amplitude.base_url}/control/{path}", json=body)
    assert answer.status_code in {400, 501}
    assert control(amplitude, "GET", "faults") == {"faults": []}
    assert ask(amplitude).status_code == 404


def test_stopping_ends_open_connections() -> None:
    """A client with a connection kept open gets no answer from a stopped simulator."""
    amplitude = AmplitudeSimulator().start()
    with httpx.Client(base_url=amplitude.base_url) as client:
        assert client.get("/control/faults").status_code == 200
        amplitude.stop()
        with pytest.raises(httpx.TransportError):
            client.get("/control/faults")
    amplitude.stop()


def test_it_can_be_started_again_at_its_address() -> None:
    """After a stop, start serves the same rows under the same URL."""
    amplitude = AmplitudeSimulator()
    row = make_event(MONDAY)
    amplitude.add_events("web", [row])
    with amplitude:
        url = amplitude.base_url
    with amplitude:
        assert amplitude.base_url == url
        assert rows_of(ask(amplitude, pair=(WEB.client_id, WEB.secret_key))) == [row]


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """`python -m flows.sandbox.amplitude` invents data, says where it serves, ends on SIGTERM."""
    data = tmp_path / "data"
    command = [sys.executable, "-m", "flows.sandbox.amplitude", "--data", str(data)]
    command += ["--generate", "2025-01-06", "2025-01-07", "--users", "10", "--web", "id:secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, said
        query = "start=20250106T00&end=20250107T23"
        answer = httpx.get(f"{url[0]}/api/2/export?{query}", auth=("id", "secret"))
        process.terminate()
        assert process.wait(timeout=10) == 0
    on_disk = sum(path.read_bytes().count(b"\n") for path in (data / "web").rglob("*.ndjson"))
    assert len(rows_of(answer)) == on_disk > 0


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


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_generated_rows_are_the_same_each_time(project: str) -> None:
    """Same arguments, same rows; a later end day adds rows and changes none."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = list(generate(project, *days, users=40))
    assert rows == list(generate(project, *days, users=40))
    uploads = [row["server_upload_time"] for row in rows]
    assert all("2025-01-06" <= upload < "2025-01-13" for upload in uploads)
    longer = list(generate(project, days[0], date(2025, 1, 19), users=40))
    assert [row for row in longer if row["server_upload_time"] < "2025-01-13"] == rows
    assert rows != list(generate(project, *days, users=40, seed=7))


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_generated_rows_are_as_awkward_as_real_ones(project: str) -> None:
    """Old and new kinds, late, future and repeated rows all occur, and properties stay flat."""
    rows = list(generate(project, date(2025, 1, 6), date(2025, 2, 2)))
    assert 15_000 < len(rows) < 25_000
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(KEYS)), tuple(sorted(OLD_KEYS))}
    delivered = [row["uuid"] for row in rows]
    again = len(delivered) - len(set(delivered))
    assert 20 < again < 300
    insert_ids = {(row["$insert_id"], row["device_id"]) for row in rows}
    assert len({insert_id for insert_id, _ in insert_ids}) < len(insert_ids)
    late = [row for row in rows if row["event_time"][:10] < row["server_upload_time"][:10]]
    future = [row for row in rows if row["event_time"] > row["server_upload_time"][:10] + "~"]
    assert late
    assert future
    assert any(row["event_type"] == "session_end" for row in late)
    for row in rows:
        for key, value in row["user_properties"].items():
            assert not isinstance(value, dict | list), key
            assert key == key.lower()
    signed_in = {row["user_properties"].get("ehr_id") for row in rows}
    assert None in signed_in
    assert 200 < len(signed_in) < 300
    weights: dict[str, set[Any]] = {}
    for row in rows:
        properties = row["user_properties"]
        if "ehr_id" in properties:
            weights.setdefault(properties["ehr_id"], set()).add(properties["weight_kg"])
    assert sum(len(values) > 1 for values in weights.values()) > 100


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_the_mapping_knows_every_generated_key(project: str) -> None:
    """The demo's own data must not stop the build: each key is a column's or ignored on purpose."""
    mapping = yaml.safe_load(FIELD_MAPPINGS.read_text())
    known: set[str] = set()
    for model in mapping["models"]:
        known |= {ignored["key"] for ignored in model["config"]["meta"]["ignored_keys"]}
        for column in model["columns"]:
            known |= set(column.get("config", {}).get("meta", {}).get("keys", ()))
    rows = generate(project, date(2025, 1, 6), date(2025, 1, 19), users=100)
    assert {key for row in rows for key in row["user_properties"]} - known == set()


def test_both_projects_tell_of_the_same_people() -> None:
    """A patient's permanent facts agree between web and mobile."""
    facts: list[dict[str, Any]] = []
    for project in ("web", "mobile"):
        rows = generate(project, date(2025, 1, 6), date(2025, 1, 12), users=40)
        found = {}
        for row in rows:
            properties = row["user_properties"]
            if "ehr_id" in properties:
                sex = properties.get("sex") or properties["gender"][0]
                found[properties["ehr_id"]] = (sex, properties["birth_date"])
        facts.append(found)
    shared = set(facts[0]) & set(facts[1])
    assert len(shared) > 10
    assert {ehr_id: facts[0][ehr_id] for ehr_id in shared} == {
        ehr_id: facts[1][ehr_id] for ehr_id in shared
    }


def test_the_demo_data_are_built_once(tmp_path: Path) -> None:
    """Building again leaves the files alone; other arguments replace them."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = build(tmp_path, *days, users=30)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ndjson")}
    assert build(tmp_path, *days, users=30) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ndjson")} == files
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    assert lines == sum(rows.values())
    fewer = build(tmp_path, *days, users=20)
    assert fewer["web"] < rows["web"]


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

"""The simulated Export API fails as it is told to."""

import gzip
import io
import json
import zipfile
import zlib

import httpx
import pytest
from amplitude_requests import PAIR, ask, hourly, rows_of
from simulator_control import control

from flows.sandbox.amplitude import AmplitudeSimulator, FaultKind
from flows.sandbox.amplitude.export import NOT_FOUND, TOO_LARGE


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

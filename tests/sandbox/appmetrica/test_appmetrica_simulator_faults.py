"""The simulated Logs API has quotas, and fails as it is told to."""

import csv
import io
import json
from datetime import UTC, datetime

import httpx
import pytest
from appmetrica_requests import get, named, rows_of, texts_of, wait
from simulator_control import control

from flows.sandbox.appmetrica import APPLICATION, AppMetricaSimulator, FaultKind, Limits, texts


def test_the_31st_request_of_a_second_is_420(vendor: AppMetricaSimulator) -> None:
    """The vendor's quota per IP, if the limit is set."""
    vendor.limits = Limits(requests_per_second=3, steps=100)
    answers = [get(vendor) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {202, 420}
    refused = next(answer for answer in answers if answer.status_code == 420)
    assert (refused.reason_phrase, refused.text) == ("Too Many Requests", texts.QUOTA_PER_SECOND)


def test_the_days_quota_ends_at_midnight_utc(vendor: AppMetricaSimulator) -> None:
    """After as many requests as a day may have comes 420 until 00:00 UTC."""
    vendor.limits = Limits(requests_per_day=2, steps=100)
    statuses = [get(vendor).status_code for _ in range(3)]
    vendor.set_now(datetime(2025, 1, 7, tzinfo=UTC))
    assert [*statuses, get(vendor).status_code] == [202, 202, 420, 202]


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("400", 400, "Bad request"),
        ("401", 401, texts.UNAUTHORIZED),
        ("403", 403, texts.FORBIDDEN),
        ("420", 420, texts.QUOTA_PER_DAY),
        ("429", 429, texts.TOO_MANY),
        ("502", 502, "502 Bad Gateway"),
        ("more_parts", 400, texts.MORE_PARTS),
    ],
)
def test_a_status_can_be_asked_for(
    vendor: AppMetricaSimulator, fault: str, status: int, text: str
) -> None:
    """A fault spoils as many requests as it says; the job goes on behind it."""
    control(vendor, "POST", "faults", fault=fault, times=2, table="events")
    answers = [get(vendor) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [status, status, 202, 202, 200]
    assert [answer.text for answer in answers[:2]] == [text, text]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("ask", [500, 202, 202, 200]),
        ("poll", [202, 500, 202, 200]),
        ("file", [202, 202, 500, 200]),
    ],
)
def test_a_fault_knows_its_moment(
    vendor: AppMetricaSimulator, phase: str, expected: list[int]
) -> None:
    """At the asking, while the job runs, or instead of the file."""
    vendor.inject("500", phase=phase)
    assert [get(vendor).status_code for _ in range(4)] == expected


def test_a_fault_concerns_whom_it_says(vendor: AppMetricaSimulator) -> None:
    """Table, text of the query, and the management API are told apart."""
    status = f"{vendor.base_url}/management/v1/logsapi/status"
    headers = {"Authorization": f"OAuth {APPLICATION.token}"}
    vendor.inject("502", times=None, table="clicks")
    vendor.inject("503", times=None, contains="2025-01-07 00:00:00")
    assert [
        get(vendor, "clicks", fields="click_id").status_code,
        get(vendor, date_until="2025-01-07 00:00:00").status_code,
        get(vendor).status_code,
        httpx.get(status, headers=headers).status_code,
    ] == [502, 503, 202, 200]
    assert control(vendor, "GET", "faults")["faults"] == [
        {"fault": "502", "left": None, "table": "clicks", "phase": None},
        {"fault": "503", "left": None, "table": None, "phase": None},
    ]
    control(vendor, "DELETE", "faults")
    vendor.inject(FaultKind.TOO_MANY, table="management", retry_after=7)
    assert httpx.get(status, headers=headers).headers["Retry-After"] == "7"


def test_progress_can_stand(vendor: AppMetricaSimulator) -> None:
    """At 97 % for as many polls as wished, and the job behind it waits too."""
    vendor.inject("stall", times=3)
    answers = [get(vendor), get(vendor), get(vendor, form="csv"), get(vendor, form="csv")]
    answers += [get(vendor) for _ in range(3)]
    assert texts_of(answers) == [
        texts.ADDED,
        "Wait for result. Progress is 97%.",
        texts.ADDED,
        texts.ADDED,
        texts.progress(97),
        texts.progress(50),
        200,
    ]


@pytest.mark.parametrize("fault", ["cut", "reset"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_connection_can_break_in_mid_body(
    vendor: AppMetricaSimulator, fault: str, encoding: str
) -> None:
    """The answer begins as a 200 with data and ends before its end; the next one is whole."""
    vendor.add_rows("events", named(*map(str, range(5000))))
    vendor.inject(fault)
    headers = {"Accept-Encoding": encoding}
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        wait(vendor, headers=headers)
    assert len(rows_of(wait(vendor, headers=headers))) == 5000
    assert [seen.status for seen in vendor.traffic.seen] == [202, 202, 0, 200]


def test_a_short_csv_looks_complete(vendor: AppMetricaSimulator) -> None:
    """A truncated file is well-ended HTTP; only a JSON shows by its end that rows are missing."""
    vendor.add_rows("events", named(*map(str, range(500))))
    vendor.inject("truncated", times=2)
    short, whole = wait(vendor, form="csv"), wait(vendor, form="json")
    rows = list(csv.DictReader(io.StringIO(short.text)))
    assert 200 < len(rows) < 300
    assert not short.text.endswith("\n")
    with pytest.raises(json.JSONDecodeError):
        whole.json()


def test_a_page_can_come_as_200(vendor: AppMetricaSimulator) -> None:
    """HTML under 200 is no export."""
    vendor.inject("html")
    assert wait(vendor).content.startswith(b"<!DOCTYPE")


def test_unavailable_shards_lose_rows_in_silence(vendor: AppMetricaSimulator) -> None:
    """With skip_unavailable_shards there are fewer rows and no word of it; without it, a 503."""
    vendor.add_rows("events", named(*map(str, range(1000))))
    vendor.limits = Limits(steps=0, unavailable_share=0.4, rows_number=True)
    skipped = get(vendor, skip_unavailable_shards="true")
    assert 500 < len(rows_of(skipped)) < 700
    assert skipped.headers["Rows-Number"] == str(len(rows_of(skipped)))
    assert get(vendor).status_code == 503

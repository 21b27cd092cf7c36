"""The simulator answers as the Logs API's description says, and fails as it is told to."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.errors import BadRequest
from flows.sandbox.amplitude.events import generate as generate_amplitude
from flows.sandbox.appmetrica import (
    APPLICATION,
    Application,
    AppMetricaSimulator,
    FaultKind,
    Limits,
    texts,
)
from flows.sandbox.appmetrica.dataset import build
from flows.sandbox.appmetrica.generator import ATTRIBUTES, Made, generate
from flows.sandbox.appmetrica.hostile import hostile_rows
from flows.sandbox.appmetrica.rare_tables import RARE_TABLES
from flows.settings import PROJECT
from flows.vendors.appmetrica_tables import TABLES, Kind

FIELD_MAPPINGS = PROJECT / "dbt_project/models/marts/user_properties/field_mappings.yaml"
MONDAY = datetime(2025, 1, 6, 9, tzinfo=UTC)
NOON = int(MONDAY.timestamp())
DAY = {"date_since": "2025-01-06 00:00:00", "date_until": "2025-01-06 23:59:59"}
#: Making one takes longer than most answers.
CLIENT = httpx.Client()
WEEKS = (date(2025, 1, 6), date(2025, 2, 2))


@pytest.fixture
def vendor() -> Iterator[AppMetricaSimulator]:
    """An AppMetrica without rows, whose clock stands still."""
    with AppMetricaSimulator() as simulator:
        simulator.set_now(MONDAY)
        yield simulator


def get(
    vendor: AppMetricaSimulator,
    table: str = "events",
    form: str = "json",
    *,
    headers: dict[str, str] | None = None,
    token: str = APPLICATION.token,
    **parameters: Any,
) -> httpx.Response:
    """One request; a parameter that is None is left out."""
    every = {"application_id": APPLICATION.application_id, "fields": "event_name"} | DAY
    every |= parameters
    return CLIENT.get(
        f"{vendor.base_url}/logs/v1/export/{table}.{form}",
        params={name: value for name, value in every.items() if value is not None},
        headers={"Authorization": f"OAuth {token}"} | (headers or {}),
    )


def wait(vendor: AppMetricaSimulator, *arguments: Any, **options: Any) -> httpx.Response:
    """The same request until it is answered with something else than 202."""
    for _ in range(50):
        answer = get(vendor, *arguments, **options)
        if answer.status_code != 202:
            return answer
    raise AssertionError("it never finishes")


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def names_of(answer: httpx.Response) -> list[str]:
    return sorted(row["event_name"] for row in rows_of(answer))


def texts_of(answers: list[httpx.Response]) -> list[str | int]:
    return [a.text if a.status_code == 202 else a.status_code for a in answers]


def control(vendor: AppMetricaSimulator, method: str, path: str, **body: Any) -> Any:
    return httpx.request(method, f"{vendor.base_url}/control/{path}", json=body or None).json()


def named(*names: str, at: int = NOON) -> list[dict[str, Any]]:
    return [{"event_name": name, "event_timestamp": at} for name in names]


# --- Who may ask, and for what.


@pytest.mark.parametrize(
    "authorization", [None, "", "OAuth", "OAuth wrong", f"Bearer {APPLICATION.token}"]
)
def test_a_wrong_token_is_401(vendor: AppMetricaSimulator, authorization: str | None) -> None:
    """No header, no scheme OAuth and no known token are the same, for every address."""
    headers = {} if authorization is None else {"Authorization": authorization}
    paths = ("/logs/v1/export/events.json", "/management/v1/logsapi/status")
    answers = [httpx.get(vendor.base_url + path, headers=headers) for path in paths]
    assert [answer.status_code for answer in answers] == [401, 401]


def test_a_foreign_application_is_403() -> None:
    """A good token reads the applications that it belongs to, and no others, known or not."""
    mine, other = Application(1, "mine"), Application(2, "other")
    with AppMetricaSimulator([mine, other], limits=Limits(steps=0)) as vendor:
        statuses = [
            get(vendor, token="mine", application_id=number).status_code for number in (1, 2, 3)
        ]
    assert statuses == [200, 403, 403]


@pytest.mark.parametrize(
    ("table", "wish", "text"),
    [
        ("events", {"fields": "event_name,evnt_json"}, "evnt_json"),
        ("events", {"fields": "event_name,"}, "Unknown field"),
        ("events", {"fields": None}, "fields"),
        ("events", {"fields": ""}, "fields"),
        ("events", {"date_since": None}, "date_since"),
        ("events", {"date_until": None}, "date_until"),
        ("events", {"date_until": "06.01.2025"}, "date_until"),
        ("events", {"date_until": "2025-01-05 23:59:59"}, "before"),
        ("events", {"date_dimension": "server"}, "date_dimension"),
        ("events", {"application_id": None}, "application_id"),
        ("events", {"application_id": "mine"}, "application_id"),
        ("events", {"limit": "ten"}, "limit"),
        ("events", {"parts_count": 2}, "part_number"),
        ("events", {"parts_count": 2, "part_number": 2}, "part_number"),
        ("events", {"skip_unavailable_shards": "1"}, "skip_unavailable_shards"),
        ("events", {"ehr_id": "x"}, "ehr_id"),
        ("postbacks", {"date_dimension": "receive"}, "date_dimension"),
        ("profiles_v2", {"fields": "profile_id", "date_since": None}, "date_since"),
        ("profiles_v2", {"fields": "profile_id,ehr_id"}, "ehr_id"),
    ],
)
def test_a_senseless_request_is_400(
    vendor: AppMetricaSimulator, table: str, wish: dict[str, Any], text: str
) -> None:
    """What is missing, malformed or unknown is named in the answer, at once."""
    fields = {} if table == "events" else {"fields": next(iter(TABLES[table].fields))}
    answer = get(vendor, table, **(fields | wish))
    assert answer.status_code == 400
    assert text in answer.text


def test_an_unknown_address_is_404(vendor: AppMetricaSimulator) -> None:
    """There are 13 tables in two forms, and nothing else."""
    wrong = [get(vendor, *name).status_code for name in (("users",), ("events", "xml"))]
    assert wrong == [404, 404]
    vendor.limits = Limits(steps=0, requests_per_day=None)
    statuses = [
        get(vendor, table, form, fields=",".join(TABLES[table].known_fields)).status_code
        for table in TABLES
        for form in ("json", "csv")
    ]
    assert statuses == [200] * 26


def test_tokens_need_no_dates_and_profiles_perhaps(vendor: AppMetricaSimulator) -> None:
    """push_tokens takes no dates; for profiles the vendor's pages say both."""
    without = {"date_since": None, "date_until": None}
    vendor.add_rows("push_tokens", [{"token": "a", "token_timestamp": 1}])
    assert rows_of(wait(vendor, "push_tokens", fields="token", **without)) == [{"token": "a"}]
    assert get(vendor, "profiles_v2", fields="profile_id", **without).status_code == 400
    vendor.limits = vendor.limits.changed({"profiles_need_dates": False})
    assert rows_of(wait(vendor, "profiles_v2", fields="profile_id", **without)) == []


def test_the_application_tells_its_time_zone(vendor: AppMetricaSimulator) -> None:
    """Name, and offset of now in seconds; with the same 401 and 403 as exports."""
    with AppMetricaSimulator([Application(7, "token", "Europe/Berlin")]) as berlin:
        url = f"{berlin.base_url}/management/v1/application"
        headers = {"Authorization": "OAuth token"}
        found = []
        for moment in (datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 7, 6, tzinfo=UTC)):
            berlin.set_now(moment)
            found.append(httpx.get(f"{url}/7", headers=headers).json()["application"])
        assert httpx.get(f"{url}/8", headers=headers).status_code == 403
    zones = [(entry["id"], entry["time_zone_name"], entry["time_zone_offset"]) for entry in found]
    assert zones == [(7, "Europe/Berlin", 3600), (7, "Europe/Berlin", 7200)]


def test_the_logs_api_can_be_disabled(vendor: AppMetricaSimulator) -> None:
    """Its status says so, and exports fail."""
    url = f"{vendor.base_url}/management/v1/logsapi/status"
    headers = {"Authorization": f"OAuth {APPLICATION.token}"}
    assert httpx.get(url, headers=headers).json() == {"status": "enabled"}
    vendor.limits = vendor.limits.changed({"enabled": False})
    assert httpx.get(url, headers=headers).json() == {"status": "disabled"}
    assert get(vendor).status_code == 503


# --- Jobs.


def test_a_job_is_queued_then_runs_then_is_a_file(vendor: AppMetricaSimulator) -> None:
    """The texts of 202, then 200, and the same file from then on."""
    vendor.limits = Limits(steps=4)
    vendor.add_rows("events", named("Opened"))
    answers = [get(vendor) for _ in range(6)]
    assert texts_of(answers) == [
        "Your query is added to the queue.",
        "Wait for result. Progress is 25%.",
        "Wait for result. Progress is 50%.",
        "Wait for result. Progress is 75%.",
        200,
        200,
    ]
    assert answers[0].headers["Content-Type"].startswith("text/plain")
    assert answers[4].content == answers[5].content


def test_the_parameters_are_the_job(vendor: AppMetricaSimulator) -> None:
    """Their order does not matter; any change of path or value begins another job."""
    wait(vendor)
    reordered = {"date_until": DAY["date_until"], "date_since": DAY["date_since"]}
    assert wait(vendor, **reordered).status_code == 200
    others = [
        get(vendor, form="csv"),
        get(vendor, fields="event_name,event_json"),
        get(vendor, date_dimension="default"),
    ]
    assert texts_of(others) == [texts.ADDED] * 3


def test_jobs_of_an_application_run_one_by_one(vendor: AppMetricaSimulator) -> None:
    """The second waits in the queue until the first has its file, whoever asks."""
    vendor.limits = Limits(steps=3)
    said = texts_of([get(vendor, form=form) for form in ("json", "csv", "csv", "csv", "csv")])
    said += texts_of([get(vendor, form=form) for form in ("json", "csv", "csv")])
    assert said == [
        texts.ADDED,
        texts.ADDED,
        texts.ADDED,
        texts.ADDED,
        texts.progress(0),
        200,
        texts.progress(33),
        texts.progress(66),
    ]


def test_a_fourth_job_is_429() -> None:
    """Three may wait in an application; other applications are not disturbed; waiting helps."""
    applications = [Application(1, "token"), Application(2, "token")]
    with AppMetricaSimulator(applications) as vendor:

        def ask(table: str, number: int = 1) -> httpx.Response:
            name = f"{TABLES[table].event_time}_timestamp"
            return get(vendor, table, token="token", application_id=number, fields=name)

        first = [ask(name).status_code for name in ("events", "crashes", "errors")]
        fourth, other = ask("clicks"), ask("clicks", 2)
        assert (first, fourth.status_code, other.status_code) == ([202] * 3, 429, 202)
        assert fourth.text == (
            "There are already 3 enqueued queries for given application_id."
            " Wait until they are completed."
        )
        while ask("clicks").status_code == 429:
            pass  # time passes for the queue whoever asks
        assert ask("events").status_code == 200


def test_a_file_is_kept_for_a_day(vendor: AppMetricaSimulator) -> None:
    """Rows that arrive meanwhile are not in it; after 24 hours the URL is a new job."""
    vendor.add_rows("events", named("first"))
    assert names_of(wait(vendor)) == ["first"]
    vendor.add_rows("events", named("late"))
    vendor.set_now(MONDAY + timedelta(hours=23, minutes=59))
    assert names_of(get(vendor)) == ["first"]
    vendor.set_now(MONDAY + timedelta(hours=24))
    assert texts_of([get(vendor)]) == [texts.ADDED]
    assert names_of(wait(vendor)) == ["first", "late"]


def test_no_cache_builds_anew(vendor: AppMetricaSimulator) -> None:
    """Sent once it brings late rows; the text tells of the restriction."""
    no_cache = {"Cache-Control": "no-cache"}
    vendor.add_rows("events", named("first"))
    assert texts_of([get(vendor, headers=no_cache)]) == [texts.ADDED]
    assert names_of(wait(vendor)) == ["first"]
    vendor.add_rows("events", named("late"))
    assert texts_of([get(vendor, headers=no_cache)]) == [
        "Your query is moved to the end of the queue due to provided Cache-Control restriction."
    ]
    assert names_of(wait(vendor)) == ["first", "late"]


def test_no_cache_on_each_poll_never_finishes(vendor: AppMetricaSimulator) -> None:
    """Each poll begins the job again."""
    answers = [get(vendor, headers={"Cache-Control": "no-cache"}) for _ in range(30)]
    assert texts_of(answers) == [texts.ADDED] + [texts.MOVED] * 29


def test_max_age_takes_a_young_file(vendor: AppMetricaSimulator) -> None:
    """A file of N seconds will do; an older one is built again."""
    wait(vendor)
    vendor.set_now(MONDAY + timedelta(seconds=60))
    young = get(vendor, headers={"Cache-Control": "max-age=60"})
    old = get(vendor, headers={"Cache-Control": "max-age=59"})
    assert texts_of([young, old]) == [200, texts.MOVED]


# --- Bodies.


def test_json_is_a_row_a_line_of_texts(vendor: AppMetricaSimulator) -> None:
    """The layout of the real answer, byte for byte: all values are strings, "" where missing."""
    vendor.add_rows(
        "events",
        [
            {
                "event_json": '{"Место": "ДОМ", "a": [1, {"b": "\\""}]}',
                "event_timestamp": NOON,
                "mcc": 250,
                "appmetrica_device_id": 2**64 - 1,
                "session_id": None,
            }
        ],
    )
    fields = "mcc,event_json,appmetrica_device_id,session_id,city,application_id,event_datetime"
    assert wait(vendor, fields=fields).content.decode() == (
        '{\n"data" :\n[\n{"mcc":"250",'
        '"event_json":"{\\"Место\\": \\"ДОМ\\", \\"a\\": [1, {\\"b\\": \\"\\\\\\"\\"}]}"'
        ',"appmetrica_device_id":"18446744073709551615","session_id":"","city":""'
        ',"application_id":"4051234","event_datetime":"2025-01-06 12:00:00"}\n'
        "]\n}"
    )


def test_csv_is_quoted_and_ends_without_a_newline(vendor: AppMetricaSimulator) -> None:
    """LF, RFC 4180 quotes, cells of several lines; the header alone where nothing is."""
    answer = wait(vendor, form="csv", fields="event_name,event_json,mcc")
    assert answer.content == b"event_name,event_json,mcc\n"
    row = {"event_name": "a,b", "event_json": '{"a": "ж"}\nlast', "event_timestamp": NOON}
    vendor.add_rows("events", [row])
    vendor.limits = Limits(steps=0)
    answer = get(vendor, form="csv", fields="event_name,event_json,mcc", limit=9)
    assert answer.content.decode() == ('event_name,event_json,mcc\n"a,b","{""a"": ""ж""}\nlast",')


def test_an_empty_json_is_an_empty_list(vendor: AppMetricaSimulator) -> None:
    """No rows are no error."""
    assert wait(vendor).json() == {"data": []}


def test_a_field_asked_twice_comes_twice(vendor: AppMetricaSimulator) -> None:
    """Duplicate keys of a row, as the real service sends them."""
    vendor.add_rows("events", named("a"))
    assert (
        b'{"event_name":"a","event_name":"a"}'
        in wait(vendor, fields="event_name,event_name").content
    )


def test_a_bom_comes_if_asked_for(vendor: AppMetricaSimulator) -> None:
    """Only with use_utf8_bom=true."""
    vendor.limits = Limits(steps=0)
    bodies = [
        get(vendor, form="csv", use_utf8_bom=wish).content for wish in (None, "false", "true")
    ]
    assert bodies == [b"event_name\n", b"event_name\n", b"\xef\xbb\xbfevent_name\n"]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_body_is_gzipped_if_asked_for(vendor: AppMetricaSimulator, form: str) -> None:
    """The same bytes with Accept-Encoding: gzip as without."""
    vendor.add_rows("events", named(*map(str, range(500))))
    plain = wait(vendor, form=form, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    headers = dict(plain.request.headers) | {"accept-encoding": "gzip"}
    with httpx.stream("GET", plain.url, headers=headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content


def test_rows_come_in_no_order(vendor: AppMetricaSimulator) -> None:
    """Neither as they came nor as another export of the same rows gives them."""
    vendor.add_rows("events", named(*(f"{number:04d}" for number in range(3000))))
    vendor.limits = Limits(steps=0)
    first, second = (
        [row["event_name"] for row in rows_of(get(vendor, limit=limit))] for limit in (3000, 4000)
    )
    assert sorted(first) == sorted(second) == [f"{number:04d}" for number in range(3000)]
    assert first != sorted(first)
    assert first != second


def test_filters_and_limit(vendor: AppMetricaSimulator) -> None:
    """<field>=<value> keeps equal rows only, all of several; limit cuts."""
    vendor.add_rows("events", named("a", "a", "b"))
    vendor.limits = Limits(steps=0)
    assert names_of(get(vendor, event_name="a")) == ["a", "a"]
    assert names_of(get(vendor, event_name="a", mcc="250")) == []
    assert len(rows_of(get(vendor, limit=2))) == 2


def test_bare_values_travel_as_they_are(vendor: AppMetricaSimulator) -> None:
    """One page of the vendor shows numbers and nested values: rows can be sent so."""
    row = {"ecom_product_payload": {"full_screen": True}, "ecom_product_sku": 12}
    vendor.add_rows("ecommerce_events", [row | {"event_timestamp": NOON}], bare=True)
    assert rows_of(wait(vendor, "ecommerce_events", fields=",".join(row))) == [row]


def test_hostile_texts_arrive_whole(vendor: AppMetricaSimulator) -> None:
    """NUL, half surrogate pairs, what looks like the body's end: all are in the JSON as given."""
    rows = list(hostile_rows(MONDAY))
    vendor.add_rows("events", rows)
    found = rows_of(wait(vendor, fields="event_name,event_json"))
    assert {row["event_name"]: row["event_json"] for row in found} == {
        row["event_name"]: row["event_json"] for row in rows
    }
    lines = wait(vendor, fields="event_name,event_json").content.split(b"\n")
    assert len(lines) == len(rows) + 5


def test_a_row_of_another_table_is_refused(vendor: AppMetricaSimulator) -> None:
    """add_rows names a table or a field that there is not."""
    with pytest.raises(BadRequest, match="users"):
        vendor.add_rows("users", [])
    with pytest.raises(BadRequest, match="click_id"):
        vendor.add_rows("events", [{"click_id": "x"}])


# --- Parts.


def test_too_many_rows_want_more_parts(vendor: AppMetricaSimulator) -> None:
    """Above the cap comes the text that asks for parts; all parts together are the whole."""
    names = [f"{number:02d}" for number in range(60)]
    vendor.add_rows("events", named(*names))
    vendor.limits = Limits(max_rows=20)
    answers = [get(vendor) for _ in range(4)]
    assert texts_of(answers) == [texts.ADDED, texts.progress(50), 400, 400]
    assert "Try to use more parts." in answers[2].text
    assert wait(vendor, parts_count=2, part_number=0).status_code == 400
    parts = [wait(vendor, parts_count=4, part_number=part) for part in range(4)]
    assert sorted(name for part in parts for name in names_of(part)) == names


def test_each_part_of_a_csv_has_the_header(vendor: AppMetricaSimulator) -> None:
    """Parts must not be glued as bytes."""
    vendor.add_rows("events", named("a", "b"))
    parts = [wait(vendor, form="csv", parts_count=2, part_number=part) for part in (0, 1)]
    assert [part.text.splitlines()[0] for part in parts] == ["event_name"] * 2


# --- Windows.


def test_windows_are_in_the_applications_time_zone(vendor: AppMetricaSimulator) -> None:
    """A day of Moscow is 21:00 to 21:00 UTC; both ends belong to it, seconds inclusive."""
    midnight = int(datetime(2025, 1, 5, 21, tzinfo=UTC).timestamp())
    for offset in (-1, 0, 86_399, 86_400):
        vendor.add_rows("events", named(str(offset), at=midnight + offset))
    found = rows_of(wait(vendor, fields="event_name,event_datetime,event_timestamp"))
    assert sorted(found, key=lambda row: int(row["event_name"])) == [
        {
            "event_name": "0",
            "event_datetime": "2025-01-06 00:00:00",
            "event_timestamp": str(midnight),
        },
        {
            "event_name": "86399",
            "event_datetime": "2025-01-06 23:59:59",
            "event_timestamp": str(midnight + 86_399),
        },
    ]


def test_a_bare_date_is_its_midnight(vendor: AppMetricaSimulator) -> None:
    """2025-01-06 means 2025-01-06 00:00:00, at both ends."""
    vendor.add_rows("events", [{"event_name": "midnight", "event_datetime": "2025-01-06 00:00:00"}])
    vendor.add_rows("events", [{"event_name": "later", "event_datetime": "2025-01-06 00:00:01"}])
    answer = wait(vendor, date_since="2025-01-06", date_until="2025-01-06")
    assert names_of(answer) == ["midnight"]


def test_an_hour_that_comes_twice_is_in_its_day_twice() -> None:
    """Berlin's last Sunday of October has 25 hours, its last Sunday of March 23."""
    with AppMetricaSimulator([Application(7, "token", "Europe/Berlin")]) as vendor:
        vendor.limits = Limits(steps=0)
        counts = []
        for day in ("2024-10-27", "2025-03-30"):
            start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
            for hour in range(-3, 30):
                vendor.add_rows("events", named(str(hour), at=start + hour * 3600))
            window = {"date_since": f"{day} 00:00:00", "date_until": f"{day} 23:59:59"}
            answer = get(vendor, token="token", application_id=7, fields="event_datetime", **window)
            counts.append(Counter(row["event_datetime"][11:13] for row in rows_of(answer)))
    assert [sum(count.values()) for count in counts] == [25, 23]
    assert (counts[0]["02"], counts[1]["02"]) == (2, 0)


def test_receive_and_default_are_different_windows(vendor: AppMetricaSimulator) -> None:
    """An event that came 14 days late is in the day of its receipt, or in that of its time."""
    late = {"event_timestamp": NOON - 14 * 86_400, "event_receive_timestamp": NOON}
    vendor.add_rows("events", [{"event_name": "late"} | late])
    fortnight_ago = {"date_since": "2024-12-23 00:00:00", "date_until": "2024-12-23 23:59:59"}
    vendor.limits = Limits(steps=0)
    found = [
        names_of(get(vendor, date_dimension=dimension, **window))
        for dimension in ("default", "receive")
        for window in (DAY, fortnight_ago)
    ]
    assert found == [[], ["late"], ["late"], []]


def test_a_missing_click_is_the_epoch(vendor: AppMetricaSimulator) -> None:
    """Time 0 is shown as 1970-01-01 03:00:00 in Moscow."""
    vendor.add_rows("installations", [{"install_timestamp": NOON, "click_timestamp": 0}])
    found = rows_of(wait(vendor, "installations", fields="click_timestamp,click_datetime"))
    assert found == [{"click_timestamp": "0", "click_datetime": "1970-01-01 03:00:00"}]


def test_rows_can_show_when_they_are_received(vendor: AppMetricaSimulator) -> None:
    """shown_when_received: the clock decides."""
    rows = named("now") + named("tomorrow", at=NOON + 86_400)
    vendor.add_rows("events", rows, shown_when_received=True)
    vendor.limits = Limits(steps=0, kept_hours=0)
    both_days = {"date_until": "2025-01-07 23:59:59"}
    before = names_of(get(vendor, **both_days))
    vendor.set_now(MONDAY + timedelta(days=1))
    assert (before, names_of(get(vendor, **both_days))) == (["now"], ["now", "tomorrow"])


# --- Profiles.


def test_a_profile_is_its_present_state(vendor: AppMetricaSimulator) -> None:
    """Attributes are overwritten; what was is nowhere; a window selects by the last update."""
    vendor.limits = Limits(steps=0, kept_hours=0)
    for hour, weight in ((1, "80"), (30, "82")):
        at = MONDAY + timedelta(hours=hour)
        profile = {"profile_id": "a", "ehr_id": "EHR-1", "weight": weight, "at": at}
        vendor.add_rows("profiles_v2", [profile])
    vendor.add_rows("profiles_v2", [{"appmetrica_device_id": 2**64 - 1}])

    def profiles(until: str) -> list[dict[str, Any]]:
        window = {"date_since": "2025-01-06 00:00:00", "date_until": until}
        fields = "profile_id,appmetrica_device_id,ehr_id,weight"
        answer = get(vendor, "profiles_v2", fields=fields, **window)
        return sorted(rows_of(answer), key=lambda row: str(row["profile_id"]))

    technical = {
        "profile_id": "",
        "appmetrica_device_id": str(2**64 - 1),
        "ehr_id": "",
        "weight": "",
    }
    known = {"profile_id": "a", "appmetrica_device_id": "", "ehr_id": "EHR-1"}
    assert profiles("2025-01-31 23:59:59") == [technical]
    vendor.set_now(MONDAY + timedelta(hours=2))
    assert profiles("2025-01-31 23:59:59") == [technical, known | {"weight": "80"}]
    vendor.set_now(MONDAY + timedelta(days=3))
    assert profiles("2025-01-31 23:59:59") == [technical, known | {"weight": "82"}]
    assert profiles("2025-01-06 23:59:59") == [technical]


def test_an_attribute_must_be_known(vendor: AppMetricaSimulator) -> None:
    """One is known when a profile has it or when it was declared; else 400 names it."""
    vendor.limits = Limits(steps=0)
    assert "ehr_id" in get(vendor, "profiles_v2", fields="profile_id,ehr_id").text
    vendor.declare_attributes(["ehr_id"])
    assert vendor.attributes() == {"ehr_id"}
    assert get(vendor, "profiles_v2", fields="profile_id,ehr_id").status_code == 200


# --- Quotas and faults.


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


def test_it_tells_what_it_was_asked(vendor: AppMetricaSimulator) -> None:
    """Table, parameters, Cache-Control, status and text of each request, in order."""
    get(vendor, headers={"Cache-Control": "no-cache"})
    get(vendor, fields="x")
    asked = {"application_id": "4051234", "fields": "event_name"} | DAY
    seen = [
        {
            "table": "events",
            "parameters": asked,
            "cache_control": "no-cache",
            "status": 202,
            "text": texts.ADDED,
        },
        {
            "table": "events",
            "parameters": asked | {"fields": "x"},
            "cache_control": None,
            "status": 400,
            "text": "Unknown field: x",
        },
    ]
    assert control(vendor, "GET", "requests") == {"max_parallel": 1, "requests": seen}
    control(vendor, "DELETE", "requests")
    assert vendor.traffic.seen == []


def test_the_control_address_adds_rows(vendor: AppMetricaSimulator) -> None:
    """Rows, attributes and limits work over HTTP as they do in Python."""
    assert control(vendor, "POST", "rows", table="events", rows=named("a")) == {"added": 1}
    assert control(vendor, "POST", "attributes", names=["ehr_id"]) == {"names": ["ehr_id"]}
    assert control(vendor, "POST", "limits", steps=0)["steps"] == 0
    assert names_of(get(vendor)) == ["a"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"fault": "599"}),
        ("faults", {"fault": "502", "tmies": 2}),
        ("faults", {"fault": "502", "phase": "never"}),
        ("limits", {"size": 3}),
        ("rows", {"table": "users", "rows": []}),
        ("rows", {"table": "events", "rows": [{"event_timestamp": "noon"}]}),
        ("nothing", {}),
    ],
)
def test_a_senseless_wish_is_refused(
    vendor: AppMetricaSimulator, path: str, body: dict[str, Any]
) -> None:
    """The control address answers 400 with a reason and changes nothing."""
    answer = httpx.post(f"{vendor.base_url}/control/{path}", json=body)
    assert answer.status_code == 400
    assert vendor.faults.waiting() == []


# --- Invented rows.


def made(users: int = 40, end: date = date(2025, 1, 19)) -> list[Made]:
    return list(generate(WEEKS[0], end, users=users))


def test_generated_rows_are_the_same_each_time() -> None:
    """Same arguments, same rows; a later end day adds rows and changes none."""
    rows = made()
    assert rows == made()
    closes = datetime(2025, 1, 19, 21, tzinfo=UTC).timestamp()
    longer = [item for item in made(end=date(2025, 1, 31)) if item.received_at < closes]
    assert longer == rows


def test_generated_rows_are_as_awkward_as_real_ones() -> None:
    """Ids above 2^63, exact duplicates, late rows, every odd event_json, clicks that never were."""
    rows = list(generate(*WEEKS))
    by_table: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for item in rows:
        by_table[item.table].append(item.row)
    assert all(by_table.values())
    devices = {int(row["appmetrica_device_id"]) for row in by_table["installations"]}
    assert 0.4 < sum(number >= 2**63 for number in devices) / len(devices) < 0.6
    assert max(devices) < 2**64
    for table in ("events", "installations"):
        copies = Counter(json.dumps(row, sort_keys=True) for row in by_table[table])
        assert 2 < sum(count > 1 for count in copies.values()) < 0.05 * len(copies)
    late = {row["event_receive_timestamp"] - row["event_timestamp"] for row in by_table["events"]}
    assert max(late) == 14 * 86_400
    kinds = Counter(kind_of_json(row["event_json"]) for row in by_table["events"])
    assert set(kinds) == {"", "object", "twice", "other", "broken"}
    clicks = Counter(row["click_timestamp"] == "0" for row in by_table["installations"])
    assert min(clicks[True], clicks[False]) > 50
    assert {item.table for item in rows} - {"events", "installations"} >= set(RARE_TABLES)


def kind_of_json(text: str) -> str:
    twice = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.append(len(dict(pairs)) < len(pairs))
        return dict(pairs)

    if not text:
        return ""
    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=refuse)
    except ValueError:
        return "broken"
    if not isinstance(value, dict):
        return "other"
    return "twice" if any(twice) else "object"


def refuse(text: str) -> None:
    raise ValueError(text)


def test_both_vendors_tell_of_the_same_people() -> None:
    """A patient's facts on a day agree between Amplitude's events and AppMetrica's profiles."""

    def facts(properties: dict[str, Any]) -> tuple[Any, ...]:
        names = ("ehr_id", "birth_date", "enrolled_at", "diagnosis_code")
        return tuple(properties[name] for name in names)

    amplitude = generate_amplitude("mobile", WEEKS[0], date(2025, 1, 12), users=40)
    theirs = {
        facts(row["user_properties"]) for row in amplitude if "ehr_id" in row["user_properties"]
    }
    profiles = [item.row for item in made() if item.table == "profiles_v2"]
    ours = {facts(row) for row in profiles if row["profile_id"]}
    assert len(ours & theirs) > 20
    assert len({ehr_id for ehr_id, *_ in ours | theirs}) == len(ours | theirs)
    weights: dict[str, set[Any]] = {}
    for row in profiles:
        if row["profile_id"]:
            weights.setdefault(row["ehr_id"], set()).add(row["weight_kg"])
    assert sum(len(values) > 1 for values in weights.values()) > 5


def test_the_mapping_knows_every_attribute() -> None:
    """The demo's own profiles must not stop the build."""
    mapping = yaml.safe_load(FIELD_MAPPINGS.read_text())
    known: set[str] = set()
    for model in mapping["models"]:
        for column in model["columns"]:
            known |= set(column.get("config", {}).get("meta", {}).get("keys", ()))
    used = {name for item in made() if item.table == "profiles_v2" for name in item.row} - set(
        TABLES["profiles_v2"].fields
    )
    assert used - {"at"} <= ATTRIBUTES
    assert used - {"at"} <= known


def test_the_demo_data_are_built_once_and_served(tmp_path: Path) -> None:
    """Building again leaves the file alone; every row of it is served, all in all."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = build(tmp_path, *days, users=30)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert build(tmp_path, *days, users=30) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
    window = {"date_since": "2025-01-06 00:00:00", "date_until": "2025-01-12 23:59:59"}
    with AppMetricaSimulator(data=tmp_path, limits=Limits(steps=0)) as vendor:
        found = {
            table: rows_of(
                get(
                    vendor,
                    table,
                    fields=",".join(TABLES[table].fields),
                    date_dimension="receive" if TABLES[table].takes_date_dimension else None,
                    **window,
                )
            )
            for table in rows
            if table != "profiles_v2"
        }
        assert vendor.attributes() == ATTRIBUTES
    assert {table: len(found[table]) for table in found} == {
        table: count for table, count in rows.items() if table != "profiles_v2"
    }
    for table, served in found.items():
        for row in served:
            for name, kind in TABLES[table].fields.items():
                assert is_of_kind(row[name], kind), (table, name, row[name])
    assert build(tmp_path, *days, users=20)["events"] < rows["events"]


def is_of_kind(text: str, kind: Kind) -> bool:
    patterns = {
        Kind.INTEGER: r"-?\d{0,19}",
        Kind.UNSIGNED: r"\d{0,20}",
        Kind.TIMESTAMP: r"\d{0,10}",
        Kind.DATETIME: r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?",
        Kind.BOOLEAN: r"(true|false)?",
    }
    return kind not in patterns or re.fullmatch(patterns[kind], text) is not None


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """`python -m flows.sandbox.appmetrica` invents data, says where it serves, ends on SIGTERM."""
    command = [sys.executable, "-m", "flows.sandbox.appmetrica", "--data", str(tmp_path / "data")]
    command += ["--generate", "2025-01-06", "2025-01-07", "--users", "10", "--steps", "0"]
    command += ["--application", "5", "--token", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url, said
        answer = httpx.get(
            f"{url[0]}/logs/v1/export/events.json",
            params={"application_id": 5, "fields": "event_name"} | DAY,
            headers={"Authorization": "OAuth secret"},
        )
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert rows_of(answer)


def test_it_can_be_started_again_at_its_address(vendor: AppMetricaSimulator) -> None:
    """After a stop, start serves the same rows and jobs under the same URL."""
    vendor.add_rows("events", named("a"))
    wait(vendor)
    url = vendor.base_url
    vendor.stop()
    with pytest.raises(httpx.TransportError):
        get(vendor)
    vendor.start()
    assert (vendor.base_url, names_of(get(vendor))) == (url, ["a"])

"""The simulated Logs API hears who may ask, and what there is to ask for; all else is named."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from appmetrica_requests import get, rows_of, wait

from flows.sandbox.appmetrica import APPLICATION, Application, AppMetricaSimulator, Limits
from flows.vendors.appmetrica_tables import TABLES


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

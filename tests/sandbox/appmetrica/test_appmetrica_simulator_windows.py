"""A window takes its rows by the application's clock; of a profile it has only the present."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from appmetrica_requests import DAY, MONDAY, NOON, get, named, names_of, rows_of, wait

from flows.sandbox.appmetrica import Application, AppMetricaSimulator, Limits


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

"""Archive, raw tables and marts of both vendors add up, and where they do not, the flow says so."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import httpx
import pytest
from raw_loads import query

from flows.errors import BadRequest, NotReconciled
from flows.load_raw import load_archives
from flows.mapping import property_keys
from flows.pipeline import pipeline
from flows.reconcile import count_days, reconcile
from flows.reconciliation_calendar import as_calendar
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.appmetrica import AppMetricaSimulator
from flows.sandbox.prefect_server import PrefectServer
from flows.transform import build

EVENTS = "appmetrica events"


@pytest.fixture
def database_url(flow_database_url: str) -> str:
    return flow_database_url


@pytest.fixture
def day() -> date:
    """Old enough to be closed for both vendors, and to be missed where it is not there."""
    return datetime.now(UTC).date() - timedelta(days=4)


@pytest.fixture
def url(
    settings_env: dict[str, str],
    amplitude: AmplitudeSimulator,
    appmetrica: AppMetricaSimulator,
    day: date,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Both vendors have one day with a few events, one of them sent twice."""
    monkeypatch.setenv("APPMETRICA_TIME_ZONE", "UTC")
    noon = datetime.combine(day, time(12), UTC)
    twice = make_event(noon, event_id=1, platform="Web")
    again = twice | {"server_upload_time": f"{noon + timedelta(hours=1):%Y-%m-%d %H:%M:%S.%f}"}
    other = make_event(noon, event_id=2, user_properties={"ehr_id": "P1"})
    amplitude.add_events("web", [twice, again, other])
    device = {"appmetrica_device_id": "7", "os_name": "ios"}
    stamp = str(int(noon.timestamp()))
    appmetrica.declare_attributes(property_keys("appmetrica"))
    appmetrica.add_rows("events", [device | {"event_timestamp": stamp, "session_id": "1"}] * 2)
    appmetrica.add_rows("installations", [device | {"install_timestamp": stamp}])
    appmetrica.add_rows("profiles_v2", [device | {"profile_id": "1", "ehr_id": "P1"}])
    return settings_env["DWH_DATABASE_URL"]


# Else the snapshot is of tomorrow in the three hours in which Moscow is a day ahead.
@pytest.mark.parametrize("appmetrica", ["UTC"], indirect=True)
def test_both_vendors_add_up_and_what_is_lost_or_put_in_is_named(
    url: str, day: date, prefect_server: PrefectServer
) -> None:
    """After a pipeline without dates every day is complete; a hole and a surplus fail the flow."""
    pipeline(sources=["amplitude_web", "appmetrica"])
    found = reconcile()
    assert Counter(one.verdict for one in found.days) == {"complete": 14 + 3 * 14 + 1}
    assert {
        f"{one.source} {one.table}": (
            *(one.events_archived, one.rows_loaded, one.rows_in_marts, one.duplicates_removed),
            one.reasons,
        )
        for one in found.days
        if one.events_archived
    } == {
        "amplitude_web ": (3, 3, 2, 1, "1 duplicates were removed"),
        EVENTS: (2, 2, 2, 0, ""),
        "appmetrica installations": (1, 1, 1, 0, ""),
        "appmetrica profiles_v2": (1, 1, 1, 0, ""),
    }
    assert {
        one.day for one in found.days if one.events_archived and one.table != "profiles_v2"
    } == {day}
    states = "select state, count(*), max(ask_count) from raw.windows group by 1 order by 1"
    # A snapshot is not asked for as a window.
    assert query(url, states) == [("built", 4, 1), ("empty", 53, 1)]

    query(url, "delete from raw.appmetrica_events where ordinal = 1")
    query(
        url,
        "insert into dwh.events_part (uuid, source, load_id, line_number, event_time)"
        " select md5('')::uuid, source, load_id, line_number, event_time from dwh.events_part"
        " where source = 'amplitude_web' limit 1",
    )
    with pytest.raises(NotReconciled) as caught:
        reconcile(day)
    assert caught.value.days == (
        f"amplitude_web {day}: surplus: 1 rows of the marts are of no row of raw; 1 duplicates were"
        " removed",
        f"{EVENTS} {day}: hole: 1 loaded lines are gone from raw; 1 rows of the marts are of no row"
        " of raw",
    )
    artifacts = httpx.post(f"{prefect_server.api_url}/artifacts/filter", json={}).json()
    by_key = {one["key"]: one for one in sorted(artifacts, key=lambda one: one["created"])}
    assert f"🟪 {day.day} |" in by_key["reconciliation-calendar"]["data"]
    assert f"🟥 {day.day} |" in by_key["reconciliation-calendar"]["data"]
    assert '"verdict": "hole"' in by_key["reconciliation"]["data"]

    # README's way out: the file is loaded anew, and the marts are made anew.
    query(
        url,
        "update raw.loads set etag = '', checksum = '' where superseded_by is null"
        f" and file_key = 'appmetrica/1111/events/{day}.ndjson.gz'",
    )
    assert load_archives("appmetrica").rows == 2
    build(full_refresh=True)
    assert count_days().failures == ()


def test_days_make_no_sense_backwards(settings_env: dict[str, str]) -> None:
    """Nothing is asked of any server."""
    with pytest.raises(BadRequest, match="end 2025-01-06 is before start 2025-01-07"):
        count_days("2025-01-07", "2025-01-06")


def test_the_calendar_shows_the_worst_of_each_day() -> None:
    """A week a row, a source a table; empty days are white, rows of no day are told apart."""
    monday = date(2025, 1, 6)
    cells = [
        ("appmetrica", "events", monday + timedelta(days=number), verdict, events)
        for number, verdict, events in (
            (2, "complete", 5),
            (3, "held back", 5),
            (4, "waiting", 5),
            (5, "hole", 0),
            (7, "complete", 0),
        )
    ]
    cells += [
        ("appmetrica", "installations", monday + timedelta(days=2), "surplus", 1),
        ("amplitude_web", "", None, "surplus", 0),
    ]
    assert as_calendar(cells, ["a gap"]) == (
        "# Reconciliation\n\n🟥 hole · 🟪 surplus · 🟨 held back · 🟦 waiting · 🟩 complete"
        " · ⬜ no events; the number is the day of the month\n\n"
        "⚠️ a gap\n\n"
        "## amplitude_web\n\n🟪 rows that belong to no archived day\n\n"
        "## appmetrica\n\n"
        "| Week of | Mo | Tu | We | Th | Fr | Sa | Su |\n|---|---|---|---|---|---|---|---|\n"
        "| 2025-01-06 |   |   | 🟪 8 | 🟨 9 | 🟦 10 | 🟥 11 |   |\n"
        "| 2025-01-13 | ⬜ 13 |   |   |   |   |   |   |\n"
    )

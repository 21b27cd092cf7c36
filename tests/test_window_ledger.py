"""The ledger of windows: what exports note, what the archive tells again, what is asked when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from raw_loads import query

from flows.export_amplitude import export_days
from flows.export_appmetrica import export_tables
from flows.lake.bucket import Bucket
from flows.load_raw import load_archives
from flows.missing_windows import Plan, plan_export
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.appmetrica import AppMetricaSimulator
from flows.vendors.retries import Retries
from flows.warehouse import window_ledger
from flows.warehouse.connection import connect
from flows.window_sync import sync_windows

MONDAY = date(2025, 1, 6)
WEB, KEY = "amplitude_web", "amplitude/web/2025_week_02.zip"
IMPATIENT = Retries(tries=2, first_wait_s=0)
STATES = "select window_start::date, state, event_count, ask_count from raw.windows order by 1"


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def moment(number: int, hour: float = 0) -> datetime:
    """So many days and hours behind Monday's first."""
    return datetime(2025, 1, 6, tzinfo=UTC) + timedelta(days=number, hours=hour)


@pytest.fixture
def url(settings_env: dict[str, str]) -> str:
    return settings_env["DWH_DATABASE_URL"]


class Clock:
    """Exports and plans at a moment that the test sets, on the simulators."""

    def __init__(self, amplitude: AmplitudeSimulator, appmetrica: AppMetricaSimulator) -> None:
        self.amplitude, self.appmetrica = amplitude, appmetrica
        self.now = moment(30)

    def at(self, now: datetime) -> "Clock":
        self.now = now
        self.amplitude.set_now(now)
        self.appmetrica.set_now(now)
        return self

    def export(self, first: int, last: int, **more: Any) -> list[tuple[str, str]]:
        """Export days of the web project; first and last hour of what was asked."""
        self.amplitude.traffic.reset()
        export_days(day(first), day(last), "web", now=lambda: self.now, retries=IMPATIENT, **more)
        return sorted((seen.start, seen.end) for seen in self.amplitude.traffic.seen)

    def export_app(self, first: int, last: int, **more: Any) -> None:
        """Export days of AppMetrica's events."""
        self.appmetrica.traffic.reset()
        more = {"tables": ("events",)} | more
        export_tables(day(first), day(last), now=lambda: self.now, retries=IMPATIENT, **more)

    def plan(self, last: int, source: str = WEB) -> Plan:
        return plan_export(source, day(last), now=self.now)

    def again(self, last: int = 3, source: str = WEB) -> list[date]:
        return sorted(day for _, day in self.plan(last, source).again)


@pytest.fixture
def clock(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    amplitude: AmplitudeSimulator,
    appmetrica: AppMetricaSimulator,
) -> Clock:
    monkeypatch.setenv("APPMETRICA_TIME_ZONE", "UTC")
    return Clock(amplitude, appmetrica).at(moment(30))


def fill(vendor: AmplitudeSimulator, number: int, hours: Any = range(24), events: int = 1) -> None:
    """Events in the hours of a day."""
    vendor.add_events(
        "web",
        [
            make_event(moment(number, hour + 0.5), event_id=event)
            for hour in hours
            for event in range(events)
        ],
    )


def test_each_window_tells_how_far_it_got(clock, url):
    """Asked, not ready, empty since when, archived, loaded; each day counts its askings."""
    fill(clock.amplitude, 0, [9, 10])
    clock.at(moment(1, 2)).export(0, 1)
    assert query(url, STATES) == [(day(0), "archived", 2, 1), (day(1), "not_ready", None, 1)]
    clock.at(moment(2, 2)).export(0, 1)
    load_archives(WEB)
    assert query(url, STATES) == [(day(0), "loaded", 2, 1), (day(1), "empty", 0, 2)]
    hours = [0] * 9 + [1, 1] + [0] * 13
    assert query(
        url,
        "select source, table_name, file_key, first_line, hour_event_counts, is_final, asked_at,"
        " empty_since, loaded_at > archived_at from raw.windows order by window_start",
    ) == [
        (WEB, "", KEY, 0, hours, True, moment(1, 2), None, True),
        (WEB, "", KEY, 2, [0] * 24, True, moment(2, 2), moment(2, 2), True),
    ]


def test_the_archive_tells_the_ledger_again(clock, url, bucket):
    """But for the askings, an emptied ledger is the same after a look at both vendors' archives."""
    fill(clock.amplitude, 0)
    rows = [{"event_name": "a", "event_receive_timestamp": str(int(moment(0, 9).timestamp()))}]
    clock.appmetrica.add_rows("events", rows)
    clock.appmetrica.add_rows("profiles_v2", [{"profile_id": "1"}])
    clock.export(0, 2)
    clock.export_app(0, 1, tables=("events", "profiles_v2"), profile_attributes=())
    load_archives(WEB)
    load_archives("appmetrica")
    told = (
        "select source, table_name, file_key, window_start, window_end, etag, first_line,"
        " event_count, hour_event_counts, is_final, state from raw.windows order by 3, 4"
    )
    before = query(url, told)
    assert [(row[2], row[7]) for row in before] == [
        (KEY, 24),
        (KEY, 0),
        (KEY, 0),
        ("appmetrica/1111/events/2025-01-06.ndjson.gz", 1),
        ("appmetrica/1111/events/2025-01-07.ndjson.gz", 0),
        ("appmetrica/1111/profiles_v2/2025-02-05T000000Z.ndjson.gz", 1),
    ]
    query(url, "truncate raw.windows")
    with connect(url, autocommit=True) as connection:
        for source in (WEB, "appmetrica"):
            sync_windows(connection, bucket, source)
    assert query(url, told) == before

    # A lost index and a foreign archive are counted line by line; what is gone is forgotten.
    bucket.client.delete_object(Bucket=bucket.name, Key="appmetrica/1111/events/index.json")
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    query(url, "truncate raw.windows")
    with connect(url, autocommit=True) as connection:
        for source in (WEB, "appmetrica"):
            sync_windows(connection, bucket, source)
    assert [(*row[2:5], row[7]) for row in query(url, told)] == [
        (*row[2:5], row[7]) for row in before[3:]
    ]


def test_a_hole_behind_a_newer_export_is_found(clock, monkeypatch):
    """The first day that is missing is asked, not the last 14 days; a setting says since when."""
    fill(clock.amplitude, 0)
    clock.export(0, 1)
    clock.export(27, 28)
    assert clock.plan(28) == Plan(day(2), day(28), frozenset())
    assert [start[:8] for start, _ in clock.export(2, 28)] == [
        f"{day(number):%Y%m%d}" for number in range(2, 27)
    ]
    assert clock.plan(28) == Plan(day(15), day(28), frozenset())
    clock.export(-9, -9)
    assert clock.plan(28).first == day(-8)
    monkeypatch.setenv("DWH_COMPLETE_SINCE", f"{MONDAY}")
    assert clock.plan(28).first == day(15)


def test_young_and_empty_days_are_asked_again(clock):
    """Busy: once at a day's age. With an empty hour: at a week's age too. Then never again."""
    fill(clock.amplitude, 0)
    fill(clock.amplitude, 1, range(23))
    clock.at(moment(1, 2)).export(0, 0)
    clock.at(moment(1, 23)).export(1, 1)
    assert clock.at(moment(1, 23)).again() == []
    assert clock.at(moment(2)).again() == [day(0)]
    clock.at(moment(2, 2)).export(1, 1)
    assert clock.at(moment(3)).again() == [day(0), day(1)]
    clock.export(0, 1, again=clock.plan(3).again)
    assert clock.again() == []
    assert clock.at(moment(7, 23)).again() == []
    assert clock.at(moment(40)).again() == [day(1)]
    asked = clock.export(0, 1, again=clock.plan(3).again)
    assert asked == [("20250107T00", "20250107T23")]
    assert clock.again() == clock.at(moment(400)).again() == []


def test_a_late_hour_comes_with_the_second_asking(clock, url):
    """A day that was empty is loaded when its events have come after all."""
    clock.at(moment(1, 2)).export(0, 0)
    assert query(url, STATES) == [(day(0), "empty", 0, 1)]
    fill(clock.amplitude, 0, [5])
    plan = clock.at(moment(2)).plan(0)
    clock.export(0, 0, again=plan.again)
    assert query(url, STATES) == [(day(0), "archived", 1, 2)]


def test_an_empty_day_of_appmetrica_is_asked_up_to_two_weeks(clock):
    """Beside its confirmation, at 7 and 14 days of age; one with rows is not."""
    rows = [{"event_name": "a", "event_receive_timestamp": str(int(moment(0, 9).timestamp()))}]
    clock.appmetrica.add_rows("events", rows)
    for hours in (24, 48, 73):
        clock.at(moment(0, hours)).export_app(0, 1 if hours > 24 else 0)
    assert clock.at(moment(8)).again(3, "appmetrica") == []
    for age in (7, 14):
        clock.at(moment(2 + age))
        assert clock.again(3, "appmetrica") == [day(1)]
        clock.export_app(0, 1, again=clock.plan(3, "appmetrica").again)
        asked = {one.parameters.get("date_since") for one in clock.appmetrica.traffic.seen}
        assert asked - {None} == {f"{day(1)} 00:00:00"}
    assert clock.at(moment(100)).again(3, "appmetrica") == []


def test_what_proved_too_large_is_remembered(clock, url):
    """The next run begins with half the hours, or twice the parts; after a month, as usual."""
    fill(clock.amplitude, 0, events=2)
    fill(clock.amplitude, 1, events=2)
    clock.amplitude.limits = clock.amplitude.limits.changed({"timeout_hours": 12})
    assert clock.export(0, 0) == [
        ("20250106T00", "20250106T11"),
        ("20250106T00", "20250106T23"),
        ("20250106T12", "20250106T23"),
    ]
    assert clock.export(1, 1) == [("20250107T00", "20250107T11"), ("20250107T12", "20250107T23")]
    rows = [
        {"event_name": str(n), "event_receive_timestamp": str(int(moment(number, n).timestamp()))}
        for number in (0, 1)
        for n in range(8)
    ]
    clock.appmetrica.add_rows("events", rows)
    clock.appmetrica.limits = clock.appmetrica.limits.changed({"max_rows": 5})
    for number in (0, 1):
        clock.export_app(number, number)
        parts = [one.parameters.get("parts_count") for one in clock.appmetrica.traffic.seen]
        assert set(parts) == ({None, "2"} if number == 0 else {"2"})
    query(url, "update raw.windows set refused_at = now() - interval '31 days'")
    assert len(clock.export(2, 2)) == 3


def test_silence_between_busy_hours_is_an_alarm(clock, url):
    """A quiet night is none, nor is an empty hour of a project with few events."""
    for number, hours in ((0, [8, 9, 11, 12, 22]), (1, [8])):
        fill(clock.amplitude, number, hours, window_ledger.BUSY_EVENTS)
    fill(clock.amplitude, 1, [10, 12])
    clock.export(0, 1)
    with connect(url) as connection:
        found = window_ledger.gaps(connection, MONDAY)
    assert [str(gap) for gap in found] == [
        "amplitude_web: no event from 2025-01-06 10:00 to 2025-01-06 11:00, between busy times"
    ]


@pytest.mark.parametrize("address", [None, "postgresql://nobody:secret@127.0.0.1:9/none"])
def test_an_export_needs_no_warehouse(clock, url, monkeypatch, bucket: Bucket, address, caplog):
    """Without one, or with one that does not answer, the archive is written all the same."""
    monkeypatch.setattr("flows.patience.FIRST_WAIT_S", 0.01)
    if address is None:
        monkeypatch.delenv("DWH_DATABASE_URL")
    else:
        monkeypatch.setenv("DWH_DATABASE_URL", address)
    fill(clock.amplitude, 0)
    clock.export(0, 0)
    assert bucket.client.head_object(Bucket=bucket.name, Key=KEY)["ContentLength"] > 0
    assert ("the ledger of windows is left behind" in caplog.text) == (address is not None)
    assert "secret" not in caplog.text
    monkeypatch.setenv("DWH_DATABASE_URL", url)
    load_archives(WEB)
    assert clock.plan(0).last == day(0)
    assert query(url, STATES) == [(day(0), "loaded", 24, 0)]

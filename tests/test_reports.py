"""The three reports show what the statistics say, quiet days included, and refuse odd spans."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from raw_loads import add_load

from flows.errors import BadRequest, WarehouseFailed
from flows.report_dau import ActiveUsers, count_active_users, report_dau
from flows.report_retention import Cohort, count_retention, report_retention
from flows.report_top_events import TopEvent, count_top_events, report_top_events
from flows.sandbox.postgres import Postgres
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse.migrate import migrate

MONDAY = date(2025, 1, 6)
#: Day since MONDAY, source, user, event: a comes again after one week and three, b never.
EVENTS = (
    (0, "amplitude_web", "a", "opened"),
    (0, "amplitude_mobile", "a", "opened"),
    (0, "amplitude_web", "b", "opened"),
    (2, "amplitude_web", "b", None),
    (8, "amplitude_web", "a", "paid"),
    (14, "amplitude_web", "c", "paid"),
    (22, "amplitude_web", "a", "paid"),
)


@pytest.fixture(scope="module")
def warehouse_url(postgres_server: Postgres, dbt_scratch: Path):
    """A warehouse with EVENTS, built; days are Berlin's, so that 23:30 UTC is the next one."""
    postgres_server.drop_database("flows")
    url = postgres_server.create_database("flows")
    migrate(url)
    for day, source, user, event in EVENTS:
        late = datetime(2025, 1, 5, 23, 30, tzinfo=UTC) + timedelta(days=day)
        columns = {"event_time": late, "user_id": user, "event_type": event}
        add_load(url, f"{day} {source} {user}", [{}], source=source, **columns)
    build(settings=Dwh(database_url=url, time_zone="Europe/Berlin"))
    yield url
    postgres_server.drop_database("flows")


@pytest.fixture
def url(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DWH_DATABASE_URL", warehouse_url)
    return warehouse_url


def test_dau_tells_every_day_and_source_up_to_the_last_one_known(url):
    """Quiet days are zeros, those behind the last event are not there; days in any form."""
    report = count_active_users("20250105", 20250107)
    assert (report.start, report.end) == (date(2025, 1, 5), date(2025, 1, 7))
    assert report.days == (
        ActiveUsers(date(2025, 1, 5), "all", 0, 0, 0),
        ActiveUsers(date(2025, 1, 5), "amplitude_mobile", 0, 0, 0),
        ActiveUsers(date(2025, 1, 5), "amplitude_web", 0, 0, 0),
        ActiveUsers(MONDAY, "all", 2, 2, 2),
        ActiveUsers(MONDAY, "amplitude_mobile", 1, 1, 1),
        ActiveUsers(MONDAY, "amplitude_web", 2, 2, 2),
        ActiveUsers(date(2025, 1, 7), "all", 0, 2, 2),
        ActiveUsers(date(2025, 1, 7), "amplitude_mobile", 0, 1, 1),
        ActiveUsers(date(2025, 1, 7), "amplitude_web", 0, 2, 2),
    )
    assert str(report) == "3 days from 2025-01-05: 0 to 2 active users a day, 0.7 on average"
    last = count_active_users("2025-01-28", "2025-03-01")
    assert last.days[0] == ActiveUsers(date(2025, 1, 28), "all", 1, 1, 3)
    assert {day.day for day in last.days} == {date(2025, 1, 28)}
    nothing = count_active_users("2025-02-01", "2025-02-02")
    assert nothing.days == ()
    assert str(nothing) == "no events are known from 2025-02-01 to 2025-02-02"


def test_top_events_count_users_once_and_break_ties_by_name(url):
    """Users are distinct over all days and sources; shares are of all events, shown or not."""
    assert count_top_events(MONDAY, "2025-01-28").events == (
        TopEvent(1, "opened", 3, 2, pytest.approx(3 / 7)),
        TopEvent(2, "paid", 3, 2, pytest.approx(3 / 7)),
        TopEvent(3, None, 1, 1, pytest.approx(1 / 7)),
    )
    shown = count_top_events(MONDAY, "2025-01-14", limit=1)
    assert shown.events == (TopEvent(1, "opened", 3, 2, pytest.approx(3 / 5)),)
    assert str(shown).endswith("at the top opened: 3 times by 2 users")
    assert count_top_events("2024-01-01", "2024-01-01").events == ()


def test_retention_follows_each_cohort_as_far_as_anything_is_known(url):
    """Weeks in which none came are zeros, those still to come are not there."""
    report = count_retention("2025-01-09", 5)
    assert (report.start, report.window) == (MONDAY, 5)
    assert report.cohorts == (
        Cohort(MONDAY, 2, (2, 1, 0, 1)),
        Cohort(date(2025, 1, 20), 1, (1, 0)),
    )
    assert report.cohorts[0].retention == (1, 0.5, 0, 0.5)
    assert count_retention(MONDAY, window=1).cohorts == (Cohort(MONDAY, 2, (2,)),)
    assert count_retention("2025-02-03").cohorts == ()


def test_flows_show_tables(url, prefect_server: PrefectServer):
    """Each returns what its plain function does, and puts a table on the run's page."""
    assert report_dau(MONDAY, "2025-01-12") == count_active_users(MONDAY, "2025-01-12")
    assert report_top_events(MONDAY, "2025-01-12") == count_top_events(MONDAY, "2025-01-12")
    assert report_retention(MONDAY) == count_retention(MONDAY)
    with get_client(sync_client=True) as client:
        shown = {one.key: str(one.data) for one in client.read_artifacts()}
    assert '"day": "2025-01-12", "source": "all", "active_users": 0' in shown["daily-active-users"]
    assert (
        '"event_type": "(no name)", "events": 1, "users": 1, "share": "25.0%"'
        in (shown["top-events"])
    )
    assert (
        '"cohort": "2025-01-06", "users": 2, "week 0": "100.0%", "week 1": "50.0%"'
        in (shown["retention"])
    )
    assert '"week 3": "50.0%", "week 4": ""' in shown["retention"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: count_active_users("2025-01-07", MONDAY), "end 2025-01-06 is before start"),
        (lambda: count_active_users("yesterday", MONDAY), "'yesterday' is no day"),
        (lambda: count_active_users("2025-01-06'; --", MONDAY), "is no day"),
        (lambda: count_top_events("2010-01-01", MONDAY), "are 5485 days: ask for at most 3653"),
        (lambda: count_top_events(MONDAY, MONDAY, 0), "limit 0 is no number from 1 to 1000"),
        (lambda: count_top_events(MONDAY, MONDAY, 1001), "limit 1001 is no number"),
        (lambda: count_top_events(MONDAY, MONDAY, "10; --"), "is no number"),
        (lambda: count_retention(MONDAY, 0), "window 0 is no number from 1 to 104"),
        (lambda: count_retention(MONDAY, True), "window True is no number"),
        (lambda: count_retention("9999-12-31"), "9999-12-31 lies too far in the future"),
    ],
)
def test_odd_spans_are_refused_before_anything_is_read(call, reason):
    """No warehouse is set up here: the sentence names what to change."""
    with pytest.raises(BadRequest, match=reason):
        call()


def test_what_is_not_built_is_said_so(monkeypatch, database_url):
    """An empty database has no statistics yet."""
    monkeypatch.setenv("DWH_DATABASE_URL", database_url)
    with pytest.raises(WarehouseFailed, match="not built yet: run transform") as caught:
        count_active_users(MONDAY, MONDAY)
    assert caught.value.sqlstate == "42P01"

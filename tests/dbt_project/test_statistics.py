"""The statistics of schema product, in every case by name."""

from uuid import UUID

import pytest
from raw_loads import add_appmetrica_load, add_import_load
from warehouse import event

from flows.warehouse.landing import LANDINGS

pytestmark = pytest.mark.usefixtures("statistics")

DAU = (
    "select day::text, source, active_users, active_users_7_days, active_users_30_days"
    " from product.daily_active_users order by day, source"
)
EVENTS = (
    "select day::text, source, event_type, events, users from product.event_counts"
    " order by day, source, event_type"
)
COHORTS = (
    "select cohort_week::text, week_number, cohort_size, active_users, retention::text"
    " from product.weekly_cohorts order by cohort_week, week_number"
)
SESSIONS = (
    "select day::text, source, sessions, events, mean_duration_s::text, median_duration_s::text"
    " from product.sessions_daily order by day, source"
)
#: Hours of a day and of a week.
D, W = 24, 168


def built(warehouse, *arguments):
    build = warehouse.build(*arguments)
    assert build.is_clean, build


def assert_exact(warehouse):
    """What stands is what a full refresh makes."""
    incremental = warehouse.marts()
    assert warehouse.refreshed() == incremental


def test_a_user_is_the_user_id_else_the_device_whatever_they_are_called(warehouse):
    """A device of a user's name is another user; blank ids are none; nobody's events count."""
    warehouse.load(
        "1.zip",
        [
            event(1, 1, user_id="a", device_id="x"),
            event(2, 2, user_id="a", device_id="y"),
            event(3, 3, user_id=None, device_id="a"),
            event(4, 4, user_id="", device_id="a"),
            event(5, 5, user_id=None, device_id=None),
            event(6, 6, user_id="", device_id="", event_type=None),
        ],
    )
    warehouse.load("2.zip", [event(7, 3, user_id="a")], source="amplitude_mobile")
    built(warehouse)
    assert warehouse.execute(
        "select user_key, count(*) from product.event_users group by 1 order by 1"
    ) == [("device:a", 2), ("user:a", 3), (None, 2)]
    assert warehouse.execute(DAU) == [
        ("2025-01-06", "all", 2, 2, 2),
        ("2025-01-06", "amplitude_mobile", 1, 1, 1),
        ("2025-01-06", "amplitude_web", 2, 2, 2),
    ]
    assert warehouse.execute(EVENTS) == [
        ("2025-01-06", "amplitude_mobile", "opened", 1, 1),
        ("2025-01-06", "amplitude_web", "opened", 5, 2),
        ("2025-01-06", "amplitude_web", None, 1, 0),
    ]


def test_imported_events_count_like_all_others(warehouse):
    """Under their source and in all; a user of a vendor's events is the same one here."""
    warehouse.load("1.zip", [event(1, 1, user_id="a")])
    imported = [
        (str(UUID(int=2)), "2025-01-06 02:00:00", "a", "opened", None),
        (str(UUID(int=3)), "2025-01-13 02:00:00", "b", "paid", None),
        (str(UUID(int=4)), "2025-01-13 02:00:00", None, "paid", None),
    ]
    add_import_load(warehouse.url, "import/a.csv", imported)
    built(warehouse)
    assert [row for row in warehouse.execute(DAU) if row[0] in ("2025-01-06", "2025-01-13")] == [
        ("2025-01-06", "all", 1, 1, 1),
        ("2025-01-06", "amplitude_web", 1, 1, 1),
        ("2025-01-06", "import", 1, 1, 1),
        ("2025-01-13", "all", 1, 1, 2),
        ("2025-01-13", "amplitude_web", 0, 0, 1),
        ("2025-01-13", "import", 1, 1, 2),
    ]
    assert warehouse.execute(EVENTS) == [
        ("2025-01-06", "amplitude_web", "opened", 1, 1),
        ("2025-01-06", "import", "opened", 1, 1),
        ("2025-01-13", "import", "paid", 2, 1),
    ]
    assert [row[:4] for row in warehouse.execute(COHORTS)] == [
        ("2025-01-06", 0, 1, 1),
        ("2025-01-13", 0, 1, 1),
    ]
    assert_exact(warehouse)


def test_no_source_is_called_all():
    """That is the name of all of them together."""
    assert "all" not in LANDINGS


def test_7_and_30_days_count_a_user_once_and_quiet_days_have_rows(warehouse):
    """The 7th and the 30th day are in, the next are out; behind the last day nothing is said."""
    warehouse.load(
        "1.zip",
        [
            event(1, 1, user_id="a"),
            event(2, 2, user_id="a"),
            event(3, 3 * D, user_id="a"),
            event(4, 3 * D, user_id="b"),
            event(5, 40 * D, user_id="c"),
        ],
    )
    built(warehouse)
    all_days = (
        "select day - date '2025-01-06', active_users, active_users_7_days, active_users_30_days"
        " from product.daily_active_users where source = 'all' order by 1"
    )
    before = [
        (0, 1, 1, 1),
        (1, 0, 1, 1),
        (2, 0, 1, 1),
        (3, 2, 2, 2),
        *[(day, 0, 2, 2) for day in range(4, 10)],
        *[(day, 0, 0, 2) for day in range(10, 33)],
        (40, 1, 1, 1),
    ]
    assert warehouse.execute(all_days) == before
    # a late event takes its place in the windows behind it; the last day moves, and back
    late = warehouse.load("2.zip", [event(6, 12 * D, user_id="b"), event(7, 42 * D, user_id="c")])
    built(warehouse)
    assert [row for row in warehouse.execute(all_days) if row[0] > 11] == [
        (12, 1, 1, 2),
        *[(day, 0, 1, 2) for day in range(13, 19)],
        *[(day, 0, 0, 2) for day in range(19, 32)],
        (32, 0, 0, 2),
        *[(day, 0, 0, 1) for day in range(33, 40)],
        *[(40, 1, 1, 2), (41, 0, 1, 2), (42, 1, 1, 1)],
    ]
    assert_exact(warehouse)
    warehouse.withdraw(late)
    built(warehouse)
    assert warehouse.execute(all_days) == before
    assert_exact(warehouse)


@pytest.mark.slow
def test_another_source_lengthens_the_quiet_days_of_each(warehouse):
    """The last day is that of all sources: until then a source's windows are told."""
    warehouse.load("1.zip", [event(1, 1, user_id="a")])
    built(warehouse)
    warehouse.load("2.zip", [event(2, 2 * D, user_id="a")], source="amplitude_mobile")
    built(warehouse)
    assert warehouse.execute(DAU) == [
        ("2025-01-06", "all", 1, 1, 1),
        ("2025-01-06", "amplitude_web", 1, 1, 1),
        ("2025-01-07", "all", 0, 1, 1),
        ("2025-01-07", "amplitude_web", 0, 1, 1),
        ("2025-01-08", "all", 1, 1, 1),
        ("2025-01-08", "amplitude_mobile", 1, 1, 1),
        ("2025-01-08", "amplitude_web", 0, 1, 1),
    ]
    assert_exact(warehouse)


@pytest.mark.slow
def test_a_late_first_visit_moves_its_user_to_an_older_cohort(warehouse):
    """Sizes and weeks of both cohorts change; when the event goes, the user moves back."""
    warehouse.load(
        "1.zip",
        [
            event(1, 0, user_id="a"),
            event(2, W, user_id="a"),
            event(3, W, user_id="b"),
            event(4, 3 * W, user_id="b"),
            event(5, 3 * W, user_id="c"),
        ],
    )
    built(warehouse)
    before = [
        ("2025-01-06", 0, 1, 1, "1.0000"),
        ("2025-01-06", 1, 1, 1, "1.0000"),
        ("2025-01-13", 0, 1, 1, "1.0000"),
        ("2025-01-13", 2, 1, 1, "1.0000"),
        ("2025-01-27", 0, 1, 1, "1.0000"),
    ]
    assert warehouse.execute(COHORTS) == before
    late = warehouse.load("2.zip", [event(6, 2, user_id="b"), event(7, -1, user_id="d")])
    built(warehouse)
    assert warehouse.execute(COHORTS) == [
        ("2024-12-30", 0, 1, 1, "1.0000"),
        ("2025-01-06", 0, 2, 2, "1.0000"),
        ("2025-01-06", 1, 2, 2, "1.0000"),
        ("2025-01-06", 3, 2, 1, "0.5000"),
        ("2025-01-27", 0, 1, 1, "1.0000"),
    ]
    assert_exact(warehouse)
    warehouse.withdraw(late)
    built(warehouse)
    assert warehouse.execute(COHORTS) == before
    assert_exact(warehouse)


@pytest.mark.slow
def test_a_newer_upload_moves_an_event_to_another_user_and_day(warehouse):
    """One uuid with other contents leaves its old day, user and type without a trace."""
    warehouse.load("1.zip", [event(1, 1, user_id="a"), event(2, 2, user_id="b")])
    built(warehouse)
    warehouse.load("2.zip", [event(1, 30, user_id="c", event_type="closed", upload=90)])
    built(warehouse)
    assert warehouse.execute(EVENTS) == [
        ("2025-01-06", "amplitude_web", "opened", 1, 1),
        ("2025-01-07", "amplitude_web", "closed", 1, 1),
    ]
    assert [row[1:] for row in warehouse.execute(DAU) if row[1] == "all"] == [
        ("all", 1, 1, 1),
        ("all", 1, 2, 2),
    ]
    assert_exact(warehouse)


def test_sessions_count_on_the_day_they_begin(warehouse):
    """Also when a late event begins one earlier; AppMetrica's reported starts are sessions, too."""
    first = [event(n, hour, session_id=7, device_id="d") for n, hour in ((1, 30), (2, 31))]
    warehouse.load("1.zip", [*first, event(3, 30, session_id=8, device_id="d")])
    started = {"appmetrica_device_id": "9", "session_id": "1"} | {
        f"session_start_{name}timestamp": "1736208000" for name in ("", "receive_")
    }
    add_appmetrica_load(
        warehouse.url, "appmetrica/7/sessions_starts/2025-01-07.ndjson.gz", [started]
    )
    built(warehouse)
    assert warehouse.execute(SESSIONS) == [
        ("2025-01-07", "all", 3, 3, "1200.000", "0.000"),
        ("2025-01-07", "amplitude_web", 2, 3, "1800.000", "1800.000"),
        ("2025-01-07", "appmetrica", 1, 0, "0.000", "0.000"),
    ]
    warehouse.load("2.zip", [event(4, 23, session_id=7, device_id="d")])
    built(warehouse)
    assert [row[:4] for row in warehouse.execute(SESSIONS)] == [
        ("2025-01-06", "all", 1, 3),
        ("2025-01-06", "amplitude_web", 1, 3),
        ("2025-01-07", "all", 2, 1),
        ("2025-01-07", "amplitude_web", 1, 1),
        ("2025-01-07", "appmetrica", 1, 0),
    ]
    assert_exact(warehouse)


def test_days_are_those_of_the_time_zone_and_another_one_rebuilds_them(warehouse, monkeypatch):
    """An hour before midnight, UTC, is the next day in Berlin, and the next week; and back."""
    warehouse.load("1.zip", [event(1, -1, user_id="a"), event(2, 1, user_id="a")])
    built(warehouse)
    in_utc = warehouse.marts()
    assert [row[0] for row in warehouse.execute(EVENTS)] == ["2025-01-05", "2025-01-06"]
    monkeypatch.setenv("DWH_TIME_ZONE", "Europe/Berlin")
    built(warehouse)
    assert [row[0] for row in warehouse.execute(EVENTS)] == ["2025-01-06"]
    assert [row[:2] for row in warehouse.execute(COHORTS)] == [("2025-01-06", 0)]
    assert_exact(warehouse)
    monkeypatch.setenv("DWH_TIME_ZONE", "UTC")
    built(warehouse)
    assert warehouse.marts() == in_utc
    assert warehouse.execute(
        "select model, time_zone from intermediate.model_marks where time_zone is not null"
    ) == [("int_events__attributed", "UTC")]


def test_a_shell_without_the_time_zone_cuts_no_day_anew(warehouse, monkeypatch):
    """Flows have one in .env, an analyst's shell has none: its build says so, and does nothing."""
    monkeypatch.setenv("DWH_TIME_ZONE", "Europe/Berlin")
    warehouse.load("1.zip", [event(1, -1, user_id="a")])
    built(warehouse)
    before = warehouse.marts()
    warehouse.load("2.zip", [event(2, 1, user_id="b")])
    for unset in (lambda: monkeypatch.setenv("DWH_TIME_ZONE", ""),
                  lambda: monkeypatch.delenv("DWH_TIME_ZONE")):  # fmt: skip
        unset()
        build = warehouse.build()
        assert not build.is_clean
        assert "is not set, and the statistics' days are of Europe/Berlin" in build.messages
        assert warehouse.marts() == before
    monkeypatch.setenv("DWH_TIME_ZONE", "Europe/Berlin")
    built(warehouse)
    assert [row[0] for row in warehouse.execute(EVENTS)] == ["2025-01-06"]


@pytest.mark.parametrize("name", ["Mars/Olympus", "UTC+3", "x'; select 1 --"])
def test_a_time_zone_that_does_not_exist_stops_the_build_at_once(warehouse, monkeypatch, name):
    """By its name; PostgreSQL's own notation of offsets, which counts westward, is none either."""
    monkeypatch.setenv("DWH_TIME_ZONE", name)
    build = warehouse.build()
    assert not build.is_clean
    assert f"DWH_TIME_ZONE '{name}' is no IANA time zone" in build.messages
    assert warehouse.execute("select to_regclass('intermediate.int_events__attributed')") == [
        (None,)
    ]


def test_marks_of_before_the_time_zone_get_its_column(warehouse):
    """A warehouse that an earlier version built goes on; the days are cut anew, once."""
    warehouse.load("1.zip", [event(1, 1, user_id="a")])
    built(warehouse)
    warehouse.execute("alter table intermediate.model_marks drop column time_zone")
    warehouse.load("2.zip", [event(2, 2, user_id="b")])
    built(warehouse)
    assert warehouse.execute(EVENTS) == [("2025-01-06", "amplitude_web", "opened", 2, 2)]
    assert_exact(warehouse)


@pytest.mark.slow
def test_parts_that_are_built_alone_miss_nothing_later(warehouse):
    """Cohorts built between two states of what they read are whole after the next build."""
    warehouse.load("1.zip", [event(1, W, user_id="a"), event(2, W, user_id="b")])
    built(warehouse)
    warehouse.load("2.zip", [event(3, 1, user_id="a"), event(4, 2 * W, user_id="b")])
    built(warehouse, "--select", "+int_events__attributed", "weekly_cohorts")
    gone = warehouse.load("3.zip", [event(5, -W, user_id="b")])
    built(warehouse, "--select", "+int_users__first_seen", "weekly_cohorts")
    warehouse.withdraw(gone)
    built(warehouse, "--select", "+int_events__attributed", "weekly_cohorts")
    built(warehouse, "--select", "daily_active_users")
    built(warehouse)
    assert warehouse.execute(COHORTS) == [
        ("2025-01-06", 0, 1, 1, "1.0000"),
        ("2025-01-06", 1, 1, 1, "1.0000"),
        ("2025-01-13", 0, 1, 1, "1.0000"),
        ("2025-01-13", 1, 1, 1, "1.0000"),
    ]
    assert_exact(warehouse)

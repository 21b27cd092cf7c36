"""The statistics of schema product, in every case by name and against plain counting in pandas."""

import os
import random
from datetime import timedelta
from uuid import UUID

import counted_by_pandas as plain
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import add_appmetrica_load
from warehouse import DAY, event

#: Random histories; STATISTICS_EXAMPLES asks for more.
EXAMPLES = int(os.environ.get("STATISTICS_EXAMPLES", "6"))
#: Ahead of UTC and behind it, by quarters of an hour too; with and without summer time, which
#: begins in Berlin on the 83rd day and in New York on the 62nd.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "America/St_Johns",
)
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
    monkeypatch.setenv("DWH_TIME_ZONE", "")
    built(warehouse)
    assert warehouse.marts() == in_utc
    assert warehouse.execute(
        "select model, time_zone from intermediate.model_marks where time_zone is not null"
    ) == [("int_events__attributed", "UTC")]


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


steps = st.lists(
    st.tuples(
        st.sampled_from(["load", "load", "load", "replace", "withdraw", "build"]),
        st.integers(0, 2),
        st.sampled_from(ZONES),
    ),
    min_size=3,
    max_size=8,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    # the warehouse is emptied by hand before each example
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedule=steps, last_zone=st.sampled_from(ZONES), seed=st.integers(0, 2**32))
def test_statistics_agree_with_pandas_to_the_last_user(
    warehouse, monkeypatch, schedule, last_zone, seed
):
    """Late and repeated events, replaced and withdrawn files, any zones, builds in between."""
    warehouse.empty()
    sender = Sender(random.Random(seed))
    files = {}  # load_id -> source and rows, of loads that count
    superseding = set()
    for step, (action, number, zone) in enumerate([("load", 0, "UTC"), *schedule]):
        if action == "build":
            monkeypatch.setenv("DWH_TIME_ZONE", zone)
            built(warehouse)
        elif action == "withdraw":
            # one that took another's place would bring that back, unless it was retired
            for load_id in sorted(files.keys() - superseding)[number : number + 1]:
                warehouse.withdraw(load_id)
                del files[load_id]
        elif action == "replace" and number < len(files):
            old = sorted(files)[number]
            source, _ = files.pop(old)
            rows = list(sender.rows(source))
            new = send(warehouse, source, rows, step, supersedes=old)
            files[new] = (source, rows)
            superseding.add(new)
        else:
            source = ("amplitude_web", "amplitude_mobile", "appmetrica")[number]
            rows = list(sender.rows(source))
            files[send(warehouse, source, rows, step)] = (source, rows)
    monkeypatch.setenv("DWH_TIME_ZONE", last_zone)
    built(warehouse)
    newest = {}
    for source, rows in files.values():
        for row in rows:
            known = newest.get(row["uuid"], row)
            if row["server_upload_time"] >= known["server_upload_time"]:
                newest[row["uuid"]] = {**row, "source": source}
    assert_agrees(warehouse, plain.sent(newest.values(), last_zone))


def assert_agrees(warehouse, frame):
    def found(query):
        rows = warehouse.execute(query)
        assert len(rows) == len(set(rows))
        return set(rows)

    assert found("select * from product.daily_active_users") == plain.daily_active_users(frame)
    assert found("select * from product.event_counts") == plain.event_counts(frame)
    assert found(
        "select cohort_week, week_number, cohort_size, active_users from product.weekly_cohorts"
    ) == plain.weekly_cohorts(frame)
    assert {
        row[:2]: row[2:]
        for row in found(
            "select day, source, sessions, events, mean_duration_s::float,"
            " median_duration_s::float from product.sessions_daily"
        )
    } == {key: pytest.approx(row, abs=0.001) for key, row in plain.sessions_daily(frame).items()}
    [(users, wrong)] = warehouse.execute(
        "select count(distinct user_key), count(*) filter (where retention"
        " <> round(active_users::numeric / cohort_size, 4))"
        " from product.event_users cross join product.weekly_cohorts"
    )
    assert (users, wrong) == (frame["user"].nunique(), 0)


class Sender:
    """Rows of a small population over 120 days; each row is uploaded later than all before it."""

    def __init__(self, draw):
        self.draw = draw
        self.sent = 0

    def rows(self, source):
        """Up to 80 events of one source; of Amplitude's a third speak of a uuid sent before."""
        draw = self.draw
        for _ in range(draw.choice((3, 40, 80))):
            self.sent += 1
            number = self.sent + (10**9 if source == "appmetrica" else 0)
            if source != "appmetrica" and draw.random() < 0.3:
                number = draw.randrange(1, self.sent + 1)
            moment = DAY + timedelta(minutes=draw.randrange(-20 * 1440, 100 * 1440, 15))
            yield {
                "uuid": UUID(int=number),
                "event_time": moment,
                "server_upload_time": DAY + timedelta(days=200, seconds=self.sent),
                "event_type": draw.choice(("opened", "closed", "paid", None)),
                "user_id": draw.choice((None, None, *"123456789")),
                # AppMetrica always knows the device
                "device_id": draw.choice(("1", "2", "3") if number > 10**9 else (None, *"12345")),
                # of a device and some days, so that sessions have several events
                "session_id": draw.choice((None, -1, moment.toordinal() // 3)),
            }


def send(warehouse, source, rows, step, supersedes=None):
    """One load, as its source's loader leaves it."""
    if source != "appmetrica":
        if supersedes is not None:
            return warehouse.replace([supersedes], rows)
        return warehouse.load(f"{step}.zip", rows, source=source)
    if supersedes is None:
        key = f"appmetrica/7/events/2025-01-{step + 1:02d}.ndjson.gz"
    else:
        [(key,)] = warehouse.execute(
            "select file_key from raw.loads where load_id = %s", supersedes
        )
    lines = [
        {
            "appmetrica_device_id": row["device_id"],
            "profile_id": row["user_id"] or "",
            "event_name": row["event_type"] or "",
            "event_timestamp": f"{row['event_time'].timestamp():.0f}",
            "event_receive_timestamp": f"{row['server_upload_time'].timestamp():.0f}",
            "session_id": "" if row["session_id"] is None else str(row["session_id"]),
            "event_json": f'{{"n": {row["uuid"].int}}}',
        }
        for row in rows
    ]
    return add_appmetrica_load(warehouse.url, key, lines, supersedes=supersedes is not None)

"""The statistics of random histories, against plain counting in pandas, to the last user."""

import os
import random
from datetime import UTC, timedelta, timezone
from hashlib import md5
from uuid import UUID

import counted_by_pandas as plain
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import add_appmetrica_load, add_import_load
from warehouse import DAY

from flows.event_files.event_line import Notes, event_line

pytestmark = pytest.mark.usefixtures("statistics")

#: Random histories; STATISTICS_EXAMPLES asks for more.
EXAMPLES = int(os.environ.get("STATISTICS_EXAMPLES", "6"))
SOURCES = ("amplitude_web", "amplitude_mobile", "appmetrica", "import")
#: Ahead of UTC and behind it, by quarters of an hour too; with and without summer time, which in
#: Havana begins at midnight, so that there a day begins at one.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "America/St_Johns",
)
#: Days since DAY on which summer time begins: in America, in Europe. They have 23 hours.
SHORT_DAYS = (62, 83)

steps = st.lists(
    st.tuples(
        st.sampled_from(["load", "load", "load", "replace", "withdraw", "build"]),
        st.integers(0, len(SOURCES) - 1),
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
            build(warehouse)
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
            source = SOURCES[number]
            rows = list(sender.rows(source))
            files[send(warehouse, source, rows, step)] = (source, rows)
    monkeypatch.setenv("DWH_TIME_ZONE", last_zone)
    build(warehouse)
    standing = {}
    for source, rows in files.values():
        for row in rows:
            row = {**row, "source": source}
            known = standing.setdefault(row["uuid"], row)
            if rank(row) < rank(known):
                standing[row["uuid"]] = row
    assert_agrees(warehouse, plain.sent(standing.values(), last_zone))


def build(warehouse):
    outcome = warehouse.build()
    assert outcome.is_clean, outcome


def rank(row):
    """Of one uuid the lowest counts: a vendor's newest upload, else the earliest import."""
    if row["source"] != "import":
        return 0, -row["server_upload_time"].timestamp(), ""
    line = event_line(as_imported(row), Notes())
    return 1, row["event_time"].timestamp(), md5(line).hexdigest()


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
        """Up to 80 events of one source; a third, but for AppMetrica's, of a uuid sent before."""
        draw = self.draw
        for _ in range(draw.choice((3, 40, 80))):
            self.sent += 1
            number = self.sent + (10**9 if source == "appmetrica" else 0)
            if source != "appmetrica" and draw.random() < 0.3:
                number = draw.randrange(1, self.sent + 1)
            moment = self.moment()
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
            } | self.lacking(source)

    def moment(self):
        """Any quarter of an hour; of three, one around a night in which clocks are put forward."""
        if self.draw.random() < 0.3:
            short_day = DAY + timedelta(days=self.draw.choice(SHORT_DAYS))
            return short_day + timedelta(minutes=self.draw.randrange(-1440, 2880, 15))
        return DAY + timedelta(minutes=self.draw.randrange(-20 * 1440, 100 * 1440, 15))

    def lacking(self, source):
        """What an event file does not have: devices and sessions; and what it must have: a type."""
        if source != "import":
            return {}
        kind = self.draw.choice(("opened", "closed", "paid"))
        return {"device_id": None, "session_id": None, "event_type": kind}


def as_imported(row):
    """The cells of an event file; times in whatever zone the row's number gives."""
    zone = (UTC, timezone(timedelta(hours=-9, minutes=-30)), None)[row["uuid"].int % 3]
    moment = row["event_time"].astimezone(zone or UTC)
    text = str(moment if zone else moment.replace(tzinfo=None))
    return str(row["uuid"]), text, row["user_id"], row["event_type"], None


def send(warehouse, source, rows, step, supersedes=None):
    """One load, as its source's loader leaves it."""
    if source.startswith("amplitude"):
        if supersedes is not None:
            return warehouse.replace([supersedes], rows)
        return warehouse.load(f"{step}.zip", rows, source=source)
    if supersedes is None:
        key = f"import/{step}.csv"
        if source == "appmetrica":
            key = f"appmetrica/7/events/2025-01-{step + 1:02d}.ndjson.gz"
    else:
        [(key,)] = warehouse.execute(
            "select file_key from raw.loads where load_id = %s", supersedes
        )
    again = supersedes is not None
    if source == "import":
        return add_import_load(warehouse.url, key, list(map(as_imported, rows)), supersedes=again)
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
    return add_appmetrica_load(warehouse.url, key, lines, supersedes=again)

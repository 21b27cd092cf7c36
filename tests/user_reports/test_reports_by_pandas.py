"""Both reports of random telemetry, against plain counting in pandas, to the second."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import datetime, timedelta

import pandas as pd
import pytest
import reported_by_pandas as plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import query
from report_databases import DAY, Databases, Event, event

from flows.errors import EmptyRange, UnknownUser
from flows.import_reports import import_sources
from flows.report_user import count_user
from flows.report_users import SCHEMA, _query
from flows.settings import Dwh
from flows.transform import build
from flows.user_reports.figures import open_tables
from flows.user_reports.parquet_stream import write_parquet
from flows.user_reports.span import Span
from flows.warehouse.dbt_build import REPORTS

USERS = (1, 2, 3)
NOBODY = 4
DAYS = 4
#: Microseconds around a second, a day and the middle of one.
EDGES = [
    timedelta(days=days, seconds=seconds, microseconds=microseconds)
    for days in range(DAYS + 1)
    for seconds in (-1, 0, 1, 43_200)
    for microseconds in (0, 1, 999_999)
]


def drawn(numbers: random.Random, first: int, count: int) -> list[Event]:
    """Events at edges and anywhere, of every type, with and without values."""
    return [
        event(
            number,
            numbers.choice((*USERS, NOBODY)),
            hours=(
                numbers.choice(EDGES)
                if numbers.random() < 0.5
                else timedelta(seconds=numbers.uniform(0, DAYS * 86_400))
            )
            / timedelta(hours=1),
            kind=numbers.choice(("arm", "hand", "leg")),
            duration=numbers.choice((None, 0, 7, 4999)),
            amplitude=numbers.choice((None, 0.1, -3.3, 1e-9, 123456.789)),
            frequency=numbers.choice((None, 0, 50, 499)),
        )
        for number in range(first, first + count)
    ]


@pytest.fixture(scope="module")
def sent(databases: Databases) -> pd.DataFrame:
    """Three imports, each built: all, a window, an increment. What the source has in the end."""
    numbers = random.Random(6)
    databases.set_users([*USERS, NOBODY], email="a@example.org")
    events = drawn(numbers, 1, 500)
    databases.set_events(events)
    import_and_build()
    databases.set_users(USERS, email="a@example.org")
    start, end = DAY + timedelta(hours=30), DAY + timedelta(hours=61)
    events = [row for row in events if not start <= row[7] < end]
    events += [row for row in drawn(numbers, 501, 200) if start <= row[7] < end]
    databases.set_events(events)
    import_and_build(start, end)
    newest = max(row[8] for row in events)
    events += [(*row[:8], newest) for row in drawn(numbers, 701, 100)]
    databases.set_events(events)
    import_and_build(incremental=True)
    return plain.frame_of([row for row in events if row[1] in USERS])


def import_and_build(*window: datetime, incremental: bool = False) -> None:
    import_sources(*window, incremental=incremental)
    build(REPORTS)


def assert_equal(found: list[tuple], expected: list[tuple]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one[:3] == other[:3]
        assert one[3:] == tuple(
            None if mean is None else pytest.approx(mean, rel=1e-9, abs=1e-12) for mean in other[3:]
        )


moments = st.one_of(
    st.sampled_from(EDGES).map(lambda edge: edge - timedelta(microseconds=edge.microseconds)),
    st.integers(-100, DAYS * 86_400 + 100).map(lambda seconds: timedelta(seconds=seconds)),
).map(lambda since: DAY + since)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(user=st.sampled_from(USERS), edges=st.tuples(moments, moments).map(sorted))
def test_a_report_of_a_user_equals_pandas(sent: pd.DataFrame, user: int, edges: list[datetime]):
    """Over any span, of whole days and of parts of them, in one second, too."""
    start, end = edges
    expected = plain.figures(sent, user, start, end)
    if not expected:
        with pytest.raises(EmptyRange):
            count_user(user, start, end)
        return
    report = count_user(user, start, end)
    assert_equal([astuple(one) for one in report.prostheses], expected)
    assert report.total_events == sum(one[1] for one in expected)
    assert report.total_duration == sum(one[2] for one in expected)
    assert (report.user_name, report.user_email) == (f"User {user}", "a@example.org")
    assert (report.start, report.end) == (start, end)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edges=st.tuples(moments, moments).map(sorted))
def test_a_report_of_all_users_equals_pandas(
    sent: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, edges: list[datetime]
):
    """A row for each user and type; a user without any event has one of zeros."""
    start, end = edges
    path = tmp_path_factory.mktemp("report") / "users.parquet"
    with open_tables(Dwh.load()) as tables:
        write_parquet(tables.connection, _query(tables, Span(start, end)), SCHEMA, path)
    report = pd.read_parquet(path)
    assert list(report.columns) == SCHEMA.names
    for user in USERS:
        rows = report[report["user_id"] == user].astype(object)
        rows = rows.where(rows.notna(), None)
        expected = plain.figures(sent, user, start, end)
        wanted = [
            "prosthesis_type",
            "events_count",
            "prosthesis_duration",
            "avg_amplitude",
            "avg_frequency",
        ]
        found = list(rows[wanted].itertuples(index=False, name=None))
        assert_equal(found, expected or [(None, 0, 0, None, None)])
        assert set(rows["total_events"]) == {sum(one[1] for one in expected)}
        assert set(rows["total_duration"]) == {sum(one[2] for one in expected)}
    assert set(report["user_id"]) == set(USERS)


def test_tables_built_step_by_step_are_those_of_a_full_refresh(sent: pd.DataFrame, databases):
    """Windows, increments and vanished users leave nothing that a full refresh would not make."""
    before = tables(databases)
    build(REPORTS, full_refresh=True)
    assert tables(databases) == before
    assert len(before["telemetry_events"]) == len(sent)


def tables(databases: Databases) -> dict[str, list[tuple]]:
    return {
        name: query(databases.warehouse, f"select md5(t::text) from reports.{name} as t order by 1")
        for name in ("users", "telemetry_events", "user_prosthesis_daily")
    }


def test_a_build_that_stopped_between_the_tables_is_reported_of_its_events(sent, databases):
    """A daily table that lags is not read, and a user whose events are not there is not known."""
    databases.set_users([*USERS, NOBODY])
    import_sources()
    build("users")
    with pytest.raises(UnknownUser, match="no user 4"):
        count_user(NOBODY)
    assert count_user(1).total_events == int((sent["user_id"] == 1).sum())
    build("telemetry_events")
    report = count_user(NOBODY)
    build("user_prosthesis_daily")
    assert count_user(NOBODY) == report


@pytest.mark.parametrize("select", ["telemetry_events", "users telemetry_events"])
def test_events_that_were_built_alone_are_reported_of_themselves(databases: Databases, select: str):
    """The daily table is older, whether or not the users' is, too."""
    numbers = random.Random(select)
    databases.set_users(USERS)
    databases.set_events(drawn(numbers, 1, 300))
    import_and_build()
    events = drawn(numbers, 1, 300)
    databases.set_events(events)
    import_sources()
    build(select)
    start, end = DAY, DAY + timedelta(days=DAYS)
    found = [astuple(one) for one in count_user(1, start, end).prostheses]
    assert_equal(found, plain.figures(plain.frame_of(events), 1, start, end))


def test_a_report_is_of_the_old_state_or_the_new_one(databases: Databases):
    """Asked again and again while an import and a build go on, it mixes nothing."""
    numbers = random.Random(7)
    databases.set_users(USERS)
    databases.set_events(drawn(numbers, 1, 60))
    import_and_build()
    before = count_user(1)
    databases.set_events(drawn(numbers, 40, 90))
    seen = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen.append(count_user(1, before.start, before.end))

    with ThreadPoolExecutor(1) as readers:
        reader = readers.submit(ask)
        try:
            import_and_build()
        finally:
            done.set()
            reader.result()
    after = count_user(1, before.start, before.end)
    assert before != after
    assert [report for report in seen if report not in (before, after)] == []
    assert seen[0] == before

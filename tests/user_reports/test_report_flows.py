"""The flows of user reports end to end: what they return, show on the run's page, and refuse."""

import io
import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from raw_loads import query
from report_databases import DAY, Databases, event

from flows.errors import BadRequest, EmptyRange, EndBeforeStart, UnknownUser, WarehouseFailed
from flows.import_reports import import_reports, import_sources
from flows.lake.bucket import Bucket
from flows.report_user import ProsthesisFigures, UserReport, count_user, report_user
from flows.report_users import report_users, write_report
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.s3 import S3Server
from flows.transform import build

EVENTS = [event(1, 1, 9.5), event(2, 1, 20, kind="leg", duration=50), event(3, 1, 400), event(4, 7)]


@pytest.fixture(scope="module")
def imported(databases: Databases, prefect_server: PrefectServer) -> Databases:
    """Two users, one of them without telemetry, by the flow."""
    databases.set_users([1, 2], email="ada@example.org")
    databases.set_events(EVENTS)
    import_reports()
    return databases


@pytest.fixture
def s3(bucket: Bucket, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in s3_server.variables(bucket.name).items():
        monkeypatch.setenv(name, value)
    return bucket


def artifacts(key: str) -> str:
    with get_client(sync_client=True) as client:
        found = client.request(
            "POST", "/artifacts/filter", json={"artifacts": {"key": {"any_": [key]}}}
        )
        return json.dumps(found.json(), ensure_ascii=False)


def test_nothing_is_reported_before_the_first_build(databases: Databases):
    """The error names the flow that builds."""
    query(databases.warehouse, "drop schema if exists reports cascade")
    with pytest.raises(WarehouseFailed, match="not built yet: run import_reports"):
        count_user(1)


def test_the_report_of_a_user_is_a_result_a_table_and_json(imported: Databases):
    """To the second, in the time zone of the settings; name and address are not on the page."""
    report = report_user(1, "2025-01-06T09:30:00", "2025-01-06")
    assert report == UserReport(
        user_id=1,
        user_name="User 1",
        user_email="ada@example.org",
        start=DAY + timedelta(hours=9.5),
        end=DAY + timedelta(hours=24, seconds=-1),
        total_events=2,
        total_duration=150,
        prostheses=(
            ProsthesisFigures("arm", 1, 100, 1.5, 50.0),
            ProsthesisFigures("leg", 1, 50, 1.5, 50.0),
        ),
    )
    assert str(report) == (
        "user 1, 2025-01-06 09:30:00 to 2025-01-06 23:59:59 UTC: 2 events in 0.1 s of signals"
        " (arm 1, leg 1)"
    )
    said = json.loads(report.as_json())
    assert said["start"] == "2025-01-06T09:30:00+00:00"
    assert said["prostheses"][1]["avg_frequency"] == 50.0
    shown = artifacts("user-report") + artifacts("user-report-json")
    assert "arm" in shown
    assert "total_duration" in shown
    assert "ada@example.org" not in shown
    assert "User 1" not in shown
    assert '"user 1, 2025-01-06 09:30:00 to' in shown
    report_user(1, show_personal=True)
    assert "ada@example.org" in artifacts("user-report")
    assert "User 1" in artifacts("user-report-json")


def test_days_are_those_of_the_time_zone(imported: Databases, monkeypatch: pytest.MonkeyPatch):
    """A time without a zone is local; one with a zone is what it says."""
    monkeypatch.setenv("DWH_TIME_ZONE", "Asia/Tokyo")
    report = count_user(1, "2025-01-07", "2025-01-07")
    assert (report.start, report.end) == (
        datetime(2025, 1, 6, 15, tzinfo=UTC),
        datetime(2025, 1, 7, 14, 59, 59, tzinfo=UTC),
    )
    assert report.total_events == 1
    assert count_user(1, "2025-01-06T09:30:00Z", "2025-01-06T09:30:00Z").total_events == 1


def test_without_a_span_all_that_is_known_is_reported(imported: Databases):
    """From the first event's second to the last one's."""
    report = count_user(1)
    assert (report.start, report.end) == (DAY + timedelta(hours=9.5), DAY + timedelta(hours=400))
    assert report.total_events == 3
    assert count_user(1, start="2025-01-07").total_events == 1
    assert count_user(1, end="2025-01-07").total_events == 2


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((3,), UnknownUser, "the CRM has no user 3"),
        ((7,), UnknownUser, "the CRM has no user 7"),
        ((2,), EmptyRange, "user 2 has no telemetry at all"),
        (
            (1, "2025-01-08", "2025-01-09"),
            EmptyRange,
            "all of it lies from 2025-01-06 09:30:00 to 2025-01-22 16:00:00 UTC",
        ),
        ((1, "2025-02-01"), EndBeforeStart, "is before start 2025-02-01 00:00:00"),
        ((1, "2025-01-07", "2025-01-06"), EndBeforeStart, "end 2025-01-06 23:59:59 is before"),
        ((99, "2025-01-07", "2025-01-06"), EndBeforeStart, "is before start"),
        ((1, "soon"), BadRequest, "'soon' is no time"),
        ((1, "2025-01-06", "9999-12-31"), BadRequest, "beyond any calendar"),
        ((1, "0001-01-01", "2025-01-06"), BadRequest, "beyond any calendar"),
    ],
)
def test_each_odd_question_has_an_error_of_its_own(imported: Databases, arguments, error, says):
    """That tells what to ask instead."""
    with pytest.raises(error, match=says) as caught:
        count_user(*arguments)
    assert type(caught.value) is error


def test_the_report_of_all_users_is_an_object_of_parquet(imported: Databases, s3: Bucket):
    """Under the key that was given, or one that names the span; the run links to it."""
    report = report_users("2025-01-06", "2025-01-31T12:00:00", "reports/mine.parquet")
    assert (report.key, report.rows) == ("reports/mine.parquet", 3)
    body = s3.client.get_object(Bucket=s3.name, Key=report.key)["Body"].read()
    assert len(body) == report.size_bytes
    frame = pd.read_parquet(io.BytesIO(body))
    assert frame["prosthesis_type"].fillna("none").tolist() == ["arm", "leg", "none"]
    assert frame["total_events"].tolist() == [3, 3, 0]
    assert "reports/mine.parquet" in artifacts("users-report")
    assert write_report("2025-01-06", "2025-01-06").key == (
        "reports/users/2025-01-06T000000Z_2025-01-06T235959Z.parquet"
    )


def test_without_a_span_all_users_are_reported_of_the_last_month(imported: Databases, s3: Bucket):
    """From its first second to its last one; users who did nothing are there."""
    report = write_report()
    today = datetime.now(UTC)
    assert report.end + timedelta(seconds=1) == datetime(today.year, today.month, 1, tzinfo=UTC)
    assert report.start.day == 1
    assert report.end - report.start < timedelta(days=31)
    assert report.rows == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("2025-01-07", "2025-01-06"), EndBeforeStart),
        (("2025-01-07",), BadRequest),
        (("2025-01-06", "2025-01-07", "/a.parquet"), BadRequest),
        (("2025-01-06", "2025-01-07", "a.csv"), BadRequest),
    ],
)
def test_a_report_of_all_users_refuses_odd_requests(imported: Databases, arguments, error):
    """Before anything is read."""
    with pytest.raises(error):
        write_report(*arguments)


def test_an_import_shows_what_it_brought(imported: Databases):
    """As a page and a log line; values of people are in neither."""
    shown = artifacts("reports-import")
    assert "Import 1 of users and telemetry" in shown
    assert "User 1" not in shown


def test_a_value_in_the_tables_does_not_outlive_its_user(imported: Databases):
    """Who vanishes from the CRM stands in no table of reports after the next whole transform."""
    imported.set_users([2])
    import_sources()
    built = {node.name for node in build().nodes}
    assert {"users", "telemetry_events", "user_prosthesis_daily", "events_part"} <= built
    for table in ("users", "telemetry_events", "user_prosthesis_daily"):
        left = query(imported.warehouse, f"select from reports.{table} where user_id = 1")
        assert left == [], table
    with pytest.raises(UnknownUser):
        count_user(1)

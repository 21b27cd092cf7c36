"""A day is asked for until a pull after its end in the application's zone has confirmed it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from appmetrica_exports import ALL, APP, DAY, END_OF_DAY, INDEX, KEY, NOW, Exporter, event

from flows.lake.bucket import Bucket
from flows.sandbox.appmetrica import Application, AppMetricaSimulator


def test_a_day_is_confirmed_by_one_more_pull_and_then_left_alone(export: Exporter) -> None:
    """Young: asked each time; over: once; a day old: once more; then never again."""
    seen = []
    for moment in (
        END_OF_DAY - timedelta(hours=5),
        END_OF_DAY - timedelta(seconds=1),
        END_OF_DAY,
        END_OF_DAY + timedelta(hours=23),
        END_OF_DAY + timedelta(hours=24),
        END_OF_DAY + timedelta(days=9),
    ):
        export.vendor.set_now(moment)
        (archive,) = export().archives
        seen.append((archive.asked, archive.written, archive.confirmed))
    assert seen == [
        (True, True, False),
        (True, False, False),
        (True, False, False),
        (False, False, False),
        (True, False, True),
        (False, False, True),
    ]


def test_a_day_that_is_long_over_is_asked_twice_by_two_runs(export: Exporter) -> None:
    """The first pull of an old day is confirmed by the next run's; no third one asks."""
    assert [
        (archive.asked, archive.confirmed) for _ in range(3) for archive in export().archives
    ] == [(True, False), (True, True), (False, True)]


def test_a_day_that_comes_differently_supersedes_its_archive(export: Exporter) -> None:
    """The confirming pull is a new job, not the file that the vendor kept."""
    export()
    export.vendor.add_rows("events", [event("more")])
    (archive,) = export().archives
    assert (archive.written, archive.confirmed, archive.rows) == (True, True, 7)
    assert export.names() == sorted([*ALL, "more"])
    export.vendor.add_rows("events", [event("too late")])
    assert export().archives[0].rows == 7
    assert export(refresh=True).archives[0].rows == 8


def test_a_deleted_archive_or_a_lost_index_is_asked_again(export: Exporter) -> None:
    """The index is a memo: without it, or with nonsense in it, nothing breaks."""
    export()
    export()
    export.bucket.client.delete_object(Bucket=export.bucket.name, Key=KEY)
    assert [(one.asked, one.written) for one in export().archives] == [(True, True)]
    export.bucket.client.put_object(Bucket=export.bucket.name, Key=INDEX, Body=b'{"days":[]}')
    assert [(one.asked, one.written) for one in export().archives] == [(True, False)]
    assert export.names() == ALL


def test_rows_in_the_archive_go_only_when_the_vendor_says_so_twice(export: Exporter) -> None:
    """An empty answer for a day that has rows is asked for once more."""
    export()
    with AppMetricaSimulator([APP], now=lambda: NOW) as empty:
        export.settings["base_url"] = empty.base_url
        export.vendor = empty
        (archive,) = export().archives
        assert (archive.rows, archive.written) == (0, True)
        assert [cache for _, cache in export.asked()].count("no-cache") == 2


def test_without_dates_two_weeks_that_are_over_are_looked_at(export: Exporter) -> None:
    """Up to yesterday in the application's zone, where it is tomorrow already."""
    export.vendor.set_now(datetime(2025, 1, 6, 20, tzinfo=UTC))
    days = [archive.day for archive in export(None, None).archives]
    assert (days[0], days[-1], len(days)) == (date(2024, 12, 24), DAY, 14)


def test_the_vendor_tells_the_time_zone(export: Exporter) -> None:
    """Without the setting the management API is asked; a vendor without one means Moscow."""
    export.settings["time_zone"] = None
    assert export().time_zone == "Asia/Yekaterinburg"
    export.vendor.inject("404", table="management", times=None)
    assert export().time_zone == "Europe/Moscow"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 22),  # 23 hours long
        ("Europe/Berlin", date(2025, 10, 26), 23),
        ("Europe/Moscow", date(2025, 1, 6), 21),
    ],
)
def test_a_day_is_over_at_the_application_s_midnight(
    bucket: Bucket, zone: str, day: date, hours: int
) -> None:
    """Summer time moves the end of the day; the second pull is due a day after it."""
    app = Application(1111, APP.token, zone)
    end = datetime(day.year, day.month, day.day, hours, tzinfo=UTC)
    with AppMetricaSimulator([app], now=lambda: NOW) as vendor:
        export = Exporter(vendor, bucket)
        export.settings["time_zone"] = zone
        for moment, asked in (
            (end - timedelta(seconds=1), True),
            (end, True),
            (end + timedelta(seconds=1), False),
        ):
            vendor.set_now(moment)
            assert [archive.asked for archive in export(day, day).archives] == [asked]

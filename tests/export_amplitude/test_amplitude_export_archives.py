"""Each ready day is in its week's archive once and whole, on whatever way it came there."""

from datetime import UTC, datetime

import pytest
from amplitude_exports import KEY, MONDAY, NOW, WEEK, WITH_DATA, Exporter, assert_whole, row, rows

from flows.errors import ArchiveFailed
from flows.export_amplitude import ExportedWeek, ExportResult
from flows.export_progress import ExportProgress
from flows.sandbox.amplitude import AmplitudeSimulator


def test_a_week_becomes_one_archive(export: Exporter) -> None:
    """One request a day, empty days covered, hours in time order, and the result says it all."""
    result = export("2025-01-06", 20250112)
    head = export.bucket.client.head_object(Bucket=export.bucket.name, Key=KEY)
    assert result == ExportResult(
        "web",
        (
            ExportedWeek(
                key=KEY,
                week="2025_week_02",
                days_covered=tuple(WEEK),
                days_not_ready=(),
                days_incomplete=(),
                event_count=60,
                ndjson_bytes=sum(len(line) + 1 for day in WITH_DATA for line in rows(day)),
                bytes=head["ContentLength"],
                etag=head["ETag"].strip('"'),
                written=True,
            ),
        ),
    )
    assert result.event_count == 60
    assert_whole(export, WITH_DATA)
    assert export.asked() == [
        (f"{day:%Y%m%d}T00", f"{day:%Y%m%d}T23", 200 if day in WITH_DATA else 404) for day in WEEK
    ]


def test_weeks_become_archives_of_their_own(export: Exporter) -> None:
    """Days are put into the archive of their ISO week; a week without events has one too."""
    result = export("2025-01-05", "2025-01-13")
    assert [(week.week, len(week.days_covered), week.event_count) for week in result.archives] == [
        ("2025_week_01", 1, 0),
        ("2025_week_02", 7, 60),
        ("2025_week_03", 1, 0),
    ]
    assert export.keys() == [f"amplitude/web/2025_week_0{n}.zip" for n in (1, 2, 3)]


def test_the_source_selects_the_project(export: Exporter) -> None:
    """mobile asks with its own pair and writes under its own key."""
    export.vendor.add_lines("mobile", [row(MONDAY, 1, 1, "phone")])
    result = export(MONDAY, MONDAY, "mobile")
    assert export.lines("amplitude/mobile/2025_week_02.zip") == [row(MONDAY, 1, 1, "phone")]
    assert [(week.key, week.event_count) for week in result.archives] == [
        ("amplitude/mobile/2025_week_02.zip", 1)
    ]


def test_days_that_are_archived_are_not_asked_again(export: Exporter) -> None:
    """A second export asks nothing, writes nothing, and reports the same archive."""
    first = export()
    export.vendor.traffic.reset()
    (again,) = export().archives
    assert export.asked() == []
    assert not again.written
    assert (again.etag, again.event_count, again.days_covered) == (
        first.archives[0].etag,
        60,
        tuple(WEEK),
    )
    assert export.told[-1] == ExportProgress(7, 7, 0, 0)


def test_a_refresh_asks_again_and_writes_only_what_changed(export: Exporter) -> None:
    """The same answers leave the object alone; a changed day replaces that day."""
    etag = export().archives[0].etag
    (same,) = export(refresh=True).archives
    assert (same.etag, same.written) == (etag, False)
    assert len(export.asked()) == 14
    export.vendor.add_lines("web", [row(WEEK[1], 12, 99)])
    (changed,) = export(WEEK[1], WEEK[1], refresh=True).archives
    assert changed.written
    assert changed.event_count == 61
    assert changed.days_covered == tuple(WEEK)
    assert row(WEEK[1], 12, 99) in export.lines()


def test_an_archive_does_not_depend_on_the_way_to_it(export: Exporter) -> None:
    """Days asked one by one, backwards, give the bytes of asking for the week."""
    for day in reversed(WEEK):
        export(day, day)
    one_by_one = export.object()
    export.bucket.client.delete_object(Bucket=export.bucket.name, Key=KEY)
    export()
    assert export.object() == one_by_one


def test_young_days_are_not_ready_or_incomplete_until_they_are_old(export: Exporter) -> None:
    """A young 404 is not archived; a young day with data is, and is asked again next time."""
    export.vendor.set_now(datetime(2025, 1, 7, 20, tzinfo=UTC))
    (young,) = export(WEEK[0], WEEK[1]).archives
    assert young.days_covered == (WEEK[0], WEEK[1])
    assert young.days_incomplete == (WEEK[1],)
    assert young.days_not_ready == ()
    assert young.event_count == 35  # the hour 23 of Tuesday has not come yet

    export.vendor.set_now(datetime(2025, 1, 8, 2, tzinfo=UTC))
    export.vendor.traffic.reset()
    (older,) = export(WEEK[0], WEEK[2]).archives
    assert [start for start, _, _ in export.asked()] == ["20250107T00", "20250108T00"]
    assert older.days_covered == (WEEK[0], WEEK[1])
    assert older.days_incomplete == ()
    assert older.days_not_ready == (WEEK[2],)
    assert older.event_count == 40

    export.vendor.set_now(NOW)
    (done,) = export(WEEK[0], WEEK[2]).archives
    assert done.days_covered == (WEEK[0], WEEK[1], WEEK[2])
    assert done.days_not_ready == ()
    assert_whole(export, [WEEK[0], WEEK[1]])


def test_a_week_that_is_not_ready_has_no_archive(export: Exporter) -> None:
    """Nothing is written for nothing."""
    export.vendor.set_now(datetime(2025, 1, 8, 2, tzinfo=UTC))
    (week,) = export(WEEK[2], WEEK[2]).archives
    assert (week.days_covered, week.days_not_ready) == ((), (WEEK[2],))
    assert (week.etag, week.bytes, week.event_count, week.written) == (None, 0, 0, False)
    assert export.keys() == []


def test_a_404_in_passing_does_not_empty_an_archived_day(export: Exporter) -> None:
    """Events in the archive go only when the vendor says twice that there are none."""
    export()
    export.vendor.inject("404", start="20250107T00", end="20250107T23")
    export(WEEK[1], WEEK[1], refresh=True)
    assert_whole(export, WITH_DATA)
    export.vendor.inject("404", times=2, start="20250107T00", end="20250107T23")
    export(WEEK[1], WEEK[1], refresh=True)
    assert_whole(export, [WEEK[0], WEEK[3]])


def test_odd_lines_travel_byte_for_byte(export: Exporter) -> None:
    """Lines are not parsed: broken JSON, broken UTF-8 and odd escapes arrive as they were sent."""
    odd = [
        b'{"server_upload_time": "2025-01-06 01:00:00.000000", "text": "\\u0000 \xff\xfe"}',
        b'{"server_upload_time": "2025-01-06 01:00:00.000001", "half": ',
        b'  {"server_upload_time": "2025-01-06 01:00:00.000002", "blanks": 1}\t ',
    ]
    with AmplitudeSimulator(now=lambda: NOW) as vendor:
        vendor.add_lines("web", odd)
        export.vendor = vendor
        export(MONDAY, MONDAY)
    assert sorted(export.lines()) == sorted(odd)


def test_a_foreign_object_is_replaced_only_by_a_whole_week(export: Exporter) -> None:
    """A zip without an index of days stops the export before any request."""
    export.bucket.client.put_object(Bucket=export.bucket.name, Key=KEY, Body=b"not ours")
    for days, refresh in ((WEEK, False), (WEEK[:6], True)):
        with pytest.raises(ArchiveFailed, match="refresh=True") as caught:
            export(days[0], days[-1], refresh=refresh)
        assert caught.value.file_key == KEY
    assert export.asked() == []
    export(refresh=True)
    assert_whole(export, WITH_DATA)

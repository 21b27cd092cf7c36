"""A job is waited for, taken up by the next run, and asked in more parts where it is too large."""

import threading
from datetime import timedelta

import pytest
from appmetrica_exports import ALL, DAY, INDEX, NEXT, NOW, Exporter

from flows.errors import VendorFailed, WindowTooLarge
from flows.export_appmetrica import export_tables
from flows.jobs_progress import JobsProgress
from flows.sandbox.appmetrica import FaultKind, Limits
from flows.settings import AppMetrica
from flows.vendors import appmetrica as client


def test_a_job_that_is_not_ready_is_named_and_taken_up_by_the_next_run(export: Exporter) -> None:
    """The time-out tells table, day and progress; the next run asks the same job, not anew."""
    export.settings["poll_timeout_seconds"] = 0.05
    export.vendor.limits = Limits(steps=4)
    export.vendor.inject(FaultKind.STALL, times=None, percent=97)
    with pytest.raises(VendorFailed) as caught:
        export()
    error = caught.value
    assert (error.vendor, error.window, error.status) == ("appmetrica", "events 2025-01-06", 202)
    assert "events 2025-01-06 not ready after 0 s, last progress: 97 %" in error.message
    assert export.asked()[0] == (202, "no-cache")
    assert {cache for _, cache in export.asked()[1:]} == {None}
    assert export.jobs() == ["2025-01-06"]
    assert export.stored() == [INDEX]

    export.vendor.faults.clear()
    export.vendor.traffic.reset()
    export.settings["poll_timeout_seconds"] = 5
    export.vendor.set_now(NOW + timedelta(hours=1))
    (archive,) = export().archives
    assert (archive.rows, archive.asked_at) == (6, NOW)
    assert {cache for _, cache in export.asked()} == {None}
    assert export.jobs() == []


@pytest.mark.parametrize("change", ["a day later", "other fields"])
def test_a_job_is_begun_anew_where_it_is_not_the_same_any_more(
    export: Exporter, change: str
) -> None:
    """The vendor keeps nothing for longer than a day, and another URL is another job."""
    export.settings["poll_timeout_seconds"] = 0
    table, attributes = "profiles_v2", ["ehr_id"]
    export.vendor.declare_attributes([*attributes, "other"])
    with pytest.raises(VendorFailed):
        export(tables=(table,), profile_attributes=attributes)
    if change == "a day later":
        export.vendor.set_now(NOW + timedelta(days=1))
    else:
        attributes = ["other"]
    export.vendor.traffic.reset()
    with pytest.raises(VendorFailed):
        export(tables=(table,), profile_attributes=attributes)
    assert export.asked()[0] == (202, "no-cache")


def test_a_killed_export_leaves_a_job_that_the_next_run_takes_up(export: Exporter) -> None:
    """What the vendor has begun stands in the index before it is waited for."""

    class Killed(BaseException):
        pass

    def kill(progress: JobsProgress) -> None:
        if progress.jobs:
            raise Killed

    export.vendor.inject(FaultKind.STALL, times=None)
    with pytest.raises(Killed):
        export_tables(
            DAY,
            DAY,
            ("events",),
            settings=AppMetrica.model_validate(export.settings),
            bucket=export.bucket,
            now=export.vendor.now,
            progress=kill,
        )
    assert export.jobs() == ["2025-01-06"]
    export.vendor.faults.clear()
    export.vendor.traffic.reset()
    export()
    assert {cache for _, cache in export.asked()} == {None}
    assert export.names() == ALL


def test_a_job_is_not_out_of_time_because_an_older_one_was_slow(export: Exporter) -> None:
    """The vendor builds one after the other; the clock of the second starts when it is its turn."""
    export.settings["poll_timeout_seconds"] = 1.5

    def at_work() -> str:
        (since,) = {
            one.parameters["date_since"]
            for one in export.vendor.traffic.seen
            if "Progress" in one.text
        }
        return since

    def end_the_first() -> None:
        (second,) = {f"{DAY} 00:00:00", f"{NEXT} 00:00:00"} - {at_work()}
        export.vendor.faults.clear()
        export.vendor.inject(FaultKind.STALL, times=None, contains=second)

    export.vendor.inject(FaultKind.STALL, times=None)
    timers = [
        threading.Timer(1.0, end_the_first),
        threading.Timer(2.0, export.vendor.faults.clear),
    ]
    for timer in timers:
        timer.start()
    result = export(DAY, NEXT)
    for timer in timers:
        timer.join()
    assert [archive.rows for archive in result.archives] == [6, 1]


def test_jobs_leave_a_place_in_the_vendor_s_queue(export: Exporter) -> None:
    """Never more than two jobs at once over the whole process, and no 429."""
    export.vendor.limits = Limits(steps=3, queued=client.MOST_JOBS)
    export(DAY, DAY + timedelta(days=6), ("events", "installations"))
    assert {status for status, _ in export.asked()} == {200, 202}


def test_parts_are_doubled_until_they_fit(export: Exporter) -> None:
    """Each doubling begins at part 0; each part is a job of its own; every row comes once."""
    export.vendor.limits = Limits(max_rows=2, rows_number=True)
    export()
    assert export.names() == ALL
    seen = export.vendor.traffic.seen
    assert [
        (one.parameters.get("parts_count"), one.parameters.get("part_number"), one.status)
        for one in seen
        if one.status != 202
    ] == [
        (None, None, 400),
        ("2", "0", 400),
        ("4", "0", 200),
        ("4", "1", 200),
        ("4", "2", 200),
        ("4", "3", 200),
    ]
    jobs = {tuple(one.parameters.items()) for one in seen}
    assert len([one for one in seen if one.cache_control]) == len(jobs) == 6


def test_a_part_that_is_too_large_begins_again_at_part_0(export: Exporter) -> None:
    """What was taken of the larger parts is forgotten, and nothing comes twice."""
    export.vendor.inject(FaultKind.MORE_PARTS, contains="part_number=1")
    export.vendor.limits = Limits(max_rows=5)
    export()
    assert export.names() == ALL
    asked = [
        one.parameters.get("parts_count") for one in export.vendor.traffic.seen if one.status == 200
    ]
    assert asked == ["2", "4", "4", "4", "4"]


def test_a_day_that_never_fits_is_too_large(
    export: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doubling ends somewhere, with another way to go."""
    monkeypatch.setattr(client, "MOST_PARTS", 4)
    export.vendor.inject(FaultKind.MORE_PARTS, times=None)
    with pytest.raises(WindowTooLarge, match=r"events 2025-01-06 part 0 of 4.*Data Stream"):
        export()
    assert len(export.asked()) == 3


def test_a_timed_out_part_is_taken_up_with_its_parts(export: Exporter) -> None:
    """The next run begins with as many parts, and begins only those anew that nobody had begun."""
    export.vendor.limits = Limits(max_rows=5)
    export.settings["poll_timeout_seconds"] = 2  # the first part must get through on a busy machine
    export.vendor.inject(FaultKind.STALL, times=None, contains="part_number=1")
    with pytest.raises(VendorFailed, match="part 1 of 2 not ready"):
        export()
    export.vendor.faults.clear()
    export.vendor.traffic.reset()
    export()
    assert export.names() == ALL
    assert [one.parameters["parts_count"] for one in export.vendor.traffic.seen] == ["2"] * len(
        export.asked()
    )
    assert {cache for _, cache in export.asked()} == {None}

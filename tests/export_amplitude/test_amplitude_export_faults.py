"""The export against the real protocol: each fault ends in the right archive or error."""

from datetime import UTC, datetime, timedelta

import pytest
from amplitude_exports import IMPATIENT, WEEK, WITH_DATA, Exporter, assert_whole

from flows.errors import Forbidden, VendorFailed, WindowTooLarge
from flows.sandbox.amplitude import WEB, FaultKind
from flows.vendors.amplitude import MOST_REQUESTS
from flows.vendors.retries import Retries


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.TOO_MANY,
        FaultKind.SERVER_ERROR,
        FaultKind.BAD_GATEWAY,
        FaultKind.UNAVAILABLE,
        FaultKind.CUT,
        FaultKind.RESET,
        FaultKind.HTML,
        FaultKind.TRUNCATED,
        FaultKind.CORRUPT,
    ],
)
def test_a_passing_fault_leaves_no_trace(export: Exporter, kind: FaultKind) -> None:
    """Each of these is asked again, and the archive is what it would have been without."""
    export.vendor.inject(kind, times=2, start="20250107T00", end="20250107T23")
    (archive,) = export().archives
    assert archive.event_count == 60
    assert_whole(export, WITH_DATA)
    assert len(export.asked()) == 9


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.TOO_MANY, 429, "status 429"),
        (FaultKind.BAD_GATEWAY, 502, "status 502"),
        (FaultKind.CUT, None, "RemoteProtocolError"),
        (FaultKind.HTML, 200, "no zip"),
        (FaultKind.TRUNCATED, 200, "damaged zip"),
        (FaultKind.CORRUPT, 200, "damaged zip"),
    ],
)
def test_a_lasting_fault_fails_after_the_last_try(
    export: Exporter, kind: FaultKind, status: int | None, reason: str
) -> None:
    """The error says window and reason; nothing is archived."""
    export.vendor.inject(kind, times=None, start="20250107T00", end="20250107T23")
    with pytest.raises(VendorFailed, match=reason) as caught:
        export(WEEK[1], WEEK[1])
    assert (caught.value.status, caught.value.window) == (status, "2025-01-07T00..2025-01-08T00")
    assert len(export.asked()) == IMPATIENT.tries
    assert export.keys() == []


def test_the_vendors_retry_after_is_honoured(export: Exporter) -> None:
    """The next try comes no sooner than the vendor asked for."""
    export.vendor.inject("429", retry_after=1, start="20250107T00")
    started = datetime.now(UTC)
    export(WEEK[1], WEEK[1])
    assert datetime.now(UTC) - started >= timedelta(seconds=1)
    assert [status for _, _, status in export.asked()] == [200, 429]


def test_a_retry_after_beyond_the_total_time_fails_at_once(export: Exporter) -> None:
    """Nobody waits for an hour where twenty minutes were allowed."""
    export.vendor.inject("429", retry_after=3600, start="20250107T00")
    with pytest.raises(VendorFailed, match="1 tries, the last met status 429"):
        export(WEEK[1], WEEK[1], retries=Retries())


@pytest.mark.parametrize("kind", [FaultKind.FORBIDDEN])
def test_a_refused_key_pair_stops_at_once(export: Exporter, kind: FaultKind) -> None:
    """403 is not retried; the error names the variables and the host, never the secret."""
    export.vendor.inject(kind, times=None)
    with pytest.raises(Forbidden) as caught:
        export(WEEK[1], WEEK[1])
    assert "AMPLITUDE_WEB_CLIENT_ID" in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert WEB.secret_key not in str(caught.value)
    assert len(export.asked()) == 1
    assert export.keys() == []


def test_a_day_that_is_too_large_is_halved(export: Exporter) -> None:
    """400 halves the window until it fits; the archive holds each event once, in order."""
    export.vendor.inject("400", start="20250107T00", end="20250107T23", times=2)
    export(WEEK[1], WEEK[1])
    assert_whole(export, [WEEK[1]])
    assert export.asked() == [
        ("20250107T00", "20250107T05", 200),
        ("20250107T00", "20250107T11", 400),
        ("20250107T00", "20250107T23", 400),
        ("20250107T06", "20250107T11", 200),
        ("20250107T12", "20250107T23", 200),
    ]


@pytest.mark.parametrize("hours", [12, 5, 1])
def test_a_day_that_times_out_is_halved(export: Exporter, hours: int) -> None:
    """504 halves down to what the vendor manages; empty hours in between are no trouble."""
    export.vendor.limits = export.vendor.limits.changed({"timeout_hours": hours})
    (archive,) = export(WEEK[1], WEEK[1]).archives
    assert archive.days_covered == (WEEK[1],)
    assert archive.days_incomplete == ()
    assert_whole(export, [WEEK[1]])


def test_one_hour_that_is_too_large_names_the_s3_export(export: Exporter) -> None:
    """At one hour a 400 is final, and says so."""
    export.vendor.inject("400", times=None, start="20250107T09", end="20250107T09")
    with pytest.raises(WindowTooLarge, match="too large") as caught:
        export()
    assert (caught.value.status, caught.value.window) == (400, "2025-01-07T09..2025-01-07T10")
    assert "export to S3" in str(caught.value)
    assert export.keys() == []


def test_one_hour_that_times_out_is_not_called_too_large(export: Exporter) -> None:
    """At one hour a 504 is final, and is called a time-out."""
    export.vendor.inject("504", times=None, start="20250107T09", end="20250107T09")
    with pytest.raises(WindowTooLarge, match="timed out") as caught:
        export()
    assert (caught.value.status, caught.value.window) == (504, "2025-01-07T09..2025-01-07T10")
    assert "export to S3" in str(caught.value)
    assert "too large" not in str(caught.value)


def test_never_more_than_four_requests_at_once(export: Exporter) -> None:
    """Days are asked side by side, within the vendor's limit over the whole process."""
    export.vendor.limits = export.vendor.limits.changed({"delay_seconds": 0.05})
    export()
    assert 1 < export.vendor.traffic.max_parallel <= MOST_REQUESTS

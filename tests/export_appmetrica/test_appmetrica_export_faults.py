"""The export against the real protocol: each fault ends in the right archive or error."""

from datetime import UTC, datetime, timedelta

import pytest
from appmetrica_exports import ALL, APP, KEY, Exporter

from flows.errors import ArchiveFailed, Forbidden, VendorFailed
from flows.lake.bucket import Bucket
from flows.sandbox.appmetrica import FaultKind, Limits, Phase
from flows.vendors.retries import Retries


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        (FaultKind.SERVER_ERROR, Phase.ASK),
        (FaultKind.BAD_GATEWAY, Phase.POLL),
        (FaultKind.UNAVAILABLE, Phase.FILE),
        (FaultKind.TIMED_OUT, Phase.POLL),
        (FaultKind.TOO_MANY, Phase.ASK),
        (FaultKind.QUOTA, Phase.ASK),
        (FaultKind.QUOTA, Phase.POLL),
        (FaultKind.CUT, None),
        (FaultKind.RESET, None),
        (FaultKind.TRUNCATED, None),
        (FaultKind.HTML, None),
    ],
)
def test_a_passing_fault_leaves_no_trace(
    export: Exporter, kind: FaultKind, phase: Phase | None
) -> None:
    """Each is asked again; no-cache is repeated only until the vendor has taken the job."""
    export.vendor.inject(kind, times=2, phase=phase)
    (archive,) = export().archives
    assert archive.rows == 6
    assert export.names() == ALL
    taken = [status in (200, 202, 0) for status, _ in export.asked()].index(True)
    assert [cache for _, cache in export.asked()] == (
        ["no-cache"] * (taken + 1) + [None] * (len(export.asked()) - taken - 1)
    )
    assert len(export.asked()) == 5


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.BAD_GATEWAY, 502, "3 tries, the last met status 502"),
        (FaultKind.CUT, 200, "RemoteProtocolError"),
        (FaultKind.TRUNCATED, 200, "a row is cut or damaged"),
        (FaultKind.HTML, 200, "something else stands where { must"),
    ],
)
def test_a_lasting_fault_fails_after_the_last_try(
    export: Exporter, kind: FaultKind, status: int, reason: str
) -> None:
    """The error says window and reason; no archive is written."""
    export.vendor.inject(kind, times=None)
    with pytest.raises(VendorFailed, match=reason) as caught:
        export()
    assert (caught.value.status, caught.value.window) == (status, "events 2025-01-06")
    assert KEY not in export.stored()


def test_a_file_that_stays_broken_is_built_anew(export: Exporter) -> None:
    """The vendor keeps its file for a day; after three broken answers it is not asked for again."""
    export.vendor.inject(FaultKind.TRUNCATED, times=3)
    export(retries=Retries(tries=6, first_wait_s=0))
    assert [index for index, (_, cache) in enumerate(export.asked()) if cache] == [0, 5]
    assert export.names() == ALL


@pytest.mark.parametrize(("kind", "text"), [("429", "3 enqueued queries"), ("420", "user_login")])
def test_a_full_queue_is_waited_for_and_then_given_up(
    export: Exporter, kind: str, text: str
) -> None:
    """Twelve polls' time between two tries, or what the vendor asks; the error has its words."""
    export.settings["poll_interval_seconds"] = 0.02
    export.vendor.inject(kind, times=2)
    started = datetime.now(UTC)
    export()
    assert datetime.now(UTC) - started >= timedelta(seconds=2 * 12 * 0.02)
    export.vendor.inject(kind, times=None, retry_after=3600)
    with pytest.raises(VendorFailed, match=text) as caught:
        export(refresh=True)
    assert caught.value.status == int(kind)


@pytest.mark.parametrize("kind", [FaultKind.UNAUTHORIZED, FaultKind.FORBIDDEN])
def test_a_refused_token_stops_at_once(export: Exporter, kind: FaultKind) -> None:
    """401 and 403 are not retried; the error names the variables and the host, never the token."""
    export.vendor.inject(kind, times=None)
    with pytest.raises(Forbidden) as caught:
        export()
    for word in ("APPMETRICA_API_KEY", "APPMETRICA_APPLICATION_ID", "127.0.0.1"):
        assert word in str(caught.value)
    assert APP.token not in str(caught.value)
    assert len(export.asked()) == 1


def test_a_foreign_application_is_forbidden(export: Exporter) -> None:
    """The real answers, without a fault."""
    export.settings["api_key"] = "wrong"
    with pytest.raises(Forbidden):
        export()
    export.settings |= {"api_key": APP.token, "application_id": 2}
    with pytest.raises(Forbidden):
        export()


def test_a_wrong_address_is_said(export: Exporter) -> None:
    """A 404 is no empty day."""
    export.vendor.inject("404")
    with pytest.raises(VendorFailed, match=r"404.*APPMETRICA_BASE_URL") as caught:
        export()
    assert caught.value.status == 404


def test_an_unreachable_vendor_fails_after_the_last_try(export: Exporter) -> None:
    """Nothing listens there."""
    export.settings["base_url"] = "http://127.0.0.1:9"
    with pytest.raises(VendorFailed, match="3 tries, the last met ConnectError"):
        export()


def test_the_vendor_s_number_of_rows_is_checked_where_it_gives_one(export: Exporter) -> None:
    """With the header, too, a whole file is a whole file."""
    export.vendor.limits = Limits(rows_number=True)
    export()
    assert export.names() == ALL
    assert len(export.asked()) == 3


def test_a_broken_s3_is_said(export: Exporter) -> None:
    """The bucket is missing."""
    export.bucket = Bucket(export.bucket.client, "no-such-bucket")
    with pytest.raises(ArchiveFailed, match="no-such-bucket"):
        export()
    assert export.asked() == []

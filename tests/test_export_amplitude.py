"""The export against the real protocol: each fault ends in the right archive or error."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from flows.errors import (
    ArchiveFailed,
    BadRequest,
    Forbidden,
    MissingSetting,
    VendorFailed,
    WindowTooLarge,
)
from flows.export_amplitude import ExportedWeek, ExportResult, export_amplitude, export_days
from flows.export_progress import ExportProgress
from flows.lake.bucket import Bucket
from flows.sandbox.amplitude import MOBILE, WEB, AmplitudeSimulator, FaultKind
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import Amplitude
from flows.vendors.amplitude import MOST_REQUESTS
from flows.vendors.retries import Retries

MONDAY = date(2025, 1, 6)
WEEK = [MONDAY + timedelta(days=n) for n in range(7)]
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
KEY = "amplitude/web/2025_week_02.zip"
IMPATIENT = Retries(tries=3, first_wait_s=0)


def row(day: date, hour: int, number: int, text: str = "") -> bytes:
    upload = f"{day} {hour:02d}:30:00.{number:06d}"
    event = {"event_id": number, "server_upload_time": upload, "event_properties": {"text": text}}
    return json.dumps(event).encode()


def rows(day: date, text: str = "") -> list[bytes]:
    """A few events in the hours 0, 9, 10 and 23 of a day."""
    return [row(day, hour, number, text) for hour in (0, 9, 10, 23) for number in range(5)]


@pytest.fixture
def vendor() -> Iterator[AmplitudeSimulator]:
    """The Export API with events on Monday, Tuesday and Thursday of one week, long ago."""
    with AmplitudeSimulator(now=lambda: NOW) as simulator:
        for day in (WEEK[0], WEEK[1], WEEK[3]):
            simulator.add_lines("web", rows(day))
        yield simulator


class Exporter:
    """Calls export_days on the test's vendor and bucket."""

    def __init__(self, vendor: AmplitudeSimulator, bucket: Bucket) -> None:
        self.vendor = vendor
        self.bucket = bucket
        self.told: list[ExportProgress] = []

    def __call__(
        self,
        start: date | str | int = WEEK[0],
        end: date | str | int = WEEK[6],
        source: str = "web",
        *,
        refresh: bool = False,
        retries: Retries = IMPATIENT,
    ) -> ExportResult:
        settings = Amplitude.model_validate(
            {
                "base_url": self.vendor.base_url,
                "web_client_id": WEB.client_id,
                "web_secret_key": WEB.secret_key,
                "mobile_client_id": MOBILE.client_id,
                "mobile_secret_key": MOBILE.secret_key,
            }
        )
        return export_days(
            start,
            end,
            source,
            refresh=refresh,
            settings=settings,
            bucket=self.bucket,
            retries=retries,
            now=self.vendor.now,
            progress=self.told.append,
        )

    def object(self, key: str = KEY) -> bytes:
        return self.bucket.client.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()

    def lines(self, key: str = KEY) -> list[bytes]:
        with zipfile.ZipFile(io.BytesIO(self.object(key))) as archive:
            (name,) = archive.namelist()
            return archive.read(name).splitlines()

    def keys(self) -> list[str]:
        found = self.bucket.client.list_objects_v2(Bucket=self.bucket.name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def asked(self) -> list[tuple[str, str, int]]:
        """First hour, last hour and status of each request, in order of time asked for."""
        return sorted((seen.start, seen.end, seen.status) for seen in self.vendor.traffic.seen)


@pytest.fixture
def export(vendor: AmplitudeSimulator, bucket: Bucket) -> Exporter:
    return Exporter(vendor, bucket)


def hour_of(line: bytes) -> str:
    text: str = json.loads(line)["server_upload_time"]
    return text[:13]


def assert_whole(export: Exporter, days: list[date]) -> None:
    """The archive holds each event of the days once, hours in order."""
    found = export.lines()
    assert sorted(found) == sorted(line for day in days for line in rows(day))
    assert [hour_of(line) for line in found] == sorted(hour_of(line) for line in found)


WITH_DATA = [WEEK[0], WEEK[1], WEEK[3]]


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


def test_never_more_than_four_requests_at_once(export: Exporter) -> None:
    """Days are asked side by side, within the vendor's limit over the whole process."""
    export.vendor.limits = export.vendor.limits.changed({"delay_seconds": 0.05})
    export()
    assert 1 < export.vendor.traffic.max_parallel <= MOST_REQUESTS


def test_progress_counts_days_bytes_and_events(export: Exporter) -> None:
    """What is told only grows, and ends with everything done."""
    export()
    assert export.told == sorted(export.told, key=lambda told: (told.days_done, told.ndjson_bytes))
    last = export.told[-1]
    assert last == ExportProgress(7, 7, sum(len(e) + 1 for d in WITH_DATA for e in rows(d)), 60)
    assert str(last) == "7 of 7 days, 0.0 MB, 60 events"


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


@pytest.mark.parametrize(
    ("start", "end", "source", "message"),
    [
        ("2025-01-07", "2025-01-06", "web", "before start"),
        ("2025-01-06", "2025-02-02", "web", "in the future"),
        ("2025-01-06", "2025-01-06", "tv", "one of web, mobile"),
        ("2025-01-06", "2025-01-06", "amplitude_web", "one of web, mobile"),
        ("06.01.2025", "2025-01-06", "web", "YYYY-MM-DD"),
    ],
)
def test_bad_input_is_refused_before_any_request(
    export: Exporter, start: str, end: str, source: str, message: str
) -> None:
    """The error says what is wrong; the vendor and S3 hear nothing."""
    with pytest.raises(BadRequest, match=message):
        export(start, end, source)
    assert export.asked() == []
    assert export.keys() == []


def test_a_missing_secret_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which variable is missing, and the cure."""
    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.delenv("AMPLITUDE_WEB_SECRET_KEY")
    with pytest.raises(MissingSetting, match="AMPLITUDE_WEB_SECRET_KEY missing"):
        export_days(MONDAY, MONDAY, "web")
    assert export.asked() == []


def test_a_missing_s3_setting_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side's settings are read before the vendor is asked, too."""
    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.delenv("S3_BUCKET_NAME")
    with pytest.raises(MissingSetting, match="S3_BUCKET_NAME"):
        export_days(MONDAY, MONDAY, "web")
    assert export.asked() == []


def test_the_flow_exports_with_settings_from_the_environment(
    export: Exporter,
    settings_env: dict[str, str],
    prefect_server: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Called as a plain function, the flow does what export_days does, and leaves an artifact."""
    from prefect.artifacts import Artifact

    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.setenv("AMPLITUDE_WEB_CLIENT_ID", WEB.client_id)
    monkeypatch.setenv("AMPLITUDE_WEB_SECRET_KEY", WEB.secret_key)
    export.vendor.set_now(None)
    result = export_amplitude("2025-01-06", "2025-01-12", "web")
    assert [(week.key, week.event_count, week.written) for week in result.archives] == [
        (KEY, 60, True)
    ]
    assert_whole(export, WITH_DATA)
    artifact = Artifact.get("export-amplitude-web")
    assert artifact is not None
    assert artifact.data == 100.0
    assert artifact.description == "7 of 7 days, 0.0 MB, 60 events"
    with pytest.raises(BadRequest, match="before start"):
        export_amplitude("2025-01-06", "2025-01-05", "web")

"""The export against the real protocol: each fault ends in the right archive or error."""

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flows.errors import (
    ArchiveFailed,
    BadRequest,
    Forbidden,
    MissingSetting,
    VendorFailed,
    WindowTooLarge,
)
from flows.export_appmetrica import ExportedArchive, ExportResult, export_appmetrica, export_tables
from flows.jobs_progress import JobsProgress
from flows.lake.bucket import Bucket
from flows.lake.day_index import IndexedDay, read_index
from flows.mapping import property_keys
from flows.sandbox.appmetrica import Application, AppMetricaSimulator, FaultKind, Limits, Phase
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import AppMetrica
from flows.vendors import appmetrica as client
from flows.vendors.appmetrica_tables import TABLES
from flows.vendors.appmetrica_wire import Waiting
from flows.vendors.retries import Retries

DAY = date(2025, 1, 6)
NEXT = DAY + timedelta(days=1)
APP = Application(1111, "the-token", "Asia/Yekaterinburg")
ZONE = ZoneInfo(APP.time_zone)  # UTC+5, no summer time
END_OF_DAY = datetime(2025, 1, 6, 19, tzinfo=UTC)
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
PREFIX = "appmetrica/1111/"
KEY = f"{PREFIX}events/2025-01-06.ndjson.gz"
INDEX = f"{PREFIX}events/index.json"


def local(day: date, clock: str = "12:00:00") -> int:
    """Unix seconds of a local time of the application."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp())


def event(name: str, day: date = DAY, clock: str = "12:00:00", **more: object) -> dict[str, Any]:
    return {"event_name": name, "event_receive_timestamp": local(day, clock), **more}


EVENTS = [
    event("first", clock="00:00:00"),
    event("last", clock="23:59:59"),
    event("Кнопка", event_json='{"место": {"ряд": [1, "2"]}}', appmetrica_device_id=2**64 - 1),
    *[event("twice", session_id=10000000012)] * 2,
    event("late", event_timestamp=local(DAY - timedelta(days=14))),
]


@pytest.fixture
def vendor() -> Iterator[AppMetricaSimulator]:
    """The Logs API with some events of one day, long ago."""
    with AppMetricaSimulator([APP], now=lambda: NOW) as simulator:
        simulator.declare_attributes(property_keys("appmetrica"))
        simulator.add_rows("events", EVENTS)
        simulator.add_rows(
            "events", [event("before", DAY - timedelta(days=1), "23:59:59"), event("after", NEXT)]
        )
        yield simulator


class Exporter:
    """Calls export_tables on the test's vendor and bucket."""

    def __init__(self, vendor: AppMetricaSimulator, bucket: Bucket) -> None:
        self.vendor = vendor
        self.bucket = bucket
        self.told: list[JobsProgress] = []
        self.settings = {
            "base_url": vendor.base_url,
            "api_key": APP.token,
            "application_id": APP.application_id,
            "poll_interval_seconds": 0.01,
            "time_zone": APP.time_zone,
        }

    def __call__(
        self,
        start: date | str | int | None = DAY,
        end: date | str | int | None = DAY,
        tables: tuple[str, ...] = ("events",),
        *,
        retries: Retries | None = None,
        **more: Any,
    ) -> ExportResult:
        return export_tables(
            start,
            end,
            tables,
            settings=AppMetrica.model_validate(self.settings),
            bucket=self.bucket,
            retries=retries or Retries(tries=3, first_wait_s=0),
            now=self.vendor.now,
            progress=self.told.append,
            **more,
        )

    def object(self, key: str = KEY) -> bytes:
        return self.bucket.client.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()

    def lines(self, key: str = KEY) -> list[bytes]:
        return gzip.decompress(self.object(key)).splitlines()

    def names(self, key: str = KEY) -> list[str]:
        return sorted(json.loads(line)["event_name"] for line in self.lines(key))

    def stored(self) -> list[str]:
        found = self.bucket.client.list_objects_v2(Bucket=self.bucket.name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def indexed(self, day: date = DAY) -> IndexedDay | None:
        return read_index(self.bucket, INDEX).days.get(day)

    def jobs(self) -> list[str]:
        return list(read_index(self.bucket, INDEX).jobs)

    def asked(self) -> list[tuple[int, str | None]]:
        """Status and Cache-Control of each request for rows, in order."""
        seen = self.vendor.traffic.seen
        return [(one.status, one.cache_control) for one in seen if one.table != "management"]


@pytest.fixture
def export(vendor: AppMetricaSimulator, bucket: Bucket) -> Exporter:
    return Exporter(vendor, bucket)


ALL = ["first", "last", "late", "twice", "twice", "Кнопка"]


def test_a_day_of_receipt_becomes_one_archive(export: Exporter) -> None:
    """The local day's first and last second are in it, late events too, equal rows both."""
    result = export("2025-01-06", 20250106)
    head = export.bucket.client.head_object(Bucket=export.bucket.name, Key=KEY)
    lines = export.lines()
    assert result == ExportResult(
        1111,
        "Asia/Yekaterinburg",
        (
            ExportedArchive(
                table="events",
                key=KEY,
                day=DAY,
                asked_at=NOW,
                rows=6,
                ndjson_bytes=sum(len(line) + 1 for line in lines),
                bytes=head["ContentLength"],
                etag=head["ETag"].strip('"'),
                confirmed=False,
                asked=True,
                written=True,
            ),
        ),
    )
    assert result.rows == 6
    assert export.names() == ALL
    assert lines == sorted(lines)
    assert export.stored() == [KEY, INDEX]
    entry = export.indexed()
    assert entry is not None
    assert (entry.rows, entry.bytes, entry.asked_at, entry.confirmed) == (
        6,
        result.archives[0].ndjson_bytes,
        NOW,
        False,
    )
    (asked,) = {tuple(one.parameters.items()) for one in export.vendor.traffic.seen}
    assert dict(asked) == {
        "application_id": "1111",
        "fields": ",".join(TABLES["events"].fields),
        "date_since": "2025-01-06 00:00:00",
        "date_until": "2025-01-06 23:59:59",
        "date_dimension": "receive",
    }
    assert export.asked() == [(202, "no-cache"), (202, None), (200, None)]


def test_rows_stand_as_the_vendor_sent_them(export: Exporter) -> None:
    """Escapes, forms of numbers, ids above 2^63 and nested values are not touched."""
    with AppMetricaSimulator([APP], now=lambda: NOW) as vendor:
        odd = {"event_json": '{"a": 1, "a": "\ud83d", "n": "\u0000"}', "session_id": 1.50}
        vendor.add_rows("events", [event("odd", **odd, appmetrica_device_id=2**64 - 1)], bare=True)
        export.vendor = vendor
        export.settings["base_url"] = vendor.base_url
        export()
    (line,) = export.lines()
    assert b'"appmetrica_device_id":18446744073709551615,' in line
    assert b'"event_json":"{\\"a\\": 1, \\"a\\": \\"\\ud83d\\", \\"n\\": \\"\\u0000\\"}"' in line


def test_the_same_rows_give_the_same_bytes(export: Exporter) -> None:
    """The vendor's order, its parts and the day of asking leave no trace in the archive."""
    export()
    first = export.object()
    export.bucket.client.delete_object(Bucket=export.bucket.name, Key=KEY)
    export.vendor.limits = Limits(max_rows=2)
    export.vendor.set_now(NOW + timedelta(days=3))
    export()
    assert export.object() == first


def test_each_table_has_its_archives(export: Exporter) -> None:
    """All 13 tables by name; an empty day is an archive without rows, a snapshot has its time."""
    result = export(DAY, NEXT, tuple(TABLES))
    days = ("2025-01-06", "2025-01-07")
    assert [archive.key for archive in result.archives] == [
        f"{PREFIX}{table}/{name}.ndjson.gz"
        for table in TABLES
        for name in (("2025-02-01T120000Z",) if table in ("profiles_v2", "push_tokens") else days)
    ]
    assert {archive.key: archive.rows for archive in result.archives if archive.rows} == {
        KEY: 6,
        f"{PREFIX}events/2025-01-07.ndjson.gz": 1,
    }
    assert export.lines(f"{PREFIX}crashes/2025-01-06.ndjson.gz") == []


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


def test_profiles_are_snapshots(export: Exporter) -> None:
    """Each export has a file of its own, even twice a second; nothing replaces it."""
    export.vendor.add_rows("profiles_v2", [{"profile_id": "p", "ehr_id": "7", "at": NOW}])
    attributes = ["ehr_id", "profile_id"]
    for _ in range(2):
        (archive,) = export(tables=("profiles_v2",), profile_attributes=attributes).archives
        assert (archive.day, archive.rows, archive.confirmed) == (None, 1, True)
    keys = [f"{PREFIX}profiles_v2/2025-02-01T12000{n}Z.ndjson.gz" for n in (0, 1)]
    assert [key for key in export.stored() if key.endswith(".gz")] == keys
    for key in keys:
        (line,) = export.lines(key)
        assert list(json.loads(line)) == [*TABLES["profiles_v2"].fields, "ehr_id"]
        assert json.loads(line)["ehr_id"] == "7"


def test_a_snapshot_that_was_stored_by_a_killed_run_is_not_taken_twice(export: Exporter) -> None:
    """Its job is still in the index: the next run fetches it again, and finds its own archive."""
    export.vendor.add_rows("profiles_v2", [{"profile_id": "p", "at": NOW}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.export_appmetrica._Exporter._remember", killed)
        with pytest.raises(InterruptedError):
            export(tables=("profiles_v2",), profile_attributes=["profile_id"])
    export.vendor.set_now(NOW + timedelta(minutes=5))
    (archive,) = export(tables=("profiles_v2",), profile_attributes=["profile_id"]).archives
    key = f"{PREFIX}profiles_v2/2025-02-01T120000Z.ndjson.gz"
    assert (archive.key, archive.written) == (key, False)
    assert [key for key in export.stored() if key.endswith(".gz")] == [archive.key]


def killed(*_: object) -> None:
    raise InterruptedError


def test_an_attribute_that_the_vendor_does_not_know_is_named(export: Exporter) -> None:
    """The vendor's sentence names it; a name that would split the list is refused before."""
    with pytest.raises(BadRequest, match="no_such_attribute"):
        export(tables=("profiles_v2",), profile_attributes=["no_such_attribute"])
    asked = len(export.asked())
    with pytest.raises(BadRequest, match="'a,b'"):
        export(tables=("profiles_v2",), profile_attributes=["a,b"])
    assert len(export.asked()) == asked


def test_without_dates_two_weeks_that_are_over_are_looked_at(export: Exporter) -> None:
    """Up to yesterday in the application's zone, where it is tomorrow already."""
    export.vendor.set_now(datetime(2025, 1, 6, 20, tzinfo=UTC))
    days = [archive.day for archive in export(None, None).archives]
    assert (days[0], days[-1], len(days)) == (date(2024, 12, 24), DAY, 14)


@pytest.mark.parametrize(
    ("start", "end", "tables", "message"),
    [
        ("2025-01-07", "2025-01-06", ("events",), "before start"),
        ("2025-01-06", "2025-02-02", ("events",), r"in the future.*Asia/Yekaterinburg"),
        ("2025-01-06", "2025-01-06", ("clicks", "taps"), "no table 'taps': choose from events"),
        ("2025-01-06", "2025-01-06", (), "no table is named"),
        ("06.01.2025", "2025-01-06", ("events",), "YYYY-MM-DD"),
    ],
)
def test_bad_input_is_refused_before_any_request(
    export: Exporter, start: str, end: str, tables: tuple[str, ...], message: str
) -> None:
    """The error says what is wrong; the vendor and S3 hear nothing."""
    with pytest.raises(BadRequest, match=message):
        export(start, end, tables)
    with pytest.raises(BadRequest, match="no folder"):
        export(directory="a//b")
    assert export.asked() == []
    assert export.stored() == []


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


# --- Waiting ----------------------------------------------------------------------------------


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


def test_progress_is_what_the_vendor_says(export: Exporter) -> None:
    """Archives done, bytes and rows grow; a job's own percent counts as far as it is."""
    progress = JobsProgress(4, 1, 2_500_000, 12_345, (("events 2025-01-06", Waiting(50)),))
    assert progress.percent == 37.5
    assert str(progress) == ("1 of 4 archives, 2.5 MB, 12,345 rows; events 2025-01-06: 50 %")
    assert str(Waiting()) == "queued"
    export()
    last = export.told[-1]
    assert (last.archives, last.archives_done, last.rows, last.percent) == (1, 1, 6, 100.0)
    assert last.received_bytes > sum(map(len, export.lines()))


def test_jobs_leave_a_place_in_the_vendor_s_queue(export: Exporter) -> None:
    """Never more than two jobs at once over the whole process, and no 429."""
    export.vendor.limits = Limits(steps=3, queued=client.MOST_JOBS)
    export(DAY, DAY + timedelta(days=6), ("events", "installations"))
    assert {status for status, _ in export.asked()} == {200, 202}


# --- Trouble ----------------------------------------------------------------------------------


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


def test_rows_in_the_archive_go_only_when_the_vendor_says_so_twice(export: Exporter) -> None:
    """An empty answer for a day that has rows is asked for once more."""
    export()
    with AppMetricaSimulator([APP], now=lambda: NOW) as empty:
        export.settings["base_url"] = empty.base_url
        export.vendor = empty
        (archive,) = export().archives
        assert (archive.rows, archive.written) == (0, True)
        assert [cache for _, cache in export.asked()].count("no-cache") == 2


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


def test_a_missing_setting_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the vendor and of S3."""
    monkeypatch.setenv("APPMETRICA_API_KEY", APP.token)
    monkeypatch.setenv("APPMETRICA_APPLICATION_ID", "1111")
    for name in ("APPMETRICA_API_KEY", "S3_BUCKET_NAME"):
        with monkeypatch.context() as context:
            context.delenv(name)
            with pytest.raises(MissingSetting, match=f"{name} is missing"):
                export_tables(DAY, DAY)


def test_ping_needs_one_request(vendor: AppMetricaSimulator) -> None:
    """Silent when all is well; else it says what is wrong."""
    settings = AppMetrica.model_validate(
        {"base_url": vendor.base_url, "api_key": APP.token, "application_id": 1111}
    )
    client.ping(settings)
    assert [(one.table, one.status) for one in vendor.traffic.seen] == [("management", 200)]
    vendor.limits = Limits(enabled=False)
    with pytest.raises(VendorFailed, match="'disabled'"):
        client.ping(settings)
    with pytest.raises(Forbidden):
        client.ping(AppMetrica.model_validate(settings.model_dump() | {"api_key": "wrong"}))
    vendor.inject("502", table="management")
    with pytest.raises(VendorFailed, match="1 tries, the last met status 502"):
        client.ping(settings)


def test_the_flow_exports_with_settings_from_the_environment(
    appmetrica: AppMetricaSimulator,
    settings_env: dict[str, str],
    bucket: Bucket,
    prefect_server: PrefectServer,
) -> None:
    """Called as a plain function, the flow does what export_tables does, and leaves an artifact."""
    from prefect.artifacts import Artifact

    appmetrica.add_rows("events", [{"event_timestamp": local(DAY)}])
    appmetrica.declare_attributes(property_keys("appmetrica"))
    result = export_appmetrica("2025-01-06", "2025-01-06")
    assert [(archive.table, archive.rows) for archive in result.archives] == [
        ("events", 1),
        ("installations", 0),
        ("profiles_v2", 0),
        ("sessions_starts", 0),
    ]
    artifact = Artifact.get("export-appmetrica")
    assert artifact is not None
    assert artifact.data == 100.0
    assert artifact.description == "4 of 4 archives, 0.0 MB, 1 rows"

"""One call brings every source from the vendor into the tables, whatever happens to one of them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from project_models import MODELS
from raw_loads import query

from flows.errors import BadRequest, Forbidden, Interrupted, MissingSetting, SourcesFailed
from flows.export_amplitude import ExportResult
from flows.lake.listing import list_objects
from flows.mapping import property_keys
from flows.pipeline import pipeline, span, usual_sources
from flows.sandbox.amplitude import AmplitudeSimulator, FaultKind
from flows.sandbox.amplitude.rows import make_event
from flows.warehouse.migrate import migrate

WEB, MOBILE = SOURCES = ("amplitude_web", "amplitude_mobile")
SATURDAY, SUNDAY, MONDAY = date(2025, 1, 11), date(2025, 1, 12), date(2025, 1, 13)
WEEK_2, WEEK_3 = "2025_week_02.zip", "2025_week_03.zip"
#: Two minutes to the hour at which the last hour of 2025-02-02 is ready, and that hour.
TOO_EARLY = datetime(2025, 2, 3, 1, 58, tzinfo=UTC)
READY = datetime(2025, 2, 3, 2, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def database_url(flow_database_url: str) -> str:
    return flow_database_url


@pytest.fixture
def url(settings_env: dict[str, str]) -> str:
    return settings_env["DWH_DATABASE_URL"]


def event(day: date, hour: int, **user_properties):
    at = datetime(day.year, day.month, day.day, hour, 30, 0, 5, tzinfo=UTC)
    return make_event(at, user_properties=user_properties, platform="Web")


def weeks_of(export: ExportResult):
    return [(week.key, week.days_covered, week.event_count) for week in export.archives]


@pytest.fixture
def vendor(settings_env: dict[str, str], amplitude: AmplitudeSimulator) -> AmplitudeSimulator:
    """Three days over the end of a week, with events of two patients on both projects."""
    for day, city in ((SATURDAY, "Bonn"), (SUNDAY, "Kiel"), (MONDAY, "Ulm")):
        amplitude.add_events("web", [event(day, 9, ehr_id="P1", city=city, gender="f")])
        amplitude.add_events("web", [event(day, 10, ehr_id="P1", city=city, gender="m")])
        amplitude.add_events("mobile", [event(day, 11, ehr_id="P2", city=city)])
    return amplitude


def test_both_sources_go_all_the_way_once(vendor, url):
    """Days become archives, rows and tables; a second run asks, loads and changes nothing."""
    result = pipeline("2025-01-11", 20250113)
    assert (result.start, result.end) == (SATURDAY, MONDAY)
    assert [export.source for export in result.exports] == ["web", "mobile"]
    assert [weeks_of(export) for export in result.exports] == [
        [
            (f"amplitude/web/{WEEK_2}", (SATURDAY, SUNDAY), 4),
            (f"amplitude/web/{WEEK_3}", (MONDAY,), 2),
        ],
        [
            (f"amplitude/mobile/{WEEK_2}", (SATURDAY, SUNDAY), 2),
            (f"amplitude/mobile/{WEEK_3}", (MONDAY,), 1),
        ],
    ]
    assert [(loads.source, loads.rows) for loads in result.loads] == [(WEB, 6), (MOBILE, 3)]
    assert (result.transform.status, result.transform.models) == ("completed", MODELS)
    assert query(url, "select source, count(*) from dwh.events_part group by 1 order by 1") == [
        (MOBILE, 3),
        (WEB, 6),
    ]
    tables = (
        "select ehr_id, gender, xmin::text from dwh.permanent_user_properties order by 1",
        "select ehr_id, city, xmin::text from dwh.changeable_user_properties order by 1",
    )
    before = [query(url, table) for table in tables]
    assert [[row[:2] for row in rows] for rows in before] == [
        [("P1", "female"), ("P2", None)],
        [("P1", "Ulm"), ("P2", "Ulm")],
    ]

    asked = len(vendor.traffic.seen)
    again = pipeline(date(2025, 1, 11), "20250113")
    assert len(vendor.traffic.seen) == asked == 6
    assert [week.written for export in again.exports for week in export.archives] == [False] * 4
    assert [load.status for loads in again.loads for load in loads.loads] == ["already loaded"] * 4
    assert [loads.rows for loads in again.loads] == [0, 0]
    assert [query(url, table) for table in tables] == before


def test_one_source_that_fails_does_not_stop_the_other(vendor, url, caplog):
    """The refused project is named with its error; the other one's events stand in the tables."""
    vendor.inject(FaultKind.FORBIDDEN, times=None, project="web")
    with pytest.raises(SourcesFailed) as caught:
        pipeline(SATURDAY, MONDAY)
    assert list(caught.value.errors) == [WEB]
    assert isinstance(caught.value.errors[WEB], Forbidden)
    assert str(caught.value).startswith("failed sources\namplitude_web: Forbidden: ")
    assert "AMPLITUDE_WEB_SECRET_KEY" in str(caught.value)
    assert "web-secret" not in f"{caught.value} {caplog.text}"
    assert query(url, "select distinct source from dwh.events_part") == [(MOBILE,)]


def test_without_dates_the_last_closed_days_are_taken_and_the_gate_holds(vendor, url):
    """An unknown key of the day before yesterday interrupts the run, and nothing is built."""
    day = datetime.now(UTC).date() - timedelta(days=2)
    vendor.add_events("web", [event(day, 9, ehr_id="P1", shoe_size=43)])
    with pytest.raises(Interrupted) as caught:
        pipeline(sources=[WEB])
    week = day.isocalendar()
    key = f"amplitude/web/{week.year}_week_{week.week:02d}.zip"
    assert (caught.value.reason, caught.value.file_key) == ("unknown_key", key)
    assert (caught.value.last_successful_line, caught.value.failed_line) == (None, 0)
    assert caught.value.findings == {"unknown_key": 1}
    assert query(url, "select to_regclass('dwh.events_part')") == [(None,)]
    asked = sorted(seen.start[:8] for seen in vendor.traffic.seen)
    assert asked[-14:] == asked
    assert len(asked) == 14
    assert f"{day:%Y%m%d}" in asked


def test_an_interruption_beside_a_failed_source_is_told_with_it(vendor, url):
    """The run names both: the source, and the transform with its report."""
    migrate(url)
    vendor.inject(FaultKind.FORBIDDEN, times=None, project="mobile")
    vendor.add_events("web", [event(SUNDAY, 12, shoe_size=43)])
    with pytest.raises(SourcesFailed) as caught:
        pipeline(SUNDAY, SUNDAY)
    assert [(name, type(error)) for name, error in caught.value.errors.items()] == [
        (MOBILE, Forbidden),
        ("transform", Interrupted),
    ]


def test_what_is_missing_is_said_before_any_work(vendor, monkeypatch, bucket):
    """Without the warehouse's address no vendor is asked."""
    monkeypatch.delenv("DWH_DATABASE_URL")
    with pytest.raises(MissingSetting, match="DWH_DATABASE_URL is missing"):
        pipeline(SUNDAY, SUNDAY)
    assert vendor.traffic.seen == []
    assert list_objects(bucket, "") == {}


def test_appmetrica_joins_once_it_is_set_up(vendor, appmetrica, url):
    """Its events, devices, sessions and profiles stand beside Amplitude's, a patient in one row."""
    noon = int(datetime(2025, 1, 12, 9, tzinfo=UTC).timestamp())
    device = {"appmetrica_device_id": str(2**64 - 1), "os_name": "ios"}
    appmetrica.declare_attributes(property_keys("appmetrica"))
    appmetrica.add_rows("events", [device | {"event_timestamp": str(noon), "session_id": "1"}])
    appmetrica.add_rows("installations", [device | {"install_timestamp": str(noon)}])
    appmetrica.add_rows(
        "sessions_starts", [device | {"session_start_timestamp": str(noon), "session_id": "1"}]
    )
    appmetrica.add_rows("profiles_v2", [device | {"profile_id": "1", "ehr_id": "P1", "age": "40"}])
    result = pipeline(SUNDAY, SUNDAY)
    assert [load.source for load in result.loads] == [
        "amplitude_web",
        "amplitude_mobile",
        "appmetrica",
    ]
    assert [load.rows for load in result.loads] == [2, 1, 4]
    assert query(
        url, "select source, count(*) from dwh.events_part group by source order by source"
    ) == [("amplitude_mobile", 1), ("amplitude_web", 2), ("appmetrica", 1)]
    assert query(
        url,
        "select device_id, user_id, event_count from dwh.sessions as s"
        " inner join dwh.mobile_devices as d on s.device_or_user_id = d.device_id"
        " where d.source = 'appmetrica' and d.installed_at is not null",
    ) == [(str(2**64 - 1), None, 1)]
    assert query(
        url,
        "select p.gender, c.age_years, c.source from dwh.permanent_user_properties as p"
        " inner join dwh.changeable_user_properties as c using (ehr_id) where ehr_id = 'P1'",
    ) == [("female", 40, "appmetrica")]


@pytest.mark.parametrize(
    ("variables", "is_taken"),
    [
        ({}, False),
        ({"APPMETRICA_TIME_ZONE": "Europe/Berlin"}, False),
        ({"APPMETRICA_API_KEY": "token"}, True),
        ({"APPMETRICA_APPLICATION_ID": "nonsense"}, True),
    ],
)
def test_a_company_without_appmetrica_is_not_asked_for_it(monkeypatch, variables, is_taken):
    """One of its required settings is enough to take it, so that a half set-up one is told."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert usual_sources() == [*SOURCES, *(["appmetrica"] if is_taken else [])]


def test_without_an_end_the_last_closed_day_is_the_end():
    """The last closed day is one whose every hour is ready."""
    assert span(None, None, SOURCES, TOO_EARLY) == (None, date(2025, 2, 1))
    assert span(None, None, SOURCES, READY) == (None, date(2025, 2, 2))
    assert span(None, "2024-12-01", [WEB], READY) == (None, date(2024, 12, 1))


def test_given_days_are_taken_as_they_are():
    """With a start no ledger is asked; without an end the last closed day is the end."""
    assert span("20250106", date(2025, 1, 7), SOURCES, READY) == (
        date(2025, 1, 6),
        date(2025, 1, 7),
    )
    assert span(20250106, None, SOURCES, READY) == (date(2025, 1, 6), date(2025, 2, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2025-01-07", "2025-01-06", SOURCES), "end 2025-01-06 is before start 2025-01-07"),
        (
            (None, "2025-02-04", SOURCES),
            "2025-02-04 is in the future: today is 2025-02-03 (UTC)",
        ),
        (
            (None, None, ("web", WEB)),
            "unknown sources ['web']: choose from amplitude_web, amplitude_mobile, appmetrica",
        ),
        (
            (None, None, ()),
            "unknown sources []: choose from amplitude_web, amplitude_mobile, appmetrica",
        ),
        (("soon", None, SOURCES), "'soon' is no day: write YYYY-MM-DD or YYYYMMDD"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    """Each mistake has its sentence."""
    with pytest.raises(BadRequest) as caught:
        span(*arguments, READY)
    assert str(caught.value) == message

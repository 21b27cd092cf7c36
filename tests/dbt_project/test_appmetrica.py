"""AppMetrica's rows stand beside Amplitude's in every table, without ids of the vendor's."""

from datetime import timedelta

import pytest
from raw_loads import add_appmetrica_load
from warehouse import event

EVENTS, STARTS = "appmetrica/7/events/{}.ndjson.gz", "appmetrica/7/sessions_starts/{}.ndjson.gz"
INSTALLATIONS = "appmetrica/7/installations/{}.ndjson.gz"
PROFILES = "appmetrica/7/profiles_v2/{}.ndjson.gz"
#: 2025-01-06 00:00 UTC in Unix seconds; the app's clock is three hours ahead.
MIDNIGHT = 1736121600
#: More than a bigint holds, as half of the real ids are.
DEVICE = "18446744073709551557"

#: The mapping's entry of `gender`, and what it is once AppMetrica's own field counts too.
GENDER = "keys: [gender, sex], value_map: {m: male,"
MAPPED_LATER = "keys: [gender, sex, appmetrica_gender], value_map: {m: male,"


def row(minute, name="opened", **fields):
    """An event of the app, as the vendor sends it: texts only, "" for what is missing."""
    return {
        "event_name": name,
        "event_timestamp": str(MIDNIGHT + 60 * minute),
        "event_datetime": f"2025-01-06 03:{minute % 60:02d}:00",
        "event_receive_timestamp": str(MIDNIGHT + 60 * minute + 5),
        "appmetrica_device_id": DEVICE,
        "session_id": "10000000001",
        "os_name": "ios",
        "city": "",
        "profile_id": "",
    } | fields


def start(minute, **fields):
    return {
        "session_start_timestamp": str(MIDNIGHT + 60 * minute),
        "session_start_receive_timestamp": str(MIDNIGHT + 60 * minute + 5),
        "session_id": "10000000001",
        "appmetrica_device_id": DEVICE,
        "os_name": "android",
        "profile_id": "",
    } | fields


def installation(minute, **fields):
    return {
        "install_timestamp": str(MIDNIGHT + 60 * minute),
        "install_receive_timestamp": str(MIDNIGHT + 60 * minute + 5),
        "appmetrica_device_id": DEVICE,
        "os_name": "android",
        "tracker_name": "",
    } | fields


def profile(ehr_id, **attributes):
    return {"profile_id": "someone", "appmetrica_device_id": DEVICE, "ehr_id": ehr_id} | attributes


def load(warehouse, key, day, *rows, supersedes=False):
    return add_appmetrica_load(warehouse.url, key.format(day), rows, supersedes=supersedes)


def built(warehouse):
    build = warehouse.build(tests="data")
    assert build.is_clean, build


@pytest.mark.slow
def test_equal_rows_stay_apart_and_a_repeated_export_gives_the_same_ids(warehouse):
    """The id is made of the row and of how many equal ones stand before it in the file."""
    rows = [row(1), row(2), row(1), row(1), row(3)]
    load(warehouse, EVENTS, "2025-01-06", *rows)
    built(warehouse)
    ids = warehouse.execute("select uuid, event_time from dwh.events_part order by 2, 1")
    assert len(set(ids)) == 5
    load(warehouse, EVENTS, "2025-01-06", *sorted(rows, key=str), row(4), supersedes=True)
    built(warehouse)
    again = warehouse.execute("select uuid, event_time from dwh.events_part order by 2, 1")
    assert again[:5] == ids
    assert len(again) == 6
    assert warehouse.rebuilt() == warehouse.marts()


def test_times_are_utc_whatever_the_zone_of_the_app(warehouse):
    """The Unix seconds count, not the wall clock, which has one hour twice in autumn."""
    hour = 3600
    autumn = 1761438600  # 2025-10-26 00:30 UTC: 02:30 in Berlin, and an hour later again
    rows = [
        row(0, event_timestamp=str(autumn + n * hour), event_datetime="2025-10-26 02:30:00")
        for n in (0, 1)
    ]
    without_clock = row(0, event_timestamp="", event_receive_timestamp=str(autumn + 2 * hour))
    load(warehouse, EVENTS, "2025-10-26", *rows, without_clock)
    built(warehouse)
    assert warehouse.execute(
        "select to_char(event_time at time zone 'UTC', 'HH24:MI') from dwh.events_part order by 1"
    ) == [("00:30",), ("01:30",), ("02:30",)]


def test_what_the_app_says_of_an_event_is_kept_whatever_it_is(warehouse):
    """Objects, other JSON and broken JSON have a row; nothing said has none."""
    sent = ['{"Место": {"a": 1}, "Место": 2}', "[1]", "{'a': 1}", "", '{"a": "\\u0000"}']
    load(warehouse, EVENTS, "2025-01-06", *[row(n, event_json=text) for n, text in enumerate(sent)])
    built(warehouse)
    assert warehouse.execute(
        "select event_properties from dwh.tmp_event_properties order by event_time"
    ) == [({"Место": 2},), ([1],), ("{'a': 1}",), ({"a": "\ufffd"},)]


def test_an_event_stands_in_every_product_table(warehouse):
    """Who, on what and where, under the vendor's own device id, digit by digit."""
    load(
        warehouse,
        EVENTS,
        "2025-01-06",
        row(1, city="Moscow", country_iso_code="RU", profile_id="me"),
    )
    built(warehouse)
    assert warehouse.execute(
        "select source, user_id, device_id, event_type, session_id, load_id, line_number"
        " from dwh.events_part"
    ) == [("appmetrica", "me", DEVICE, "opened", 10000000001, 1, 0)]
    assert warehouse.execute("select source, device_id, platform from dwh.technical_data") == [
        ("appmetrica", DEVICE, "iOS")
    ]
    assert warehouse.execute("select city, country from dwh.user_locations") == [("Moscow", "RU")]


@pytest.mark.slow
def test_a_device_is_known_from_installations_alone(warehouse):
    """Newest facts of any sign of it, and its latest installation; without the row, no device."""
    first = load(warehouse, INSTALLATIONS, "2025-01-06", installation(1, tracker_name="Campaign"))
    built(warehouse)
    facts = (
        "select os_name, tracker_name, extract(epoch from installed_at)::int - 1736121600,"
        " extract(epoch from first_seen_at)::int - 1736121600,"
        " extract(epoch from last_seen_at)::int - 1736121600 from dwh.mobile_devices"
    )
    assert warehouse.execute(facts) == [("android", "Campaign", 60, 60, 60)]
    load(warehouse, EVENTS, "2025-01-07", row(9))
    built(warehouse)
    assert warehouse.execute(facts) == [("ios", "Campaign", 60, 60, 540)]
    again = load(warehouse, INSTALLATIONS, "2025-01-07", installation(5, tracker_name="Other"))
    built(warehouse)
    assert warehouse.execute(facts) == [("ios", "Other", 300, 60, 540)]
    warehouse.withdraw(again)
    warehouse.withdraw(first)
    built(warehouse)
    assert warehouse.execute(facts) == [("ios", None, None, 540, 540)]
    assert warehouse.rebuilt() == warehouse.marts()


def test_a_session_is_read_again_when_late_events_arrive(warehouse):
    """Its start, end, user and events are those of all that is known of it, also when some goes."""
    load(warehouse, STARTS, "2025-01-06", start(2))
    built(warehouse)
    session = (
        "select user_id, extract(epoch from started_at)::int - 1736121600,"
        " extract(epoch from duration)::int, event_count from dwh.sessions"
    )
    assert warehouse.execute(session) == [(None, 120, 0, 0)]
    late = load(warehouse, EVENTS, "2025-01-07", row(9, profile_id="me"), row(1))
    built(warehouse)
    assert warehouse.execute(session) == [("me", 60, 480, 2)]
    load(warehouse, EVENTS, "2025-01-08", row(4), row(4, session_id="10000000002"))
    warehouse.withdraw(late)
    built(warehouse)
    assert warehouse.execute(session + " order by session_id") == [
        (None, 120, 120, 1),
        (None, 240, 0, 1),
    ]
    assert warehouse.rebuilt() == warehouse.marts()


def test_amplitude_has_sessions_too_and_minus_one_is_none(warehouse):
    """A session belongs to its device; events outside of any are left out."""
    warehouse.load(
        "a.zip",
        [
            event(3, 1, session_id=5),
            event(6, 2, session_id=5, user_id="me"),
            event(4, 3, session_id=5),
            event(9, 4, session_id=-1),
            event(12, 5),
            event(15, 6, session_id=5, device_id=None, user_id="me"),
            event(18, 7, session_id=5, device_id=None),
        ],
    )
    built(warehouse)
    assert warehouse.execute(
        "select device_or_user_id, session_id, user_id, event_count from dwh.sessions order by 1"
    ) == [("device 0", 5, "me", 2), ("device 1", 5, None, 1), ("me", 5, "me", 1)]


def test_snapshots_of_profiles_make_a_history_beside_amplitudes(warehouse):
    """Each snapshot is a record at its time; both vendors' records meet in one patient's row."""
    warehouse.load("a.zip", [event(1, 1, {"ehr_id": "P1", "gender": "m", "age": "30"})])
    load(warehouse, PROFILES, "2025-01-07T000000Z", profile("P1", age="31", weight="70", sex="f"))
    load(warehouse, PROFILES, "2025-01-08T000000Z", profile("P1", age="31", weight="70"))
    load(warehouse, PROFILES, "2025-01-09T000000Z", profile("P1", age="31", weight="80"))
    load(warehouse, PROFILES, "2025-01-10T000000Z", profile("", age="50", weight=""))
    built(warehouse)
    assert warehouse.execute("select gender, source from dwh.permanent_user_properties") == [
        ("male", "amplitude_web")
    ]
    assert warehouse.execute(
        "select ehr_id, age_years, weight_kg, source, event_time::date::text"
        " from dwh.changeable_user_properties order by 1"
    ) == [("P1", 31, 80, "appmetrica", "2025-01-09"), (None, 50, None, "appmetrica", "2025-01-10")]
    assert warehouse.execute(
        "select age_years, weight_kg, valid_from::date::text, valid_to::date::text"
        " from dwh.changeable_user_properties_history order by valid_from"
    ) == [
        (30, None, "2025-01-06", "2025-01-07"),
        (31, 70, "2025-01-07", "2025-01-09"),
        (31, 80, "2025-01-09", None),
    ]
    assert warehouse.execute(
        "select count(*), bool_and(migrated) from dwh.tmp_user_properties"
    ) == [(5, True)]
    assert warehouse.rebuilt() == warehouse.marts()


def test_equal_snapshots_at_two_times_are_two_records(warehouse):
    """The time of a snapshot is part of its rows' ids."""
    for time in ("2025-01-07T000000Z", "2025-01-08T000000Z"):
        load(warehouse, PROFILES, time, profile("P1", age="31"), profile("P1", age="31"))
    built(warehouse)
    assert warehouse.execute("select count(distinct uuid) from dwh.tmp_user_properties") == [(4,)]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [({"shoe_size": "43"}, "unknown_key"), ({"age": "young"}, "no_regex_match")],
)
def test_a_profile_is_checked_as_strictly_as_an_event(warehouse, attributes, reason):
    """An attribute that the mapping does not know, or cannot read, stops the build."""
    load(warehouse, PROFILES, "2025-01-07T000000Z", profile("P1"), profile("P2", **attributes))
    build = warehouse.build()
    assert build.having("fail") == {"property_findings"}
    assert warehouse.execute(
        "select source, file_key, line_number, key, reason from audit.property_findings"
    ) == [("appmetrica", PROFILES.format("2025-01-07T000000Z"), 1, next(iter(attributes)), reason)]


def test_a_column_takes_other_keys_from_other_sources(warehouse, tmp_path):
    """A key with sources counts from them alone; the vendor's own fields count once mapped."""
    warehouse.project = warehouse.project.edited(
        tmp_path / "dbt_project",
        (
            "keys: [gender, sex], value_map: {m: male, f: female}",
            "keys: [gender, {key: appmetrica_gender, sources: [appmetrica]},"
            " {key: sex, sources: [amplitude_web]}],"
            " value_map: {m: male, f: female, M: male, F: female}",
        ),
    )
    warehouse.load("a.zip", [event(1, 1, {"ehr_id": "P1", "sex": "f"})])
    warehouse.load("b.zip", [event(2, 2, {"ehr_id": "P2", "sex": "x"})], source="amplitude_mobile")
    load(
        warehouse,
        PROFILES,
        "2025-01-07T000000Z",
        profile("P3", appmetrica_gender="M", age="31"),
        profile("P4", sex="x", appmetrica_gender=""),
    )
    built(warehouse)
    assert warehouse.execute("select ehr_id, gender from dwh.permanent_user_properties") == [
        ("P1", "female"),
        ("P2", None),
        ("P3", "male"),
        ("P4", None),
    ]
    assert warehouse.execute(
        "select age_years from dwh.changeable_user_properties where ehr_id = 'P3'"
    ) == [(31,)]


@pytest.mark.slow
def test_a_session_is_right_again_after_a_build_of_parts(warehouse):
    """An event that came anew, in another session, may be known to only some of the models."""
    before = {1: 5, 2: 5, 3: 6, 4: 6}
    after = {1: 5, 2: 6, 3: 6, 4: 5}

    def lines(sessions: dict[int, int], upload: int) -> list[str]:
        return [
            event(n, n, session_id=session, device_id="d", upload=upload)
            for n, session in sessions.items()
        ]

    first = warehouse.load("a.zip", lines(before, 1))
    built(warehouse)
    warehouse.replace([first], lines(after, 9))
    assert warehouse.build("--select", "+int_events__deduplicated").is_clean
    assert warehouse.build("--select", "int_app_reports", "sessions").is_clean
    built(warehouse)
    assert warehouse.execute(
        "select session_id, duration from dwh.sessions order by session_id"
    ) == [(5, timedelta(hours=3)), (6, timedelta(hours=1))]
    assert warehouse.rebuilt() == warehouse.marts()


def test_a_field_of_the_vendor_s_that_is_mapped_later_is_read_from_old_records(warehouse, tmp_path):
    """Raw always held it, so the records that were admitted without it are read again."""
    snapshot = profile("P1", age="31", appmetrica_gender="m")
    load(warehouse, PROFILES, "2025-01-07T000000Z", snapshot)
    built(warehouse)
    genders = "select ehr_id, gender from dwh.permanent_user_properties"
    assert warehouse.execute(genders) == [("P1", None)]
    warehouse.project = warehouse.project.edited(
        tmp_path / "mapped" / "dbt_project",
        (GENDER, MAPPED_LATER),
    )
    built(warehouse)
    assert warehouse.execute(genders) == [("P1", "male")]
    assert warehouse.rebuilt() == warehouse.marts()
    # Ignored, it is no word about the user, mapped or not.
    warehouse.project = warehouse.project.edited(
        tmp_path / "ignored" / "dbt_project",
        (MAPPED_LATER, GENDER),
        (
            "ignored_keys: [{key: initial_source,",
            "ignored_keys: [{key: appmetrica_gender, reason: no}, {key: initial_source,",
        ),
    )
    built(warehouse)
    assert warehouse.execute(genders) == [("P1", None)]
    assert warehouse.rebuilt() == warehouse.marts()

"""An import takes in all users, and the telemetry that was asked for, in place of the old."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from raw_loads import query
from report_databases import DAY, event

from flows.errors import BadRequest, MissingSetting
from flows.import_reports import import_sources

USERS = "select * from raw.crm_users order by user_id"
PARTITIONS = """
select relname from pg_inherits inner join pg_class on inhrelid = oid
where inhparent = 'raw.telemetry_events'::regclass order by 1
"""


def test_all_users_and_events_come_as_they_are(databases):
    """Every value, nulls too; events of users whom the CRM does not have stand aside, counted."""
    databases.set_users([1], email="a@example.org", gender="f", registration_ts=DAY)
    databases.set_users([1, 2])
    events = [
        event(1, 1, 0),
        event(2, 2, 24.5, kind="leg", duration=None, amplitude=None, frequency=None),
        event(3, 9, 1, kind="hand"),
    ]
    databases.set_events(events)
    query(databases.crm, "alter table users add nickname text, add constraint x unique (nickname)")
    result = import_sources()
    assert databases.kept() == events[:2]
    assert databases.orphaned() == events[2:]
    assert query(databases.warehouse, USERS) == [
        (1, None, "User 1", None, 40, *[None] * 6, 1),
        (2, None, "User 2", None, 40, *[None] * 6, 1),
    ]
    assert (result.users, result.users_added, result.users_changed, result.users_removed) == (
        *(2, 2, 0, 0),
    )
    assert (result.events, result.orphaned_events, result.orphans) == (3, 1, 1)
    assert result.extra_columns == ("crm.users.nickname",)
    assert (result.window_start, result.window_end, result.saved_since) == (None, None, None)
    assert str(result).endswith("does not have; columns not read: crm.users.nickname")


def test_users_are_reloaded_and_what_did_not_change_is_not_written(databases):
    """New, changed and vanished ones are counted; a user who comes back is there since then."""
    databases.set_users([1, 2, 3])
    import_sources()
    places = dict(query(databases.warehouse, "select user_id, ctid from raw.crm_users"))
    databases.set_users([1, 2, 4])
    query(databases.crm, "update users set name = 'Other' where user_id = 2")
    result = import_sources()
    assert (result.users_added, result.users_changed, result.users_removed) == (1, 1, 1)
    later = dict(query(databases.warehouse, "select user_id, ctid from raw.crm_users"))
    assert later.keys() == {1, 2, 4}
    assert (later[1] == places[1], later[2] == places[2]) == (True, False)
    databases.set_users([1, 2, 3])
    import_sources()
    since = "select user_id, present_since from raw.crm_users order by 1"
    assert query(databases.warehouse, since) == [(1, 1), (2, 1), (3, 3)]


def test_a_window_is_half_open_and_replaced_whole(databases):
    """What the source no longer has within it goes, what lies outside of it stays."""
    databases.set_users([1])
    old = [event(n, 1, n) for n in range(6)]
    databases.set_events(old)
    import_sources()
    databases.set_events([event(n, 1, n, duration=7) for n in range(6) if n != 3])
    result = import_sources(DAY + timedelta(hours=2), DAY + timedelta(hours=5))
    assert result.events == 2
    assert databases.kept() == [
        *old[:2],
        event(2, 1, 2, duration=7),
        event(4, 1, 4, duration=7),
        old[5],
    ]


def test_edges_of_a_window_may_be_open_and_are_of_the_time_zone(databases, monkeypatch):
    """A day is its first moment in DWH_TIME_ZONE; an edge that is missing is none."""
    databases.set_users([1])
    databases.set_events([event(n, 1, n - 2) for n in range(4)])
    monkeypatch.setenv("DWH_TIME_ZONE", "Europe/Berlin")
    result = import_sources(telemetry_start="2025-01-06")
    assert result.window_start == datetime(2025, 1, 5, 23, tzinfo=UTC)
    assert [row[0] for row in databases.kept()] == [1, 2, 3]
    import_sources(telemetry_end="2025-01-06T00:00:00Z")
    assert [row[0] for row in databases.kept()] == [0, 1, 2, 3]


def test_an_event_that_moved_in_time_is_not_doubled(databases):
    """Its older version lies outside of the window; that of an orphan goes, too."""
    databases.set_users([1])
    databases.set_events([event(1, 1, 0), event(2, 9, 0), event(3, 1, 1)])
    import_sources()
    moved = [event(1, 1, 30), event(2, 9, 31)]
    databases.set_events([*moved, event(3, 1, 1)])
    import_sources(DAY + timedelta(hours=24), DAY + timedelta(hours=48))
    assert databases.kept() == [moved[0], event(3, 1, 1)]
    assert databases.orphaned() == [moved[1]]


def test_an_incremental_import_takes_what_was_saved_since(databases, monkeypatch):
    """From the newest known one on, minus the look-back; of an id the newer version counts."""
    monkeypatch.setenv("TELEMETRY_LOOKBACK_HOURS", "2")
    databases.set_users([1])
    first = [event(1, 1, 0, saved=0), event(2, 1, 0, saved=10)]
    databases.set_events(first)
    assert import_sources(incremental=True).saved_since is None
    late = event(3, 1, -700, saved=9)
    too_late = event(4, 1, 1, saved=7.9)
    newer = event(2, 1, 5, saved=11)
    databases.set_events([late, too_late, newer])
    result = import_sources(incremental=True)
    assert result.saved_since == DAY + timedelta(hours=8)
    assert result.events == 2
    assert databases.kept() == [first[0], newer, late]
    assert import_sources(incremental=True).saved_since == DAY + timedelta(hours=9)
    import_sources()
    assert databases.kept() == [newer, late, too_late]


@pytest.mark.parametrize("saved", ["infinity", "2999-01-01", "20000-01-01", "0044-03-15 BC"])
def test_a_wrong_time_of_saving_does_not_move_the_cursor(databases, saved):
    """What is saved until then would be passed over."""
    databases.set_users([1])
    databases.set_events([event(1, 1, 0, saved=5), event(2, 1, 1)])
    query(databases.telemetry, "update telemetry_events set saved_ts = %s where id = 2", saved)
    import_sources()
    assert import_sources(incremental=True).saved_since == DAY + timedelta(hours=5 - 48)


def test_an_import_of_a_window_says_nothing_of_what_was_saved_elsewhere(databases):
    """The incremental import behind it still takes all events."""
    databases.set_users([1])
    events = [event(1, 1, 0), event(2, 1, 30)]
    databases.set_events(events)
    import_sources(DAY + timedelta(hours=24))
    assert databases.kept() == events[1:]
    import_sources(incremental=True)
    assert databases.kept() == events


def test_events_go_and_come_with_their_user(databases):
    """A vanished user's events are kept aside, counted, and are back when the user is."""
    events = [event(1, 1, 0), event(2, 2, 1), event(3, 2, 900)]
    databases.set_users([1, 2])
    databases.set_events(events)
    import_sources()
    databases.set_users([1])
    result = import_sources(incremental=True)
    assert (result.users_removed, result.orphaned_events, result.orphans) == (1, 2, 2)
    assert (databases.kept(), databases.orphaned()) == (events[:1], events[1:])
    databases.set_users([1, 2])
    databases.set_events([])
    import_sources(incremental=True)
    assert (databases.kept(), databases.orphaned()) == (events, [])


def test_partitions_appear_by_themselves(databases):
    """A month each, for wrong clocks, too; none where nothing is."""
    databases.set_users([1])
    years = ("1969-12-31 23:59:59+00", "2025-01-31 23:59:59.999999+00", "2025-02-01", "12025-03-01")
    for number, when in enumerate(years):
        query(
            databases.telemetry,
            "insert into telemetry_events values (%s, 1, 'arm', null, 1, 1, 1, %s, now())",
            *(number, when),
        )
    import_sources()
    import_sources()
    assert [name for (name,) in query(databases.warehouse, PARTITIONS)] == [
        "telemetry_events_12025_03",
        "telemetry_events_1969_12",
        "telemetry_events_2025_01",
        "telemetry_events_2025_02",
    ]
    assert query(databases.warehouse, "select count(*) from raw.telemetry_events") == [(4,)]


def test_empty_sources_are_no_trouble(databases):
    """Nobody and nothing comes, again and again; everything that was there is gone."""
    for _ in range(2):
        result = import_sources(incremental=True)
        assert (result.users, result.events) == (0, 0)
    databases.set_users([1])
    databases.set_events([event(1)])
    import_sources()
    databases.set_users([])
    databases.set_events([])
    import_sources()
    assert (databases.users(), databases.kept(), databases.orphaned()) == ([], [], [])


def test_columns_of_other_types_are_understood(empty_sources, monkeypatch):
    """Whole numbers of any size, texts and enums, times without a zone as UTC, domains."""
    query(
        empty_sources.crm,
        "create type sex as enum ('f', 'm'); create domain mail as varchar(99);"
        " create schema crm; create table crm.people (user_id bigint unique, user_uuid text,"
        " name varchar(9), email mail, age smallint, gender sex, country char(2), address text,"
        " phone text, registration_ts timestamp, registered_at date);"
        " insert into crm.people values (1, '00000000-0000-0000-0000-000000000007', 'Ada',"
        " 'a@example.org', 9, 'f', 'DE', '', null, '2025-01-06 09:00', '2025-01-07')",
    )
    query(
        empty_sources.telemetry,
        "create table telemetry_events (saved_ts timestamp, id integer unique, user_id bigint,"
        " prosthesis_type varchar, muscle_group varchar, signal_frequency numeric(9, 3),"
        " signal_duration bigint, signal_amplitude real, event_timestamp timestamp);"
        " insert into telemetry_events values ('2025-01-06 10:00', 5, 1, 'leg', '', 12.125, 30,"
        " 0.5, '2025-01-06 09:30')",
    )
    monkeypatch.setenv("CRM_USERS_TABLE", "crm.people")
    import_sources()
    assert query(empty_sources.warehouse, USERS) == [
        (1, UUID(int=7), "Ada", "a@example.org", 9, "f", "DE", "", None,
         datetime(2025, 1, 6, 9, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC), 1)
    ]  # fmt: skip
    assert empty_sources.kept() == [
        (5, 1, "leg", "", 12.125, 30, 0.5,
         datetime(2025, 1, 6, 9, 30, tzinfo=UTC), datetime(2025, 1, 6, 10, tzinfo=UTC))
    ]  # fmt: skip


def test_progress_is_told_to_the_end(databases):
    """Its last word is that it is done, also of an import of nothing."""
    told = []
    import_sources(on_progress=lambda progress: told.append((progress.percent, str(progress))))
    assert told[-1] == (100.0, "telemetry: 0.0 MB, done")
    databases.set_users([1])
    databases.set_events([event(1)])
    import_sources(on_progress=lambda progress: told.append((progress.percent, str(progress))))
    assert told[-2][0] < 100
    assert "MB of about" in told[-2][1]
    assert told[-1] == (100.0, "telemetry: 0.0 MB, done")


@pytest.mark.parametrize(
    "arguments",
    [
        ("2025-01-06", "2025-01-06"),
        ("2025-01-07", "2025-01-06"),
        ("yesterday", None),
        ("2025-01-06", None, True),
        (None, "9999-12-31T23:59:59-12:00"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(databases, arguments):
    """Before anything is read or noted."""
    with pytest.raises(BadRequest):
        import_sources(*arguments)
    assert query(databases.warehouse, "select to_regclass('raw.report_imports')") == [(None,)]


def test_a_missing_address_is_named(databases, monkeypatch):
    """Each of the two, at once."""
    monkeypatch.delenv("TELEMETRY_DATABASE_URL")
    with pytest.raises(MissingSetting, match="TELEMETRY_DATABASE_URL is missing"):
        import_sources()

"""Whatever a source does, the old data stand whole, and the error says what to do."""

import os
import signal
import socket
import threading

import psycopg
import pytest
from psycopg.sql import SQL
from raw_loads import query
from report_databases import Databases, event

from flows.errors import Forbidden, Interrupted, VendorFailed
from flows.import_reports import import_sources
from flows.patience import passes
from flows.report_sources import copy_stream
from flows.report_sources.shapes import EVENTS, NO_PARTITION, USERS
from flows.sandbox import prostheses


@pytest.fixture
def imported(databases: Databases) -> Databases:
    """Two users with an event each, imported; by now the sources have others."""
    databases.set_users([1, 2])
    databases.set_events([event(1, 1), event(2, 2)])
    import_sources()
    databases.set_users([1, 3])
    databases.set_events([event(1, 1, 5), event(3, 3)])
    return databases


def assert_nothing_changed(databases: Databases, error: Exception) -> None:
    assert databases.users() == [1, 2]
    assert databases.kept() == [event(1, 1), event(2, 2)]
    assert databases.orphaned() == []
    assert databases.imports()[-1] == ("failed", str(error))


@pytest.mark.parametrize(
    ("database", "statement", "reason", "says"),
    [
        ("crm", "drop table users", "missing_table", "crm: there is no table users"),
        (
            "telemetry",
            "alter table telemetry_events drop saved_ts, drop muscle_group",
            "missing_column",
            "telemetry: table telemetry_events has no column muscle_group, saved_ts",
        ),
        (
            "crm",
            "alter table users rename email to mail",
            "missing_column",
            "crm: table users has no column email",
        ),
        (
            "telemetry",
            "alter table telemetry_events alter signal_duration type text,"
            " alter event_timestamp type date",
            "retyped_column",
            "signal_duration is text, which is no integer; event_timestamp is date, which is no"
            " timestamptz",
        ),
        (
            "telemetry",
            "alter table telemetry_events drop constraint telemetry_events_pkey;"
            " insert into telemetry_events select * from telemetry_events",
            "duplicate_key",
            "2 values of id stand in telemetry_events more than once",
        ),
        (
            "crm",
            "alter table users drop constraint users_pkey, alter user_id drop not null;"
            " update users set user_id = null where user_id = 3",
            "invalid_value",
            "user_id must not be null; 1 rows of users break that",
        ),
        (
            "telemetry",
            "update telemetry_events set event_timestamp = 'infinity'",
            "invalid_value",
            "event_timestamp must be a time; 2 rows of telemetry_events break that, the first"
            " with id 1",
        ),
        (
            "telemetry",
            "update telemetry_events set event_timestamp = null where id = 3",
            "invalid_value",
            "event_timestamp must be a time; 1 rows of telemetry_events break that, the first"
            " with id 3",
        ),
        (
            "crm",
            "alter table users alter user_id type bigint;"
            " update users set user_id = 5000000000 where user_id = 3",
            "invalid_value",
            "crm: a value does not fit the type that its column has here",
        ),
    ],
)
def test_a_source_of_another_shape_stops_the_import(imported, database, statement, reason, says):
    """The table, all columns or the rule are named, never a value of a person."""
    query(getattr(imported, database), statement)
    with pytest.raises(Interrupted) as caught:
        import_sources()
    assert caught.value.reason == reason
    assert says in caught.value.error_message
    assert "5000000000" not in caught.value.error_message
    assert_nothing_changed(imported, caught.value)


BROKEN = {
    "age_is_none_or_more": "-1",
    "prosthesis_type_is_known": "'tail'",
    "signal_frequency_is_finite": "-1",
    "signal_duration_is_none_or_more": "-1",
    "signal_amplitude_is_finite": "'NaN'",
}


@pytest.mark.parametrize("constraint", BROKEN)
def test_a_value_that_breaks_a_rule_stops_the_import(imported, constraint):
    """The source itself tells how many rows break it, and the first of them."""
    table, rules, address = (
        ("users", USERS.rules, imported.crm)
        if constraint in USERS.rules
        else ("telemetry_events", EVENTS.rules, imported.telemetry)
    )
    rule = rules[constraint]
    key = USERS.key if table == "users" else EVENTS.key
    query(address, f"update {table} set {rule.column} = {BROKEN[constraint]} where {key} = 3")
    with pytest.raises(Interrupted) as caught:
        import_sources()
    assert (
        f"{rule.column} {rule.says}; 1 rows of {table} break that, the first with {key} 3"
        in caught.value.error_message
    )
    assert_nothing_changed(imported, caught.value)


def test_the_rules_are_those_of_the_raw_tables(imported):
    """Each constraint has its sentence, and each sentence its constraint."""
    found = query(
        imported.warehouse,
        "select conname from pg_constraint where contype = 'c' and conrelid = any(%s::regclass[])",
        ["raw.crm_users", "raw.telemetry_events"],
    )
    with_a_name = {*USERS.rules, *EVENTS.rules} - {NO_PARTITION}
    assert {name for (name,) in found} == with_a_name == set(BROKEN)


@pytest.mark.parametrize("source", ["CRM", "TELEMETRY"])
def test_a_source_that_is_down_is_tried_again_and_named(imported, monkeypatch, source):
    """Five times, each noted; then the caller may come again later."""
    monkeypatch.setenv(f"{source}_DATABASE_URL", "postgresql://reader:hush@127.0.0.1:9/source")
    with pytest.raises(VendorFailed, match="database does not answer") as caught:
        import_sources()
    assert caught.value.vendor == source.lower()
    assert "hush" not in str(caught.value)
    assert [status for status, _ in imported.imports()] == ["imported", *["failed"] * 5]
    assert imported.users() == [1, 2]


def test_a_source_that_refuses_is_not_tried_again(imported, monkeypatch):
    """A database that is not there, a table that the user may not read."""
    monkeypatch.setenv("CRM_DATABASE_URL", imported.crm + "_not")
    with pytest.raises(Forbidden, match="CRM_DATABASE_URL") as caught:
        import_sources()
    assert_nothing_changed(imported, caught.value)
    monkeypatch.setenv("CRM_DATABASE_URL", imported.crm)
    query(
        imported.telemetry,
        "do $$ begin create role telemetry_reader login; exception when duplicate_object then null;"
        " end $$",
    )
    address = imported.telemetry.replace("//postgres@", "//telemetry_reader@")
    monkeypatch.setenv("TELEMETRY_DATABASE_URL", address)
    with pytest.raises(Forbidden, match="permission denied for table telemetry_events") as caught:
        import_sources()
    assert len(imported.imports()) == 3
    assert_nothing_changed(imported, caught.value)


@pytest.fixture
def large(empty_sources: Databases) -> Databases:
    """So many events that an import can be met in the middle of them."""
    size = prostheses.Prostheses(users=50, orphans=0, events=200_000)
    prostheses.invent(empty_sources.crm, empty_sources.telemetry, size)
    return empty_sources


def cut(databases: Databases, times: int, done: threading.Event) -> None:
    """End the source's session in mid-COPY, so many times."""
    with psycopg.connect(databases.telemetry, autocommit=True) as connection:
        while times and not done.is_set():
            ended = connection.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
                " and query like 'copy%%' and state = 'active'"
            ).fetchone()
            times -= 1 if ended and ended[0] else 0


@pytest.mark.parametrize(("times", "status"), [(1, "imported"), (1000, "failed")])
def test_a_stream_that_is_cut_is_read_anew(large, times, status):
    """Once: the import is tried again and is whole. Always: it gives up, and nothing is there."""
    done = threading.Event()
    thread = threading.Thread(target=cut, args=(large, times, done))
    thread.start()
    try:
        if status == "imported":
            assert import_sources().events == 200_000
        else:
            with pytest.raises(VendorFailed, match="telemetry database"):
                import_sources()
    finally:
        done.set()
        thread.join()
    statuses = [found for found, _ in large.imports()]
    assert statuses[0] == "failed"
    assert statuses[-1] == status
    assert len(large.kept()) == (200_000 if status == "imported" else 0)


def test_a_source_that_hangs_in_the_middle_is_read_anew(large, monkeypatch):
    """Its connection lives, and nothing comes: after a while that counts as cut."""
    monkeypatch.setattr(copy_stream, "SILENCE_S", 1.0)
    stopped: list[int] = []

    def stop() -> None:
        while not stopped:
            stopped.extend(
                pid
                for (pid,) in query(
                    large.telemetry,
                    "select pid from pg_stat_activity where datname = current_database()"
                    " and query like 'copy%' and state = 'active' and wait_event = 'ClientWrite'",
                )
            )
        os.kill(stopped[0], signal.SIGSTOP)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        assert import_sources().events == 200_000
    finally:
        thread.join()
        os.kill(stopped[0], signal.SIGCONT)
    assert large.imports() == [
        (
            "failed",
            "the telemetry database does not answer: nothing came for 1 s. Nothing is replaced;"
            " run again later",
        ),
        ("imported", None),
    ]


def test_a_connection_that_ends_without_a_word_is_trouble_that_passes(large):
    """No server's error comes with it, so that only its kind says that it is worth another try."""
    with psycopg.connect(large.telemetry) as connection:
        connection.execute("select 1")
        blocks = copy_stream.copy_out(connection, SQL("copy telemetry_events to stdout"))
        next(blocks)
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(psycopg.OperationalError) as caught:
            list(blocks)
    assert passes(caught.value)

"""Each role may do its part and no other, on a server whose rights are real."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from logins import as_user, logins
from raw_loads import add_load, query

from flows.errors import WarehouseFailed
from flows.lake.bucket import Bucket
from flows.lake.day_archive import store_rows
from flows.lake.row_sorter import RowSorter
from flows.load_raw import load_archives
from flows.sandbox.postgres import Postgres
from flows.warehouse.migrate import migrate
from flows.withdraw_load import withdraw

LOADER, TRANSFORMER, ANALYST = "dwh_loader", "dwh_transformer", "dwh_analyst"
AREAS = ("staging", "intermediate", "dwh", "product", "reports", "audit")
KEY = "appmetrica/1111/events/2025-01-06.ndjson.gz"
DENIED = "42501"


@pytest.fixture
def users(database_url: str) -> dict[str, str]:
    """Role -> address of a migrated database for the user that README.md makes with it."""
    migrate(database_url)
    return {role: as_user(database_url, user) for role, user in logins(database_url).items()}


MAY = [
    (LOADER, "select from raw.loads"),
    (LOADER, "insert into raw.amplitude_events (load_id, line_number) values (1, 0)"),
    (LOADER, "update raw.loads set error = 'x'"),
    (LOADER, "delete from raw.amplitude_events"),
    (LOADER, "insert into raw.windows (file_key, window_start, window_end, source)"
        " values ('a', now(), now(), 'b')"),
    (LOADER, "select version_num from raw.alembic_version"),
    (LOADER, "select raw.add_telemetry_months(array[date '2025-01-06'])"),
    (LOADER, "delete from raw.crm_users; delete from raw.telemetry_events"),
    (ANALYST, "select user_id, age from raw.crm_users"),
    (ANALYST, "select from raw.telemetry_events, raw.orphaned_telemetry_events"),
    (TRANSFORMER, "select from raw.amplitude_events, raw.loads, raw.windows"),
    (TRANSFORMER, "select raw.retire_loads(array[1, 2])"),
    (TRANSFORMER, "select raw.mark_built_windows(array[1])"),
    (TRANSFORMER, "create schema another"),
    *((TRANSFORMER, f"create table {area}.a (a int); drop table {area}.a") for area in AREAS),
    (ANALYST, "select from raw.appmetrica_events, raw.loads"),
    (ANALYST, "create schema dev_anna; create table dev_anna.a (a int)"),
]  # fmt: skip
MAY_NOT = [
    (LOADER, "truncate raw.loads"),
    (LOADER, "drop table raw.amplitude_events"),
    (LOADER, "alter table raw.loads add column a int"),
    (LOADER, "update raw.alembic_version set version_num = '0001'"),
    (LOADER, "create table raw.a (a int)"),
    (LOADER, "create schema another"),
    (LOADER, "select raw.retire_loads(array[1])"),
    *((LOADER, f"create table {area}.a (a int)") for area in AREAS),
    *(
        (role, statement)
        for role in (TRANSFORMER, ANALYST)
        for statement in (
            "insert into raw.loads (source, file_key, etag, size_bytes) values ('a', 'b', '', 0)",
            "update raw.loads set status = 'withdrawn'",
            "delete from raw.amplitude_events",
            "truncate raw.appmetrica_events",
            "update raw.windows set built_at = now()",
            "create table raw.a (a int)",
            "create function raw.a() returns int language sql as 'select 1'",
            "select raw.grant_rights()",
            "alter role dwh_analyst login",
        )
    ),
    (ANALYST, "select raw.retire_loads(array[1])"),
    *((ANALYST, f"select {column} from raw.crm_users") for column in ("name", "email", "phone")),
    *(
        (role, "select raw.add_telemetry_months(array[date '2025-01-06'])")
        for role in (TRANSFORMER, ANALYST)
    ),
    (LOADER, "create table raw.a partition of raw.telemetry_events for values from (1) to (2)"),
    (ANALYST, "select raw.mark_built_windows(array[1])"),
    (ANALYST, "set role dwh_transformer"),
    *((ANALYST, f"create table {area}.a (a int)") for area in AREAS),
    *((ANALYST, f"drop schema {area}") for area in AREAS),
]  # fmt: skip


def test_a_role_may_do_its_part_and_no_other(users):
    """All that it needs goes through, all else is refused for want of the right."""
    for role, statement in MAY:
        query(users[role], statement)
    for role, statement in MAY_NOT:
        with psycopg.connect(users[role]) as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
        pytest.fail(f"{role} may {statement}")


def test_who_builds_retires_superseded_loads_alone(database_url, users):
    """raw.retire_loads has its owner's rights, and is not to be talked into more."""
    old = add_load(database_url, "1.zip", [{}, {}])
    new = add_load(database_url, "1.zip", [{}, {}, {}])
    query(database_url, "update raw.loads set superseded_by = %s where load_id = %s", new, old)
    # a table of the caller's, which must not be taken for the ledger
    query(users[TRANSFORMER], "create schema mine; create table mine.loads (load_id int)")
    assert query(
        f"{users[TRANSFORMER]}?options=-csearch_path%3Dmine,raw",
        "select raw.retire_loads(array[%s::bigint, %s])",
        *(old, new),
    ) == [(2,)]
    assert query(database_url, "select load_id, status from raw.loads order by 1") == [
        (old, "superseded"),
        (new, "loaded"),
    ]
    assert query(database_url, "select distinct load_id from raw.amplitude_events") == [(new,)]


def put_day(bucket: Bucket, directory: Path, *rows: bytes) -> None:
    sorter = RowSorter(directory)
    sorter.put(0, iter(rows))
    store_rows(bucket, KEY, sorter, directory)


def test_the_loader_s_user_loads_and_withdraws(settings_env, users, bucket, tmp_path, monkeypatch):
    """load_raw and withdraw_load run as dwh_loader, and as no other role."""
    for role in (LOADER, TRANSFORMER, ANALYST):
        monkeypatch.setenv("DWH_DATABASE_URL", users[role])
        put_day(bucket, tmp_path, b'{"event_name":"a"}', f'{{"event_name":"{role}"}}'.encode())
        if role == LOADER:
            (load,) = load_archives("appmetrica").loads
            assert (load.status, load.rows) == ("loaded", 2)
            continue
        with pytest.raises(WarehouseFailed, match="permission denied") as caught:
            load_archives("appmetrica")
        assert caught.value.sqlstate == DENIED
        with pytest.raises(WarehouseFailed, match="permission denied"):
            withdraw(load.load_id, "not mine to do")
    monkeypatch.setenv("DWH_DATABASE_URL", users[LOADER])
    assert withdraw(load.load_id, "sent by mistake").rows == 2


def test_a_user_with_roles_alone_is_told_that_a_migration_is_due(database_url, users):
    """It may not change schema raw, and nothing is changed."""
    query(database_url, "update raw.alembic_version set version_num = '0003'")
    for role in (LOADER, TRANSFORMER, ANALYST):
        with pytest.raises(WarehouseFailed) as caught:
            migrate(users[role])
        assert caught.value.sqlstate == DENIED
    assert query(database_url, "select version_num from raw.alembic_version") == [("0003",)]


@pytest.fixture
def empty_server() -> Iterator[Postgres]:
    """A server that knows none of the roles."""
    with tempfile.TemporaryDirectory(prefix="dwh-helper-postgres-") as directory:
        Path(directory).chmod(0o755)
        with Postgres(Path(directory) / "server") as server:
            yield server


def test_who_may_not_make_roles_is_told_what_is_left(empty_server, caplog):
    """Tables are made all the same; an administrator runs what the message says, once a server."""
    owned = {}
    admin = empty_server.url("postgres")
    for user, options in {"plain": "", "maker": "createrole"}.items():
        query(admin, f"create user {user} {options}")
        empty_server.create_database(f"of_{user}")
        query(admin, f"alter database of_{user} owner to {user}")
        owned[user] = as_user(empty_server.url(f"of_{user}"), user)
    left = (
        "create role dwh_loader nologin; create role dwh_transformer nologin;"
        " create role dwh_analyst nologin; select raw.grant_rights();"
    )
    with caplog.at_level(logging.WARNING):
        migrate(owned["plain"])
    assert caplog.messages[-1].endswith(f"An administrator has yet to run: {left}")
    assert query(owned["plain"], "select status from raw.loads") == []
    # a user that may make roles serves the whole server with them
    caplog.clear()
    migrate(owned["maker"])
    assert caplog.messages == []
    assert query(owned["plain"], "select * from raw.grant_rights()") == []
    for user in owned:
        url = empty_server.url(f"of_{user}")
        as_role = {role: as_user(url, name) for role, name in logins(url).items()}
        query(as_role[LOADER], "select from raw.loads")
        query(as_role[TRANSFORMER], "create table dwh.a (a int)")
        query(as_role[ANALYST], "create schema dev_anna")


def test_what_the_owner_of_tables_may_not_grant_is_left_too(empty_server, caplog):
    """A user that owns schema raw and not the database leaves schemas and rights to others."""
    admin = empty_server.url("postgres")
    query(admin, "create user guest createrole")
    url = empty_server.create_database("shared")
    query(url, "create schema raw authorization guest")
    with caplog.at_level(logging.WARNING):
        migrate(as_user(url, "guest"))
    statements = caplog.messages[-1].partition("yet to run: ")[2]
    assert statements == " ".join(
        (
            *(f"create schema {area} authorization dwh_transformer;" for area in AREAS),
            "grant create on database shared to dwh_transformer;",
            "grant create on database shared to dwh_analyst;",
        )
    )
    query(url, statements)
    assert query(as_user(url, "guest"), "select * from raw.grant_rights()") == []
    build = as_user(url, logins(url)[TRANSFORMER])
    query(build, "create table dwh.a (a int)")

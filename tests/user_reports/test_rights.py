"""Each role takes its part in user reports, and analysts see no personal column unless they may."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from logins import as_user, logins
from raw_loads import query
from report_databases import Databases, event

from flows.errors import WarehouseFailed
from flows.import_reports import import_sources
from flows.report_user import count_user
from flows.transform import build
from flows.warehouse.dbt_build import DBT_PROJECT, REPORTS
from flows.warehouse.migrate import migrate

PERSONAL = ("name", "email", "phone", "address")
OPEN = ("user_id", "user_uuid", "gender", "country", "age", "registration_ts", "registered_at")


@pytest.fixture(scope="module")
def users(databases: Databases) -> dict[str, str]:
    """Role -> its user; the owner has migrated, and nobody has built."""
    migrate(databases.warehouse)
    databases.set_users([1, 2], email="ada@example.org")
    databases.set_events([event(1), event(2, 9)])
    return logins(databases.warehouse)


@pytest.fixture
def be(databases: Databases, users: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    def become(role: str) -> str:
        url = as_user(databases.warehouse, users[role])
        monkeypatch.setenv("DWH_DATABASE_URL", url)
        return url

    return become


def assert_hidden(url: str, table: str, present: str) -> None:
    query(url, f"select {', '.join(OPEN)}, {present} from {table}")
    for column in (*PERSONAL, "*"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(url, f"select {column} from {table}")


def test_a_loader_imports_and_a_builder_builds(be, databases: Databases):
    """New months, users who go, increments: nothing of it needs more; neither does the other's."""
    be("dwh_loader")
    assert import_sources().events == 2
    databases.set_events([event(1), event(3, 1, 2000)])
    assert import_sources(incremental=True).events == 2
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(be("dwh_transformer"), "delete from raw.crm_users")
    assert {node.status for node in build(REPORTS).nodes} <= {"success", "pass"}
    assert count_user(1).total_events == 2


def test_analysts_see_no_personal_column(be, databases: Databases):
    """Neither in raw nor in reports, whatever build it was; all else they see."""
    be("dwh_transformer")
    for full_refresh in (False, True):
        build(REPORTS, full_refresh)
        analyst = be("dwh_analyst")
        assert_hidden(analyst, "raw.crm_users", "present_since")
        assert_hidden(analyst, "reports.users", "present_since_import")
        for table in ("telemetry_events", "user_prosthesis_daily", "import_marks"):
            assert query(analyst, f"select * from reports.{table}")
        be("dwh_transformer")
    migrate(databases.warehouse)
    query(databases.warehouse, "select raw.grant_rights()")
    assert_hidden(be("dwh_analyst"), "raw.crm_users", "present_since")
    with pytest.raises(WarehouseFailed, match="permission denied for table users"):
        count_user(1)


def test_a_setting_shows_them_and_hides_them_again(be, monkeypatch: pytest.MonkeyPatch):
    """From the next build on, the tables of reports alone."""
    be("dwh_transformer")
    monkeypatch.setenv("DWH_ANALYSTS_SEE_PERSONAL", "true")
    build(REPORTS)
    analyst = be("dwh_analyst")
    assert query(analyst, "select name from reports.users order by 1") == [("User 1",), ("User 2",)]
    assert count_user(1).user_email == "ada@example.org"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(analyst, "select name from raw.crm_users")
    be("dwh_transformer")
    monkeypatch.delenv("DWH_ANALYSTS_SEE_PERSONAL")
    build(REPORTS)
    assert_hidden(analyst, "reports.users", "present_since_import")


def test_an_analyst_builds_copies_without_them(be, tmp_path: Path):
    """The same models in schemas of his own; what he may not read is null there."""
    analyst = be("dwh_analyst")
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "build", "--select", REPORTS, "--quiet"],
        cwd=DBT_PROJECT,
        env=os.environ
        | {
            "DBT_TARGET": "dev",
            "DBT_DEV_SCHEMA": "anna",
            "DBT_TARGET_PATH": str(tmp_path),
            "DBT_LOG_PATH": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    rows = query(analyst, "select user_id, name, email, phone, address from anna_reports.users")
    assert sorted(rows) == [(1, *[None] * 4), (2, *[None] * 4)]
    assert query(analyst, "select count(*) from anna_reports.telemetry_events") == [(2,)]

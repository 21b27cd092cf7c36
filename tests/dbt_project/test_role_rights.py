"""Production is built by one role and read by another, and stays so whatever a build replaces."""

from dataclasses import replace

import psycopg
import pytest
from logins import as_user, logins
from warehouse import BUILT_SCHEMAS, Warehouse, event

from flows.settings import Dwh
from flows.warehouse.interruption import interruption

pytestmark = pytest.mark.usefixtures("statistics")

ROWS = [event(n, n, {"ehr_id": f"P{n % 3}", "city": "AB"[n % 2], "gender": "m"}) for n in range(9)]
READ = ("dwh", "product", "audit")
MARTS = ("dwh.", "product.")
RELATIONS = """
select nspname || '.' || relname, pg_get_userbyid(relowner)
from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
where nspname = any(%s) and relkind in ('r', 'v')
order by 1
"""


@pytest.fixture
def be(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch):
    """be(role): the warehouse as the user sees it that README.md makes with a role."""
    users = logins(warehouse.url)
    warehouse.execute("select raw.grant_rights()")  # the schemas that `warehouse` dropped

    def become(role: str) -> Warehouse:
        url = as_user(warehouse.url, users.get(role, role))
        monkeypatch.setenv("DWH_DATABASE_URL", url)
        return replace(warehouse, url=url)

    return become


def relations(warehouse: Warehouse, *schemas: str) -> dict[str, str]:
    """Name of each table and view -> its owner."""
    return dict(warehouse.execute(RELATIONS, list(schemas)))


def assert_rights(warehouse: Warehouse, be) -> None:
    """Everything is owned by the builders' role, and read but not written by analysts."""
    built = relations(warehouse, *BUILT_SCHEMAS)
    assert set(built.values()) == {"dwh_transformer"}
    with (
        psycopg.connect(be("dwh_analyst").url, autocommit=True) as analyst,
        psycopg.connect(be("dwh_loader").url, autocommit=True) as loader,
    ):
        for name in relations(warehouse, *READ):
            analyst.execute(f"select from {name}")
        for name in built:
            for connection, statement in (
                (loader, f"select from {name}"),
                (loader, f"alter table {name} rename to mine"),
                (analyst, f"alter table {name} rename to mine"),
                *([(analyst, f"delete from {name}")] if name.startswith(MARTS) else []),
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)


def test_grants_hold_after_each_build(warehouse, be):
    """First build, one with findings, full refresh by another: each leaves the same rights."""
    warehouse.load("1.zip", ROWS[:4])
    warehouse.load("2.zip", [event(30, 30, {"ehr_id": "P1", "gender": "f"})])
    # by somebody who knew of no roles: it is handed over
    assert warehouse.build().is_clean
    assert_rights(warehouse, be)
    builder = be("dwh_transformer")
    held = warehouse.load("3.zip", [event(40, 40, {"ehr_id": "P1", "shoe_size": 43})])
    assert builder.build().having("fail") == {"property_findings"}
    report = interruption(Dwh(database_url=builder.url))
    assert (report.reason, report.file_key) == ("unknown_key", "3.zip")
    assert_rights(warehouse, be)
    findings = "select load_id, key, value from audit.property_findings"
    assert be("dwh_analyst").execute(findings) == [(held, "shoe_size", "43")]
    warehouse.withdraw(held)
    warehouse.load("4.zip", ROWS[4:])
    warehouse.execute("drop role if exists second_builder")
    warehouse.execute("create user second_builder in role dwh_transformer")
    try:
        assert be("second_builder").build("--full-refresh").is_clean
        assert_rights(warehouse, be)
    finally:
        warehouse.execute("drop owned by second_builder; drop role second_builder")
    assert set(warehouse.mart_names().values()) <= set(relations(warehouse, "dwh", "product"))
    assert "audit.permanent_property_conflicts" in relations(warehouse, "audit")


def test_a_new_table_is_readable_from_its_first_moment(warehouse, be):
    """A build that is killed grants nothing at its end, so the right comes with the table."""
    warehouse.load("1.zip", ROWS[:4])
    builder = be("dwh_transformer")
    assert builder.build("--select", "withdrawn_loads").is_clean
    builder.execute("create table dwh.another (a int); create view audit.another as select 1 as a")
    assert be("dwh_analyst").execute("select from dwh.another, audit.another") == []


def test_an_analyst_builds_in_schemas_of_its_own(warehouse, be, monkeypatch):
    """The dev target reads the same raw rows; production is refused before anything is touched."""
    warehouse.load("1.zip", ROWS)
    assert be("dwh_transformer").build().is_clean
    before = (warehouse.marts(), warehouse.execute("select * from raw.loads"))
    analyst = be("dwh_analyst")
    monkeypatch.setenv("DBT_DEV_SCHEMA", "dev_anna")
    try:
        build = analyst.build(target="dev")
        assert build.is_clean, build
        assert analyst.marts("dev_anna_") == before[0]
        refused = analyst.build("--select", "events_part")
        assert not refused.having("success")
        assert "permission denied" in refused.messages
    finally:
        for schema in BUILT_SCHEMAS:
            warehouse.execute(f"drop schema if exists dev_anna_{schema} cascade")
    assert (warehouse.marts(), warehouse.execute("select * from raw.loads")) == before
    assert warehouse.execute("select from intermediate.build_turn") == []

"""A warehouse whose tables of reports are built, beside its two sources."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_loads import query
from report_databases import EVENTS, USERS, Databases, source_databases

from flows.sandbox.postgres import Postgres


@pytest.fixture(scope="module")
def databases(postgres_server: Postgres, dbt_scratch: Path) -> Iterator[Databases]:
    """Both tables without a row, and a warehouse of the name that a parsed dbt project knows."""
    postgres_server.drop_database("flows")
    warehouse = postgres_server.create_database("flows")
    with (
        source_databases(postgres_server, warehouse) as databases,
        pytest.MonkeyPatch.context() as to,
    ):
        query(databases.crm, USERS)
        query(databases.telemetry, EVENTS)
        databases.lead(to)
        yield databases
    postgres_server.drop_database("flows")


@pytest.fixture(autouse=True)
def _on_these_databases(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's own settings are removed; those of the module are what it runs on."""
    databases.lead(monkeypatch)

"""Two source databases of a test beside its warehouse."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from raw_loads import query
from report_databases import EVENTS, USERS, Databases

from flows.sandbox.postgres import Postgres


@contextmanager
def source_databases(server: Postgres, warehouse: str) -> Iterator[Databases]:
    name = warehouse.rpartition("/")[2]
    databases = Databases(
        warehouse, *(server.create_database(f"{name}_{kind}") for kind in ("crm", "telemetry"))
    )
    try:
        yield databases
    finally:
        for kind in ("crm", "telemetry"):
            server.drop_database(f"{name}_{kind}")


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Databases], None]:
    """Set the variables so that imports read and write these databases."""

    def lead(databases: Databases) -> None:
        monkeypatch.setenv("DWH_DATABASE_URL", databases.warehouse)
        monkeypatch.setenv("CRM_DATABASE_URL", databases.crm)
        monkeypatch.setenv("TELEMETRY_DATABASE_URL", databases.telemetry)

    return lead


@pytest.fixture
def empty_sources(postgres_server: Postgres, database_url: str, lead_to) -> Iterator[Databases]:
    """Databases without a table."""
    with source_databases(postgres_server, database_url) as databases:
        lead_to(databases)
        yield databases


@pytest.fixture
def databases(empty_sources: Databases) -> Databases:
    """Both tables, without a row."""
    query(empty_sources.crm, USERS)
    query(empty_sources.telemetry, EVENTS)
    return empty_sources

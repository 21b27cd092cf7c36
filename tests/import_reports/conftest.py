"""Two source databases of a test beside its warehouse."""

from collections.abc import Iterator

import pytest
from raw_loads import query
from report_databases import EVENTS, USERS, Databases, source_databases

from flows.sandbox.postgres import Postgres


@pytest.fixture
def empty_sources(
    postgres_server: Postgres, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Databases]:
    """Databases without a table; every flow runs on them."""
    with source_databases(postgres_server, database_url) as databases:
        databases.lead(monkeypatch)
        yield databases


@pytest.fixture
def databases(empty_sources: Databases) -> Databases:
    """Both tables, without a row."""
    query(empty_sources.crm, USERS)
    query(empty_sources.telemetry, EVENTS)
    return empty_sources

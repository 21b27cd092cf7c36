"""One database and one parsed copy of the project for all tests here; each test finds it empty."""

from collections.abc import Iterator

import pytest
from warehouse import Project, Warehouse

from flows.sandbox.postgres import Postgres
from flows.warehouse.migrate import migrate


@pytest.fixture(scope="session")
def dbt_database_url(postgres_server: Postgres) -> Iterator[str]:
    # One name: a parsed project holds its database's, and parsing takes longer than building.
    url = postgres_server.create_database("dbt_project")
    migrate(url)
    yield url
    postgres_server.drop_database("dbt_project")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with the tests' own mapping; tests that edit one make a copy of their own."""
    return Project.copy(tmp_path_factory.mktemp("dbt") / "dbt_project")


@pytest.fixture
def warehouse(
    dbt_database_url: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """Schema raw without a row, and nothing built."""
    monkeypatch.setenv("DWH_DATABASE_URL", dbt_database_url)
    warehouse = Warehouse(dbt_database_url, project)
    warehouse.empty()
    return warehouse


@pytest.fixture
def statistics(warehouse: Warehouse) -> None:
    """Builds make schema product, too."""
    warehouse.has_statistics = True

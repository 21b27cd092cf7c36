"""`dbt source freshness` tells how old users and telemetry are."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from raw_loads import query
from report_databases import DAY, Databases, event

from flows.import_reports import import_sources
from flows.warehouse.dbt_build import DBT_PROJECT


def freshness() -> dict[str, str]:
    """Status of each source's table."""
    from dbt.cli.main import dbtRunner

    arguments = [
        *("source", "freshness", "--select", "source:crm", "source:telemetry", "--target", "prod"),
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--log-level", "none", "--log-level-file", "none"),
    ]
    with ThreadPoolExecutor(1) as alone:
        answer = alone.submit(dbtRunner().invoke, arguments).result()
    return {
        result.node.name: str(result.status)
        for result in answer.result.results
        if result.node.resource_type == "source"
    }


@pytest.mark.parametrize(
    ("saved", "imported", "telemetry", "crm"),
    [
        (timedelta(0), timedelta(0), "pass", "pass"),
        (timedelta(days=2), timedelta(0), "warn", "pass"),
        (timedelta(days=9), timedelta(days=2), "error", "warn"),
    ],
)
def test_old_sources_are_told(databases: Databases, saved, imported, telemetry: str, crm: str):
    """Users by the last import, telemetry by the newest event that was saved."""
    age = (datetime.now(UTC) - saved - DAY) / timedelta(hours=1)
    databases.set_events([event(1, 1, age, saved=age)])
    import_sources()
    query(
        databases.warehouse,
        "update raw.report_imports set finished_at = now() - %s, saved_up_to = case when"
        " import_id = (select max(import_id) from raw.report_imports) then saved_up_to end",
        imported,
    )
    assert freshness() == {"crm_users": crm, "telemetry_events": telemetry}

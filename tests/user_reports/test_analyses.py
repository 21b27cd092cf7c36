"""The questions that analysts start from are SQL that answers them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from report_databases import Databases, event

from flows.import_reports import import_sources
from flows.transform import build
from flows.warehouse.dbt_build import DBT_PROJECT, REPORTS

ANALYSES = sorted(path.stem for path in (DBT_PROJECT / "analyses").glob("*.sql"))
EVENTS = [
    event(1, 1, 0, kind="arm", duration=3_600_000, amplitude=1, frequency=10),
    event(2, 1, 1, kind="arm", duration=100, amplitude=4, frequency=None),
    event(3, 1, 800, kind="leg", duration=100, amplitude=None, frequency=30),
    event(4, 2, 1, kind="leg", duration=200, amplitude=2, frequency=31),
]
ANSWERS = {
    "number_of_users": [(3, 2)],
    "number_of_events": [(4, 2, date(2025, 1, 6), date(2025, 2, 8))],
    "events_of_user": [
        (EVENTS[at][7], kind, "biceps", *numbers)
        for at, kind, numbers in (
            (2, "leg", (30, 100, None)),
            (1, "arm", (None, 100, 4)),
            (0, "arm", (10, 3_600_000, 1)),
        )
    ],
    "events_by_month": [
        (date(2025, 1, 1), 3, 2, Decimal("1.00")),
        (date(2025, 2, 1), 1, 1, Decimal("0.00")),
    ],
    "means_by_prosthesis_type": [("arm", 2, Decimal("2.5"), 10), ("leg", 2, 2, Decimal("30.5"))],
    "report_of_user": [
        (1, "Peru", 40, date(2025, 1, 1), "arm", 2, 3_600_100, Decimal("2.5"), 10),
        (1, "Peru", 40, date(2025, 2, 1), "leg", 1, 100, None, 30),
    ],
    "most_active_users": [
        (1, "Peru", 40, 3, 2, Decimal("1.00")),
        (2, "Peru", 40, 1, 1, Decimal("0.00")),
    ],
    "events_by_muscle_group": [
        ("biceps", "arm", 2, 1, Decimal("1800050.0")),
        ("biceps", "leg", 2, 2, Decimal("150.0")),
    ],
}


@pytest.fixture(scope="module")
def compiled(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SQL of each analysis, as `dbt compile` writes it."""
    from dbt.cli.main import dbtRunner

    databases.set_users([1, 2, 3], country="Peru")
    databases.set_events(EVENTS)
    import_sources()
    build(REPORTS)
    target = tmp_path_factory.mktemp("compiled")
    arguments = [
        *("compile", "--select", "resource_type:analysis", "--target-path", str(target)),
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--log-level", "none", "--log-level-file", "none", "--target", "prod"),
    ]
    with ThreadPoolExecutor(1) as alone:
        answer = alone.submit(dbtRunner().invoke, arguments).result()
    assert answer.success, answer.exception
    return target / "compiled" / "dwh_helper" / "analyses"


def test_there_are_eight_and_each_is_described() -> None:
    """One file each, and one entry in the YAML beside them."""
    assert sorted(ANSWERS) == ANALYSES
    described = (DBT_PROJECT / "analyses" / "_analyses.yml").read_text()
    assert [name for name in ANALYSES if f"name: {name}," in described] == ANALYSES
    assert len(ANALYSES) == 8


@pytest.mark.parametrize("name", ANALYSES)
def test_an_analysis_answers_its_question(databases: Databases, compiled: Path, name: str):
    """Run as it is compiled, without anything set: it speaks of user 1 where it needs one."""
    with psycopg.connect(databases.warehouse) as connection:
        answer = connection.execute((compiled / f"{name}.sql").read_bytes()).fetchall()
    assert answer == ANSWERS[name]

"""What stands where after the pipeline: archives, loads, models, the two property tables."""

import psycopg
from psycopg import sql

from flows.lake.bucket import open_bucket
from flows.lake.listing import list_objects
from flows.pipeline import PipelineResult
from flows.sandbox.demo.screen import Screen
from flows.sandbox.servers import psql
from flows.warehouse.landing import LANDINGS

PEOPLE = 3

BOTH_VENDORS = """
    select
        source,
        (select count(*) from dwh.events_part as t where t.source = sources.source),
        (select count(*) from dwh.sessions as t where t.source = sources.source),
        (select count(*) from dwh.mobile_devices as t where t.source = sources.source),
        (
            select count(*) from dwh.changeable_user_properties_history as t
            where t.source = sources.source
        )
    from (select distinct source from dwh.events_part) as sources
    order by source
"""


def show(screen: Screen, url: str, result: PipelineResult) -> None:
    """Print the summary of a pipeline run."""
    _show_archives(screen, url)
    _show_sources(screen, url)
    built = result.transform
    screen.act(
        f"dbt build: {built.models} models built, {built.tests} tests passed, {built.seconds:.1f} s"
    )
    for name in ("permanent_user_properties", "changeable_user_properties"):
        _show_people(screen, url, name)


def _show_archives(screen: Screen, url: str) -> None:
    """Each folder of archives in S3 with what the ledger says of it."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select file_key, sum(row_count)::bigint from raw.loads"
            " where status = 'loaded' group by file_key"
        ).fetchall()
    loaded: dict[str, int] = dict(rows)
    folders: dict[str, list[int]] = {}
    for landing in LANDINGS.values():
        for key, version in list_objects(open_bucket(), landing.prefix).items():
            if landing.takes(key):
                sums = folders.setdefault(key.rpartition("/")[0], [0, 0, 0])
                for at, value in enumerate((1, version.size_bytes, loaded.get(key, 0))):
                    sums[at] += value
    screen.act("Archives in S3, and their rows in raw:")
    screen.table(
        [(folder, count, size // 1000, rows) for folder, (count, size, rows) in folders.items()],
        header=("folder", "archives", "kB", "rows loaded"),
    )


def _show_sources(screen: Screen, url: str) -> None:
    """Both vendors side by side, in the tables where they meet."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(BOTH_VENDORS).fetchall()
    screen.act("Both vendors in one table each:")
    screen.table(rows, header=("source", "events", "sessions", "devices", "patients' history"))


def _show_people(screen: Screen, url: str, table: str) -> None:
    """The first people of a property table, one column each: the tables are wide."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(
            sql.SQL("select * from {} where ehr_id is not null order by ehr_id limit {}").format(
                sql.Identifier("dwh", table), sql.Literal(PEOPLE)
            )
        )
        names = [column.name for column in cursor.description or ()]
        people = cursor.fetchall()
        (count,) = connection.execute(
            sql.SQL("select count(*) from {}").format(sql.Identifier("dwh", table))
        ).fetchone() or (0,)
    screen.act(f"dwh.{table}: {count:,} rows, the first {len(people)} of them as columns:")
    screen.table(
        [(name, *(_text(person[at]) for person in people)) for at, name in enumerate(names)]
    )


def _text(value: object) -> object:
    """A value as text, numbers too: a column of the screen holds all types. A uuid fits just."""
    return value if value is None or isinstance(value, bool) else str(value)[:36]


def show_where_to_look(screen: Screen, url: str, prefect_url: str) -> None:
    """Commands that go on from here."""
    screen.act(
        "Where to look next: `make serve` starts the same servers again, until Ctrl-C. Then:"
    )
    screen.line(f"  Prefect UI  {prefect_url}")
    screen.line(f"  SQL         {psql(url)}")
    screen.line(f"  dbt         cd dbt_project && DWH_DATABASE_URL={url} ../.venv/bin/dbt build")

"""From a CSV of events to the active users of each day, against inserting it in batches.

    python -m benchmarks.dau [--events 100000] [--rounds 5]      (make bench-dau)

Each way starts from an empty database and ends with the active users of each of 30 days, which must
be those that plain Python counts. Ours: `import_events` (checks, archive in S3, ledger, COPY, known
ids), `transform` (every table there is, with the gate and the tests) and `report_dau`. The others:
batches of 1,000 `insert … values … on conflict do nothing` into one bare table with the same five
columns, through SQLAlchemy and through psycopg's pipelined `executemany`, and one query. A round
takes the ways in turn on an embedded PostgreSQL (durability off there); medians of the rounds. Each
import and each build is a process of its own, whose peak memory holds its imports too; the seconds
begin behind those. One row in fifty is sent twice. Writes benchmarks/results/dau.json.
"""

import argparse
import csv
import os
import random
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.figures import Figure, figure, report
from benchmarks.new_process import in_new_process, peak_mb
from flows.event_files.event_line import COLUMNS

# What is imported here is in the memory of every way.
if TYPE_CHECKING:
    from flows.sandbox.postgres import Postgres
    from flows.sandbox.s3 import S3Server

FIRST_DAY = date(2025, 1, 6)
DAYS = 30
USERS = 5_000
REPEAT_EVERY = 50
BATCH_ROWS = 1_000

#: What issue 7 asks of the import: times as fast.
AIM_SQLALCHEMY, AIM_EXECUTEMANY = 12, 1.6

TABLE = """
create table events (
    event_id uuid primary key,
    occurred_at timestamptz not null,
    user_id text,
    event_type text not null,
    properties json
);
create index on events (occurred_at);
create index on events (user_id);
"""
INSERT = (
    "insert into events (event_id, occurred_at, user_id, event_type, properties)"
    " values (%s, %s, %s, %s, %s) on conflict do nothing"
)
COUNT = """
select
    (occurred_at at time zone 'UTC')::date as day,
    count(distinct user_id) as active_users
from events
group by 1
"""

#: Active users of each day.
Dau = dict[date, int]
#: Seconds and peaks of memory (MB) of one way, by what they are of.
Costs = dict[str, float]


def events(count: int) -> Iterator[tuple[str, ...]]:
    """Rows of the file, in the order of COLUMNS, the same each time."""
    draw = random.Random(5)
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day)
    row: tuple[str, ...] = ()
    for number in range(count):
        if number % REPEAT_EVERY != REPEAT_EVERY - 1:
            moment = start + timedelta(seconds=number * DAYS * 86_400 / count)
            row = (
                str(uuid.UUID(int=draw.getrandbits(128))),
                f"{moment.isoformat(' ', 'milliseconds')}+00:00",
                # some come every day, most now and then
                f"user-{int(USERS * draw.random() ** 3)}",
                draw.choice(("opened", "closed", "paid", "searched", "shared")),
                f'{{"screen": "screen {number % 12}", "duration": {number % 1000}}}',
            )
        yield row


def write_file(path: Path, count: int) -> Dau:
    """The CSV; returns what is to come out, counted on the way."""
    users = defaultdict(set)
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for row in events(count):
            rows.writerow(row)
            users[date.fromisoformat(row[1][:10])].add(row[2])
    return {day: len(found) for day, found in users.items()}


def batches(path: Path) -> Iterator[list[list[str]]]:
    """The rows of the file as the plain ways read them."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch


def import_ours(path: Path, count: int) -> Costs:
    """Migrations and import."""
    from flows.import_events import import_file
    from flows.settings import Dwh
    from flows.warehouse.migrate import migrate

    costs = {"migrations": seconds_of(lambda: migrate(Dwh.load().database_url.get_secret_value()))}
    results = []
    costs["import"] = seconds_of(lambda: results.append(import_file(path)))
    result = results[0]
    repeats = count // REPEAT_EVERY
    assert (result.rows, result.inserted, result.duplicates) == (count, count - repeats, repeats)
    return costs | {"import, MB": peak_mb()}


def count_ours() -> tuple[Costs, Dau]:
    """Build and report."""
    import dbt.cli.main  # noqa: F401 - seconds of importing are not those of building

    from flows.report_dau import count_active_users
    from flows.transform import build

    costs = {"transform": seconds_of(build)}
    last_day = FIRST_DAY + timedelta(days=DAYS - 1)
    reports = []
    costs["DAU"] = seconds_of(lambda: reports.append(count_active_users(FIRST_DAY, last_day)))
    found = {day.day: day.active_users for day in reports[0].days if day.source == "all"}
    return costs | {"transform, MB": peak_mb()}, found


def insert_by_sqlalchemy(url: str, path: Path) -> Costs:
    """One statement of many rows a batch, each batch committed."""
    import sqlalchemy as sa
    from sqlalchemy.dialects.postgresql import JSON, UUID, insert

    types = (UUID(as_uuid=False), sa.DateTime(timezone=True), sa.Text, sa.Text, JSON)
    columns = [sa.Column(*column) for column in zip(COLUMNS, types, strict=True)]
    table = sa.Table("events", sa.MetaData(), *columns)
    # texts go as they stand in the file, which spares it work
    address = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sa.create_engine(address, json_serializer=str)

    def work() -> None:
        for batch in batches(path):
            values = [dict(zip(COLUMNS, row, strict=True)) for row in batch]
            with engine.begin() as connection:
                connection.execute(insert(table).values(values).on_conflict_do_nothing())
        engine.dispose()

    return {"import": seconds_of(work), "import, MB": peak_mb()}


def insert_by_executemany(url: str, path: Path) -> Costs:
    """One statement a row, pipelined, each batch committed."""

    def work() -> None:
        with psycopg.connect(url) as connection:
            for batch in batches(path):
                connection.cursor().executemany(INSERT, batch)
                connection.commit()

    return {"import": seconds_of(work), "import, MB": peak_mb()}


def count_plainly(url: str) -> tuple[Costs, Dau]:
    """One query over the bare table."""
    with psycopg.connect(url) as connection:
        rows: list[Any] = []
        seconds = seconds_of(lambda: rows.extend(connection.execute(COUNT)))
    return {"DAU": seconds}, dict(rows)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Round:
    """The ways in turn, each in a fresh database and, ours, with a fresh bucket."""

    def __init__(self, postgres: "Postgres", s3: "S3Server", path: Path, count: int) -> None:
        self.postgres, self.s3, self.path, self.count = postgres, s3, path, count

    def fresh(self, statement: str) -> str:
        """The URL of an empty database; no way pays for pages that another one wrote."""
        self.postgres.drop_database("benchmark")
        url = self.postgres.create_database("benchmark")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
            connection.execute("checkpoint")
        return url

    def ours(self, number: int) -> tuple[Costs, Dau]:
        """import_events, transform, report_dau."""
        url = self.fresh("")
        bucket = self.s3.create_bucket(f"round-{number}")
        os.environ |= self.s3.variables(bucket.name) | {"DWH_DATABASE_URL": url}
        costs = in_new_process(import_ours, self.path, self.count)
        more, found = in_new_process(count_ours)
        return costs | more, found

    def plain(self, insert: Callable[[str, Path], Costs]) -> tuple[Costs, Dau]:
        """Batches, and one query."""
        url = self.fresh(TABLE)
        costs = in_new_process(insert, url, self.path)
        more, found = count_plainly(url)
        return costs | more, found


def main() -> None:
    """Measure, print a table, write the results."""
    from flows.sandbox.postgres import Postgres
    from flows.sandbox.s3 import S3Server

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-dau-") as name,
        tempfile.TemporaryDirectory(prefix="benchmark-postgres-") as server,
    ):
        Path(server).chmod(0o755)
        path = Path(name) / "events.csv"
        expected = write_file(path, options.events)
        os.environ["DBT_TARGET_PATH"] = str(Path(name) / "target")
        with Postgres(Path(server) / "server") as postgres, S3Server(Path(name) / "s3") as s3:
            one_round = Round(postgres, s3, path, options.events)
            rounds: dict[str, list[Costs]] = {"ours": [], "SQLAlchemy": [], "executemany": []}
            for number in range(options.rounds):
                for way, (costs, found) in (
                    ("ours", one_round.ours(number)),
                    ("SQLAlchemy", one_round.plain(insert_by_sqlalchemy)),
                    ("executemany", one_round.plain(insert_by_executemany)),
                ):
                    assert found == expected, f"{way} counts other users in round {number}"
                    rounds[way].append(costs)
    costs = {way: medians(of_rounds) for way, of_rounds in rounds.items()}
    report("dau", figures_of(costs, options.events))


def medians(rounds: list[Costs]) -> Costs:
    """Of each cost the median of all rounds."""
    return {name: statistics.median(costs[name] for costs in rounds) for name in rounds[0]}


def figures_of(costs: dict[str, Costs], count: int) -> list[Figure]:
    """Every ratio is to import_events, or to our whole way: how many times it takes."""
    ours, sqlalchemy, executemany = costs["ours"], costs["SQLAlchemy"], costs["executemany"]

    def beside(name: str, other: Costs, cost: str, aim: float | None = None) -> Figure:
        ratio = other[cost] / ours[cost]
        holds = None if aim is None else ratio >= aim
        unit = "MB peak" if cost.endswith("MB") else "s"
        return figure(name, other[cost], unit, ratio=ratio, aim=aim, holds=holds)

    for way in costs.values():
        way["in all"] = sum(seconds for name, seconds in way.items() if not name.endswith("MB"))
    return [
        figure(f"import_events of {count:,} rows", ours["import"], "s"),
        beside("batches through SQLAlchemy", sqlalchemy, "import", AIM_SQLALCHEMY),
        beside("batches through executemany", executemany, "import", AIM_EXECUTEMANY),
        figure("migrations of the empty database", ours["migrations"], "s"),
        figure("transform of all tables", ours["transform"], "s"),
        figure("report_dau", ours["DAU"], "s"),
        beside("count(distinct) over the bare table", executemany, "DAU"),
        figure("file to DAU: ours, all of that", ours["in all"], "s"),
        beside("file to DAU: SQLAlchemy and a query", sqlalchemy, "in all"),
        beside("file to DAU: executemany and a query", executemany, "in all"),
        figure("memory of import_events", ours["import, MB"], "MB peak"),
        beside("memory of batches through SQLAlchemy", sqlalchemy, "import, MB"),
        beside("memory of batches through executemany", executemany, "import, MB"),
        figure("memory of transform", ours["transform, MB"], "MB peak"),
    ]


if __name__ == "__main__":
    main()

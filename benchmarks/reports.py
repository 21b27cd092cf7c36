"""Users and telemetry from server to server, and the report of one user, against bare COPY.

    python -m benchmarks.reports [--events 1000000] [--rounds 5] [--large 10000000]

(`make bench-reports`.) Import: `import_sources` of all (columns checked, days counted, users
compared, orphans parted, one transaction) into a migrated warehouse without a row, against `psql -c
"copy … to stdout" | psql -c "copy … from stdin"` of both tables between the same databases, into
bare tables of the same columns: in text, which is what one writes, and in binary, the least there
is. In turn, medians of the rounds, each into a fresh database, on an embedded PostgreSQL
(durability off).

Report: the tables of reports are built of --events and of --large events; reports of random users
and spans of time are then asked of the server (planning and execution of all their statements, by
its own clock). Writes benchmarks/results/reports.json.
"""

import argparse
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.figures import AIM_GROWTH, Figure, figure, report
from benchmarks.new_process import in_new_process, peak_mb

if TYPE_CHECKING:
    from flows.sandbox.postgres import Postgres

USERS, LENGTH = 5_000, timedelta(days=365)
AIM_IMPORT, AIM_REPORT_MS = 0.85, 50
REPORTS = 100

BARE = """
create table users (
    user_id integer, user_uuid uuid, name text, email text, age integer, gender text, country text,
    address text, phone text, registration_ts timestamptz, registered_at timestamptz
);
create table telemetry_events (
    id bigint, user_id integer, prosthesis_type text, muscle_group text, signal_frequency integer,
    signal_duration integer, signal_amplitude double precision, event_timestamp timestamptz,
    saved_ts timestamptz
)
"""
USER_COLUMNS = (
    "user_id, user_uuid, name, email, age, gender, country, address, phone, registration_ts,"
    " registered_at"
)


def import_ours() -> tuple[float, float]:
    """Seconds and peak memory (MB, imports included) of an import into the empty warehouse."""
    from flows.import_reports import import_sources

    started = time.perf_counter()
    import_sources()
    return time.perf_counter() - started, peak_mb()


def build_reports() -> float:
    """Seconds of building schema reports."""
    import dbt.cli.main  # noqa: F401 - seconds of importing are not those of building

    from flows.transform import build
    from flows.warehouse.dbt_build import REPORTS

    started = time.perf_counter()
    build(REPORTS)
    return time.perf_counter() - started


def seconds_of(work: Callable[[], object]) -> float:
    """Wall seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def sources(postgres: "Postgres", events: int) -> None:
    """Fresh source databases; the variables lead to them."""
    from flows.sandbox import prostheses

    for name in (prostheses.CRM, prostheses.TELEMETRY):
        postgres.drop_database(name)
    urls = [postgres.create_database(name) for name in (prostheses.CRM, prostheses.TELEMETRY)]
    size = prostheses.Prostheses(users=USERS, orphans=50, events=events, length=LENGTH)
    prostheses.invent(*urls, size)
    os.environ |= {"CRM_DATABASE_URL": urls[0], "TELEMETRY_DATABASE_URL": urls[1]}
    execute(urls[1], "vacuum analyze")


def fresh(postgres: "Postgres", statements: str = "") -> str:
    """The URL of an empty database; no way pays for pages that another one wrote."""
    postgres.drop_database("benchmark")
    url = postgres.create_database("benchmark")
    os.environ["DWH_DATABASE_URL"] = url
    execute(url, statements, "checkpoint")
    return url


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def copy_bare(url: str, form: str) -> None:
    """Both tables by psql and a pipe."""
    from flows.sandbox.postgres import find_binaries

    psql = f"'{find_binaries().folder / 'psql'}' -X -q"
    for source, table, columns in (
        ("CRM_DATABASE_URL", "users", f"({USER_COLUMNS})"),
        ("TELEMETRY_DATABASE_URL", "telemetry_events", ""),
    ):
        pipe = (
            f"{psql} ${source} -c 'copy {table} {columns} to stdout (format {form})'"
            f" | {psql} {url} -c 'copy {table} {columns} from stdin (format {form})'"
        )
        subprocess.run(["bash", "-o", "pipefail", "-c", pipe], check=True)


def import_figures(postgres: "Postgres", events: int, rounds: int) -> list[Figure]:
    """Rows per second of each way, in turn."""
    from flows.warehouse.migrate import migrate

    seconds: dict[str, list[float]] = {"ours": [], "text": [], "binary": []}
    peaks = []
    sources(postgres, events)
    for _ in range(rounds):
        url = fresh(postgres)
        migrate(url)
        taken, peak = in_new_process(import_ours)
        seconds["ours"].append(taken)
        peaks.append(peak)
        for form in ("text", "binary"):
            url = fresh(postgres, BARE)
            seconds[form].append(seconds_of(lambda: copy_bare(url, form)))  # noqa: B023
    median = {way: statistics.median(found) for way, found in seconds.items()}
    rate = {way: events / found for way, found in median.items()}
    ratio = median["text"] / median["ours"]
    return [
        figure("psql, copy | copy in text, bare tables", rate["text"], "rows/s"),
        figure(
            f"import_reports of {events:,} events",
            rate["ours"],
            "rows/s",
            ratio=ratio,
            aim=f"ratio >= {AIM_IMPORT} to psql",
            holds=ratio >= AIM_IMPORT,
        ),
        figure(
            "… to psql in binary, which nothing beats",
            rate["binary"],
            "rows/s",
            ratio=median["binary"] / median["ours"],
        ),
        figure("… peak memory of the process", statistics.median(peaks), "MB peak"),
    ]


def report_milliseconds(url: str) -> list[float]:
    """Of each of some reports: what the server needed for all its statements."""
    from flows.sandbox.prostheses import Prostheses
    from flows.user_reports.span import Span

    numbers = random.Random(4)
    start = Prostheses().start
    found = []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(REPORTS):
            edges = sorted(start + LENGTH * numbers.random() for _ in range(2))
            span = Span(*(edge.replace(microsecond=0) for edge in edges))
            found.append(server_milliseconds(connection, numbers.randint(1, USERS), span))
    return found


def server_milliseconds(connection: psycopg.Connection, user_id: int, span: object) -> float:
    """Planning and execution of the statements of a report, by the server's own clock."""
    from flows import report_user
    from flows.user_reports import figures

    values = {"user_id": user_id, "taken": 2**62} | span.parameters()
    total = 0.0
    for statement in (figures._MARKS, report_user._USER, report_user._BOUNDS, report_user._FIGURES):
        lines = connection.execute(f"explain (analyze, summary) {statement}", values).fetchall()
        total += sum(float(text.split()[2]) for (text,) in lines if " Time: " in text)
    return total


def report_figures(postgres: "Postgres", sizes: tuple[int, int]) -> list[Figure]:
    """Milliseconds of a report over the smaller and the larger telemetry."""
    from flows.warehouse.migrate import migrate

    lines, medians, peaks = [], [], []
    for events in sizes:
        sources(postgres, events)
        url = fresh(postgres)
        migrate(url)
        imported, peak = in_new_process(import_ours)
        peaks.append(peak)
        built = in_new_process(build_reports)
        execute(url, "vacuum analyze")
        milliseconds = report_milliseconds(url)
        medians.append(statistics.median(milliseconds))
        large = events == sizes[-1]
        lines += [
            figure(f"import of {events:,} events", imported, "s"),
            figure(f"building schema reports of {events:,} events", built, "s"),
            figure(
                f"report of one user, {events:,} events, median",
                medians[-1],
                "ms",
                ratio=medians[-1] / medians[0] if large else None,
                aim=f"under {AIM_REPORT_MS} ms" if large else None,
                holds=medians[-1] < AIM_REPORT_MS if large else None,
            ),
            figure(f"… the slowest of {REPORTS}", max(milliseconds), "ms"),
        ]
    growth = peaks[-1] / peaks[0]
    lines.append(
        figure(
            f"peak memory of the import of {sizes[-1]:,} events",
            peaks[-1],
            "MB peak",
            ratio=growth,
            aim=f"ratio <= {AIM_GROWTH} to {sizes[0]:,}",
            holds=growth <= AIM_GROWTH,
        )
    )
    return lines


def main() -> None:
    """Measure, print a table, write the results."""
    from flows.sandbox.postgres import Postgres

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-dbt-") as target,
        tempfile.TemporaryDirectory(prefix="benchmark-postgres-") as server,
    ):
        Path(server).chmod(0o755)
        os.environ["DBT_TARGET_PATH"] = target
        with Postgres(Path(server) / "server") as postgres:
            lines = import_figures(postgres, options.events, options.rounds)
            lines += report_figures(postgres, (options.events, options.large))
    report("reports", lines)


if __name__ == "__main__":
    main()

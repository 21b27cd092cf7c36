"""reconcile: does every archived event stand in the tables once, or is it known why not?

The numbers are those of the dbt model `audit.reconciliation`; this flow has them counted, shows
them, and fails where they do not add up.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from psycopg.rows import class_row

from flows.errors import BadRequest, BuildFailed, NotReconciled
from flows.lake.bucket import Bucket, open_bucket
from flows.reconciliation_calendar import as_calendar
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import Dwh
from flows.warehouse import window_ledger
from flows.warehouse.connection import connect, warehouse_errors
from flows.warehouse.dbt_build import RECONCILIATION, run_build
from flows.warehouse.landing import LANDINGS
from flows.warehouse.migrate import migrate
from flows.warehouse.window_ledger import Gap
from flows.window_sync import sync_windows
from flows.windows import parse_day

log = logging.getLogger(__name__)

#: Verdicts that no later load or build puts right by itself.
FAILING = ("hole", "surplus")
#: Newest days of the table artifact, beside all that is not complete: a page, not a book.
_SHOWN_ROWS = 200

_READ = """
select
    source,
    table_name as "table",
    day,
    verdict,
    reasons,
    events_archived,
    rows_loaded,
    rows_in_marts,
    duplicates_removed,
    rows_held_back,
    rows_withdrawn,
    rows_without_mart,
    rows_not_loaded,
    rows_missing,
    rows_surplus
from audit.reconciliation
where day is null
    or (day >= coalesce(%(since)s, day) and day between coalesce(%(start)s, day)
        and coalesce(%(end)s, day))
order by source, table_name, day
"""


@dataclass(frozen=True, slots=True)
class ReconciledDay:
    """One row of audit.reconciliation, whose columns say what each number counts.

    day: None for rows that belong to no archived line.
    """

    source: str
    table: str
    day: date | None
    verdict: str
    reasons: str
    events_archived: int
    rows_loaded: int
    rows_in_marts: int
    duplicates_removed: int
    rows_held_back: int
    rows_withdrawn: int
    rows_without_mart: int
    rows_not_loaded: int
    rows_missing: int
    rows_surplus: int

    def __str__(self) -> str:
        name = " ".join(filter(None, (self.source, self.table)))
        return f"{name} {self.day or 'of no archived day'}: {self.verdict}: {self.reasons}"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Every day that was looked at; gaps: empty hours and days between busy ones, an alarm."""

    days: tuple[ReconciledDay, ...]
    gaps: tuple[Gap, ...]

    @property
    def failures(self) -> tuple[ReconciledDay, ...]:
        """Days with a hole or a surplus."""
        return tuple(day for day in self.days if day.verdict in FAILING)

    def __str__(self) -> str:
        counts = Counter(day.verdict for day in self.days)
        return ", ".join(f"{verdict}: {count}" for verdict, count in sorted(counts.items()))


@flow(
    name="reconcile",
    flow_run_name=named_by_days("all days"),
    description="Counts archive, raw tables and marts against each other, day by day.",
    retries=0,
    persist_result=False,
)
def reconcile(
    start: date | str | int | None = None, end: date | str | int | None = None
) -> Reconciliation:
    """Show that every archived event stands in the tables once, or why not.

    Args:
        start: First day to look at, of the archive; by default the first there is.
        end: Last day, inclusive; by default the last there is.

    Raises NotReconciled where a day has a hole or a surplus, BadRequest, MissingSetting,
    ArchiveFailed, WarehouseFailed, WarehouseBusy, BuildFailed. What waits for a load or a build, is
    held back by the gate or was withdrawn is shown with its reason, and is no failure.
    """
    found = count_days(start, end, say=run_log().info)
    show(found)
    for gap in found.gaps:
        run_log().warning("%s", gap)
    run_log().info("%s", found)
    demand_reconciled(found)
    return found


def count_days(
    start: date | str | int | None = None,
    end: date | str | int | None = None,
    *,
    bucket: Bucket | None = None,
    say: Callable[..., None] = log.info,
) -> Reconciliation:
    """Bring the ledger up to the archive, have dbt count, and read the counts; without Prefect."""
    first = None if start is None else parse_day(start)
    last = None if end is None else parse_day(end)
    if first is not None and last is not None and last < first:
        raise BadRequest(f"end {last} is before start {first}")
    dwh = Dwh.load()
    url = dwh.database_url.get_secret_value()
    bucket = bucket or open_bucket()
    migrate(url)
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        for source, landing in LANDINGS.items():
            if landing.has_windows:
                sync_windows(connection, bucket, source)
    failed = [
        node.name
        for node in run_build(RECONCILIATION, settings=dwh, say=say)
        if node.status not in ("success", "pass")
    ]
    if failed:
        raise BuildFailed(
            f"dbt failed in {', '.join(failed)}: has everything been built once?",
            nodes=tuple(failed),
        )
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        span = {"start": first, "end": last, "since": dwh.complete_since}
        with connection.cursor(row_factory=class_row(ReconciledDay)) as cursor:
            days = tuple(cursor.execute(_READ, span))
        since = max(first or date.min, dwh.complete_since or date.min)
        return Reconciliation(days, tuple(window_ledger.gaps(connection, since)))


def demand_reconciled(found: Reconciliation) -> None:
    """Raise NotReconciled where there is a hole or a surplus."""
    if found.failures:
        raise NotReconciled([str(day) for day in found.failures])


def show(found: Reconciliation) -> None:
    """The numbers as a table and as a calendar, on the run's page."""
    newest = sorted(
        found.days,
        key=lambda day: (day.verdict != "complete", day.day or date.max),
        reverse=True,
    )[:_SHOWN_ROWS]
    create_table_artifact(
        key="reconciliation",
        table=[asdict(day) | {"day": str(day.day or "")} for day in newest],
        description=f"Archive, raw tables and marts, day by day. {found}",
    )
    create_markdown_artifact(
        key="reconciliation-calendar",
        markdown=as_calendar(
            (
                (day.source, day.table, day.day, day.verdict, day.events_archived)
                for day in found.days
            ),
            [str(gap) for gap in found.gaps],
        ),
    )

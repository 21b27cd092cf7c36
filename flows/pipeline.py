"""pipeline: export and load every source side by side, then transform once."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, TypeVar

from prefect import flow, task
from prefect.futures import PrefectFuture
from pydantic import Field

from flows import export_amplitude, export_appmetrica
from flows.errors import BadRequest, DwhHelperError, Interrupted, SourcesFailed
from flows.export_amplitude import export_days
from flows.export_appmetrica import export_tables
from flows.export_progress import PrefectProgress
from flows.load_progress import PrefectLoadProgress
from flows.load_raw import LoadResult, load_archives
from flows.missing_windows import LOOKBACK, plan_export
from flows.run_log import run_log
from flows.run_name import named_by_days
from flows.settings import S3, AppMetrica, Dwh
from flows.stopping import stoppable
from flows.transform import TransformResult, build, show_interruption, show_nodes
from flows.vendors.amplitude_wire import READY_AFTER
from flows.warehouse import window_ledger
from flows.warehouse.connection import connect, warehouse_errors
from flows.warehouse.migrate import migrate
from flows.warehouse.window_ledger import Gap
from flows.windows import parse_day

ExportResult = export_amplitude.ExportResult | export_appmetrica.ExportResult
#: Source -> what archives its days, called with the first and the last one, and what to ask again.
EXPORTS: dict[str, Callable[..., ExportResult]] = {
    "amplitude_web": partial(export_days, source="web"),
    "amplitude_mobile": partial(export_days, source="mobile"),
    "appmetrica": export_tables,
}
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """A run in which everything went through. exports, loads: one for each source, in its order.

    start, end: the days that were looked at; without a start, also those before it that the ledger
    of windows knows to be missing or due again. gaps: empty hours or days between busy ones.
    """

    start: date
    end: date
    exports: tuple[ExportResult, ...]
    loads: tuple[LoadResult, ...]
    transform: TransformResult
    gaps: tuple[Gap, ...] = ()


@flow(
    name="pipeline",
    flow_run_name=named_by_days("what is missing"),
    description="Exports and loads all sources, then builds all tables.",
    persist_result=False,
)
def pipeline(
    start: date | str | int | None = None,
    end: date | str | int | None = None,
    sources: Sequence[Annotated[str, Field(json_schema_extra={"enum": list(EXPORTS)})]]
    | None = None,
) -> PipelineResult:
    """Bring the warehouse up to date.

    Args:
        start: First day (UTC). By default the last 14 closed days, every earlier one that the
            archive lacks, and those that came empty or young and are due to be asked again.
        end: Last day, inclusive; by default the last closed one.
        sources: Which sources to export and load; the tables are built from all there are. By
            default both Amplitude projects, and AppMetrica once any of its settings is there.

    A source that fails does not stop the others: what arrived is transformed, then SourcesFailed
    names each failed source with its error. Raises Interrupted when only the gate stops the run,
    BadRequest.
    """
    # What is missing is said now, not after hours of export.
    Dwh.load()
    S3.load()
    sources = usual_sources() if sources is None else sources
    first, last = span(start, end, sources)
    run_log().info("days %s to %s of %s", first or "missing up", last, ", ".join(sources))
    errors: dict[str, BaseException] = {}
    with stoppable():
        exported = {source: export_source.submit(source, first, last) for source in sources}
        loaded = {
            source: load_source.submit(source, return_state=False, wait_for=[exported[source]])
            for source in sources
        }
        exports = [_result(source, exported[source], errors) for source in sources]
        loads = [
            None if source in errors else _result(source, loaded[source], errors)
            for source in sources
        ]
    looked_at = first or last - LOOKBACK + timedelta(days=1)
    gaps = find_gaps(looked_at)
    try:
        transformed = transform_all()
    except DwhHelperError as error:
        if not errors:
            raise
        errors["transform"] = error
    if errors:
        raise SourcesFailed(errors)
    return PipelineResult(
        looked_at,
        last,
        tuple(result for result in exports if result is not None),
        tuple(result for result in loads if result is not None),
        transformed,
        gaps,
    )


@task(task_run_name="export-{source}")
def export_source(source: str, start: date | None, end: date) -> ExportResult:
    """Archive the days of one source; without a start, what the ledger of windows says."""
    again: Collection[tuple[str, date]] = ()
    if start is None:
        plan = plan_export(source, end)
        run_log().info("%s: %s", source, plan)
        start, again = plan.first, plan.again
    with PrefectProgress(f"export-{source.replace('_', '-')}") as progress:
        return EXPORTS[source](start, end, again=again, progress=progress.tell)


@task(task_run_name="load-{source}")
def load_source(source: str) -> LoadResult:
    """Load what the archive of one source has and raw lacks."""
    progress = PrefectLoadProgress(f"load-{source.replace('_', '-')}")
    return load_archives(source, on_progress=progress.tell, say=run_log().info)


@task(task_run_name="transform")
def transform_all() -> TransformResult:
    """Build all tables. No time-out and no retries: dbt's threads would outlive them."""
    try:
        return build(say=run_log().info, show=show_nodes)
    except Interrupted as report:
        show_interruption(report)
        raise


def usual_sources() -> list[str]:
    """Those that a company has: AppMetrica only where it is set up, be it in part."""
    return [source for source in EXPORTS if source != "appmetrica" or AppMetrica.is_set_up()]


def span(
    start: date | str | int | None,
    end: date | str | int | None,
    sources: Sequence[str],
    now: datetime | None = None,
) -> tuple[date | None, date]:
    """The days to export, both inclusive; without a start each source has a plan of its own.

    Without an end: the last day whose every hour Amplitude has ready. Raises BadRequest.
    """
    unknown = [source for source in sources if source not in EXPORTS]
    if unknown or not sources:
        raise BadRequest(f"unknown sources {unknown}: choose from {', '.join(EXPORTS)}")
    now = now or datetime.now(UTC)
    # A day is closed when its last hour is ready.
    closed = (now + timedelta(hours=1) - READY_AFTER).date() - timedelta(days=1)
    last = closed if end is None else parse_day(end)
    if last > now.date():
        raise BadRequest(f"{last} is in the future: today is {now.date()} (UTC)")
    first = None if start is None else parse_day(start)
    if first is not None and last < first:
        raise BadRequest(f"end {last} is before start {first}")
    return first, last


def find_gaps(since: date) -> tuple[Gap, ...]:
    """Empty hours and days between busy ones, each told as a warning: is data missing there?"""
    url = Dwh.load().database_url.get_secret_value()
    migrate(url)
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        gaps = tuple(window_ledger.gaps(connection, since))
    for gap in gaps:
        run_log().warning("%s", gap)
    return gaps


def _result(
    source: str, future: PrefectFuture[Result], errors: dict[str, BaseException]
) -> Result | None:
    """What a task returned; its error goes to the list, so that the other sources go on."""
    result = future.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        errors[source] = result
        return None
    return result

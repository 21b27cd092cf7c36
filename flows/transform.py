"""transform: `dbt build` of production, and the report when the gate holds data back."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.errors import BadRequest, BuildFailed, Interrupted
from flows.run_log import run_log
from flows.settings import Dwh
from flows.warehouse.dbt_build import GATE, NodeOutcome, run_build
from flows.warehouse.interruption import failed_tests, interruption

log = logging.getLogger(__name__)
_BAD = {"error", "fail", "runtime error"}


@dataclass(frozen=True, slots=True)
class TransformResult:
    """A build that went through. nodes: every model, test and hook with its time and rows."""

    nodes: tuple[NodeOutcome, ...]
    seconds: float
    status: str = "completed"

    @property
    def models(self) -> int:
        """How many models were built."""
        return sum(node.kind == "model" for node in self.nodes)

    @property
    def tests(self) -> int:
        """How many tests passed or warned."""
        return sum(node.kind == "test" for node in self.nodes)


@flow(
    name="transform",
    description="Builds and tests all tables from the raw ones: dbt build.",
    # A retry would race the threads that a killed dbt may leave behind, and findings stay.
    retries=0,
    persist_result=False,
)
def transform(select: str | None = None, full_refresh: bool = False) -> TransformResult:
    """Build the tables from the raw ones.

    Args:
        select: Only these nodes, in dbt's own words, such as "permanent_user_properties+".
        full_refresh: Make every table anew from all admitted loads.

    Raises Interrupted when data stops the build (nothing downstream changed), BuildFailed for any
    other failure of dbt, WarehouseBusy after an hour behind another build, WarehouseFailed where no
    server answers, BadRequest where nothing is selected.
    """
    try:
        return build(select, full_refresh, say=run_log().info, show=show_nodes)
    except Interrupted as report:
        show_interruption(report)
        raise


def build(
    select: str | None = None,
    full_refresh: bool = False,
    *,
    settings: Dwh | None = None,
    say: Callable[[str], None] = log.info,
    show: Callable[[list[NodeOutcome]], None] = lambda _: None,
) -> TransformResult:
    """What `transform` does, without Prefect. show: gets all nodes before a failure is raised."""
    if any(word.startswith("-") for word in (select or "").split()):
        raise BadRequest(f"select {select!r} holds an option: name models, tests or tags")
    settings = settings or Dwh.load()
    started = time.monotonic()
    nodes = run_build(select, full_refresh, settings=settings, say=say)
    if not nodes:
        raise BadRequest(f"nothing is selected by {select!r}: dbt ls shows what there is")
    show(nodes)
    failed = [node for node in nodes if node.status in _BAD]
    if any(node.name == GATE and node.status == "fail" for node in failed):
        raise interruption(settings)
    if any(node.status != "fail" for node in failed):
        reasons = "\n".join(f"{node.name}: {node.message}" for node in failed)
        raise BuildFailed(
            f"dbt failed in {len(failed)} nodes\n{reasons}",
            nodes=tuple(node.name for node in failed),
        )
    if failed:
        raise failed_tests({node.name: node.rows or 0 for node in failed})
    return TransformResult(tuple(nodes), round(time.monotonic() - started, 2))


def show_nodes(nodes: list[NodeOutcome]) -> None:
    """A row for each node, slowest first, on the run's page."""
    create_table_artifact(
        key="dbt-build",
        table=[asdict(node) for node in sorted(nodes, key=lambda node: -node.seconds)],
        description="Every model and test of the build, with its time in seconds and its rows.",
    )


def show_interruption(report: Interrupted) -> None:
    """The interruption report in the log and on the run's page."""
    run_log().error("interrupted: %s", report.error_message)
    create_markdown_artifact(key="interruption", markdown=as_markdown(report))


def as_markdown(report: Interrupted) -> str:
    """The report as a small table."""
    rows = {
        "status": report.status,
        "reason": report.reason,
        "file": report.file_key,
        "last successful line": report.last_successful_line,
        "failed line": report.failed_line,
        **{f"findings: {reason}": count for reason, count in report.findings.items()},
    }
    table = "\n".join(
        f"| {name} | {'' if value is None else value} |" for name, value in rows.items()
    )
    return f"# Interrupted\n\n{report.error_message}\n\n| | |\n|---|---|\n{table}\n"

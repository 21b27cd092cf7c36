"""import_reports: users of the CRM and telemetry of their prostheses into the warehouse.

`import_reports` is the flow; `import_sources` takes both into raw and runs without Prefect.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.errors import BadRequest
from flows.import_progress import ImportProgress
from flows.load_progress import PrefectLoadProgress
from flows.moments import parse_moment
from flows.report_importer import Imported, run_import
from flows.run_log import run_log
from flows.settings import Crm, Dwh, Telemetry
from flows.transform import build
from flows.warehouse.dbt_build import REPORTS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportsImportResult:
    """What an import brought; it took effect whole.

    import_id: its row in raw.report_imports. users: of the CRM; users_added, users_changed,
    users_removed: since the import before. events: that were read. orphaned_events: events that
    were moved out of the count, as the CRM does not have their users (any more); they stay in
    raw.orphaned_telemetry_events. orphans: all that stand there. extra_columns: of the sources,
    such as "crm.users.nickname"; they are not read. window_start, window_end: of event_timestamp,
    half-open; saved_since: of an incremental import; all three None where all events were read.
    """

    import_id: int
    users: int
    users_added: int
    users_changed: int
    users_removed: int
    events: int
    orphaned_events: int
    orphans: int
    extra_columns: tuple[str, ...]
    window_start: datetime | None
    window_end: datetime | None
    saved_since: datetime | None
    seconds: float

    def __str__(self) -> str:
        extra = f"; columns not read: {', '.join(self.extra_columns)}" if self.extra_columns else ""
        return (
            f"import {self.import_id}: {self.users:,} users ({self.users_added:,} new,"
            f" {self.users_changed:,} changed, {self.users_removed:,} gone), {self.events:,} events"
            f" in {self.seconds:,.1f} s, {self.orphaned_events:,} of users whom the CRM does not"
            f" have{extra}"
        )


@flow(
    name="import-reports",
    description="Users of the CRM and telemetry into the warehouse, then the tables of reports.",
    flow_run_name="import-reports",
    retries=0,
    persist_result=False,
)
def import_reports(
    telemetry_start: datetime | str | None = None,
    telemetry_end: datetime | str | None = None,
    incremental: bool = False,
    build_models: bool = True,
) -> ReportsImportResult:
    """Take in all users, and telemetry; then bring the tables of reports up to date.

    Args:
        telemetry_start: Events from this time on are replaced, such as 2025-01-06 or
            2025-01-06T09:00; without a zone it is one of DWH_TIME_ZONE.
        telemetry_end: Events before this time are replaced. Without both: all events.
        incremental: Only events saved since the last import, and TELEMETRY_LOOKBACK_HOURS before
            it; what the source deleted since stays. The first time all events are read.
        build_models: Build the tables of schema reports, too.

    Raises BadRequest, MissingSetting, Interrupted (a column or value that is not what it must be),
    VendorFailed or Forbidden (a source), WarehouseFailed: nothing of the import took effect then.
    What building raises, transform says; the import stands.
    """
    progress = PrefectLoadProgress("import-reports")
    result = import_sources(
        telemetry_start, telemetry_end, incremental, on_progress=progress.tell, say=run_log().info
    )
    run_log().info("%s", result)
    create_markdown_artifact(key="reports-import", markdown=as_markdown(result))
    if build_models:
        build(REPORTS, say=run_log().info)
    return result


def import_sources(
    telemetry_start: datetime | str | None = None,
    telemetry_end: datetime | str | None = None,
    incremental: bool = False,
    *,
    on_progress: Callable[[ImportProgress], None] = lambda _: None,
    say: Callable[..., None] = log.info,
) -> ReportsImportResult:
    """Users and telemetry into raw, without Prefect and without building."""
    dwh, crm, telemetry = Dwh.load(), Crm.load(), Telemetry.load()
    start, end = (
        None if edge is None else parse_moment(edge, dwh.time_zone)
        for edge in (telemetry_start, telemetry_end)
    )
    if incremental and (start or end):
        raise BadRequest("incremental goes by the time of saving: give it, or a window")
    if start is not None and end is not None and end <= start:
        raise BadRequest(f"telemetry_end {end} is not behind telemetry_start {start}")
    done = run_import(
        dwh, crm, telemetry, (start, end), incremental=incremental, on_progress=on_progress, say=say
    )
    return _result(done)


def as_markdown(result: ReportsImportResult) -> str:
    """What an import brought, as a small table."""
    rows = {
        "users": f"{result.users:,}",
        "… new, changed, gone": f"{result.users_added:,}, {result.users_changed:,},"
        f" {result.users_removed:,}",
        "events read": f"{result.events:,}",
        "… of users whom the CRM does not have": f"{result.orphaned_events:,}",
        "such events in all": f"{result.orphans:,}",
        "columns not read": ", ".join(result.extra_columns) or "none",
        "seconds": f"{result.seconds:,.1f}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"# Import {result.import_id} of users and telemetry\n\n| | |\n|---|---|\n{table}\n"


def _result(done: Imported) -> ReportsImportResult:
    return ReportsImportResult(
        import_id=done.import_id,
        users=done.users,
        users_added=done.user_changes.added,
        users_changed=done.user_changes.changed,
        users_removed=len(done.user_changes.removed),
        events=done.event_changes.read,
        orphaned_events=done.event_changes.orphans,
        orphans=done.orphans,
        extra_columns=done.extra_columns,
        window_start=done.wanted.window_start,
        window_end=done.wanted.window_end,
        saved_since=done.wanted.saved_since,
        seconds=done.seconds,
    )

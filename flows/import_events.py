"""import_events: an event file of CSV, NDJSON or Parquet into the archive and the raw tables.

`import_events` is the flow; `import_file` does the work and runs without Prefect.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.runtime import flow_run
from pydantic import Field

from flows.errors import BadRequest
from flows.event_files.archiving import archive_file
from flows.lake.bucket import open_bucket
from flows.load_progress import PrefectLoadProgress
from flows.load_raw import load_archives
from flows.run_log import run_log
from flows.settings import Dwh
from flows.warehouse.connection import PatientConnection, warehouse_errors
from flows.warehouse.copy_loader import Progress
from flows.warehouse.file_loader import COMPLETED, WITHDRAWN
from flows.warehouse.import_counts import counts_of_file

SOURCES = ("import",)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file: rows = inserted + duplicates + rejected.

    rows: records of the file. inserted: ids that no import knew before, whatever the vendors know;
    duplicates: rows whose id an import knew, or an earlier row of the file. rejected: bad rows that
    max_rejected let pass; raw.rejected_import_records has them. duplicate_ids: the first 1,000 ids
    of duplicates, in the order of the file. taken_as_utc: rows whose time has no zone. file_key,
    load_id: where the file lies in S3, and its row in raw.loads.
    """

    rows: int
    inserted: int
    duplicates: int
    rejected: int
    duplicate_ids: tuple[str, ...]
    taken_as_utc: int
    file_key: str
    load_id: int

    def __str__(self) -> str:
        taken = f"; {self.taken_as_utc:,} times without a zone are taken as UTC"
        return (
            f"{self.file_key}: {self.rows:,} rows, {self.inserted:,} inserted,"
            f" {self.duplicates:,} duplicates, {self.rejected:,} rejected"
            + (taken if self.taken_as_utc else "")
        )


def _run_name() -> str:
    return str(flow_run.parameters.get("path") or flow_run.parameters.get("key") or "no file")


@flow(
    name="import-events",
    description="Imports an event file: archived in S3, loaded into raw, counted.",
    flow_run_name=_run_name,
    persist_result=False,
)
def import_events(
    path: str | None = None,
    key: str | None = None,
    source: Annotated[str, Field(json_schema_extra={"enum": list(SOURCES)})] = "import",
    max_rejected: int = 0,
) -> ImportResult:
    """Take in an event file: event_id, occurred_at, user_id, event_type, properties.

    Args:
        path: File on the disk of the worker: .csv, .ndjson or .parquet, with .gz or .zip behind it.
        key: Object in the bucket instead, named likewise.
        source: What the events are called in the tables; import is the only one so far.
        max_rejected: So many bad rows are kept aside, with reasons, instead of stopping the file.

    The next transform brings the events into the tables. The same file again inserts nothing.
    Raises BadRequest, Interrupted (a row that is no event, a file that cannot be read: then nothing
    is archived or loaded), ArchiveFailed, WarehouseFailed, DiskFull.
    """
    progress = PrefectLoadProgress("import-events")
    result = import_file(
        path, key, source, max_rejected, on_progress=progress.tell, say=run_log().info
    )
    run_log().info("%s", result)
    return result


def import_file(
    path: str | Path | None = None,
    key: str | None = None,
    source: str = "import",
    max_rejected: int = 0,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[..., None] = log.info,
) -> ImportResult:
    """What `import_events` does, without Prefect. say: takes log lines in logging's % form."""
    if (path is None) == (key is None):
        raise BadRequest("give path (a file on the disk) or key (an object in S3), one of them")
    if source not in SOURCES:
        raise BadRequest(f"unknown source {source!r}; known are {', '.join(SOURCES)}")
    if max_rejected < 0:
        raise BadRequest(f"max_rejected is a number of rows, {max_rejected} is none")
    dwh = Dwh.load()
    bucket = open_bucket()
    archived = archive_file(bucket, None if path is None else Path(path), key, max_rejected)
    file_key = archived.key
    (load,) = load_archives(source, key=file_key, on_progress=on_progress, say=say).loads
    if load.status == WITHDRAWN:
        raise BadRequest(
            f"{file_key} was taken out of the count by withdraw_load (load {load.load_id}), and the"
            " same content is never taken in again"
        )
    with warehouse_errors(), PatientConnection(dwh.database_url.get_secret_value()) as warehouse:
        counts = warehouse.repeat(
            lambda connection: counts_of_file(
                connection, load.load_id, is_new=load.status in COMPLETED
            )
        )
    return ImportResult(
        rows=counts.rows,
        inserted=counts.inserted,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        duplicate_ids=counts.duplicate_ids,
        taken_as_utc=archived.taken_as_utc,
        file_key=file_key,
        load_id=load.load_id,
    )

"""load_raw: archives of S3 into the raw tables, each content once (design section 5).

`load_raw` is the flow; `load_archives` does the work and runs without Prefect.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import psycopg
from prefect import flow
from pydantic import Field

from flows.errors import ArchiveFailed, BadRequest, Interrupted
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.listing import list_objects
from flows.lake.objects import ObjectVersion, look
from flows.load_progress import PrefectLoadProgress
from flows.run_log import run_log
from flows.settings import Dwh
from flows.warehouse import ledger, window_ledger
from flows.warehouse.connection import PatientConnection, warehouse_errors
from flows.warehouse.copy_loader import Progress
from flows.warehouse.file_loader import COMPLETED, FileLoad, FileLoader
from flows.warehouse.landing import LANDINGS, Landing, landing_of
from flows.warehouse.ledger import FileState
from flows.warehouse.migrate import migrate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """loads: one entry an archive, by name. ignored: keys under the prefix that are no archives."""

    source: str
    loads: tuple[FileLoad, ...]
    ignored: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of the loads that this call completed."""
        return sum(load.rows for load in self.loads if load.status in COMPLETED)


@flow(
    name="load-raw",
    description="Loads archives of S3 into the raw tables; what is loaded is skipped.",
    flow_run_name="load-raw-{source}",
    persist_result=False,
)
def load_raw(
    source: Annotated[str, Field(json_schema_extra={"enum": list(LANDINGS)})],
    prefix: str | None = None,
    key: str | None = None,
    start_after: int | None = None,
) -> LoadResult:
    """Load every archive under a prefix, or one key, that the ledger does not hold as it is now.

    Args:
        source: Whose archives: amplitude_web, amplitude_mobile, appmetrica, import (event files)
            or direct (rows of load_rows).
        prefix: Of keys in S3; by default the source's own, such as amplitude/web/.
        key: One object instead.
        start_after: 0-based line of that one object, resume behind it; accepted only where all
            lines up to it are committed.

    Raises BadRequest, Interrupted (a file or line that cannot be read; the other files are loaded
    first), ArchiveFailed, WarehouseFailed. Running again resumes each load where it stopped.
    """
    progress = PrefectLoadProgress(f"load-raw-{source.replace('_', '-')}")
    return load_archives(
        source,
        prefix,
        key,
        start_after,
        on_progress=progress.tell,
        say=run_log().info,
    )


def load_archives(
    source: str,
    prefix: str | None = None,
    key: str | None = None,
    start_after: int | None = None,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[..., None] = log.info,
) -> LoadResult:
    """What `load_raw` does, without Prefect. say: takes log lines in logging's % form."""
    landing = landing_of(source)
    _check(prefix, key, start_after)
    dwh = Dwh.load()
    bucket = open_bucket()
    found, ignored = _find(bucket, landing, prefix, key)
    if not found:
        say("no archive under %s in bucket %s", prefix or landing.prefix, bucket.name)
        return LoadResult(source, (), ignored)
    url = dwh.database_url.get_secret_value()
    migrate(url)

    def load_file(
        file_key: str,
        version: ObjectVersion,
        before: FileState,
        progress: Progress,
        connection: psycopg.Connection,
    ) -> FileLoad:
        loader = FileLoader(
            connection,
            bucket,
            landing,
            file_key,
            landing.chunks(dwh),
            on_progress,
            say,
            progress,
        )
        return loader.load(before, version, start_after)

    loads: list[FileLoad] = []
    errors: list[Interrupted | ArchiveFailed] = []
    with warehouse_errors(), PatientConnection(url) as warehouse:
        known = warehouse.repeat(lambda connection: ledger.states(connection, found))
        for file_key, version in found.items():
            again = partial(
                load_file, file_key, version, known.get(file_key, FileState()), Progress(file_key)
            )
            try:
                load = warehouse.repeat(again)
            except (Interrupted, ArchiveFailed) as error:
                say("%s failed: %s", file_key, error)
                errors.append(error)
                continue
            say("%s: %s, %d rows, %.1f s", file_key, load.status, load.rows, load.seconds)
            loads.append(load)
        warehouse.repeat(window_ledger.mark_loaded)
    if errors:
        raise _summary(errors, len(found))
    return LoadResult(source, tuple(loads), ignored)


def _check(prefix: str | None, key: str | None, start_after: int | None) -> None:
    if prefix is not None and key is not None:
        raise BadRequest("give prefix or key, not both")
    if start_after is None:
        return
    if key is None:
        raise BadRequest("start_after is a line of one file: give its key too")
    if start_after < 0:
        raise BadRequest(f"start_after is a 0-based line, {start_after} is none")


def _find(
    bucket: Bucket, landing: Landing, prefix: str | None, key: str | None
) -> tuple[dict[str, ObjectVersion], tuple[str, ...]]:
    """Archives by name, and what is none."""
    if key is not None:
        landing.table_of(key)
        version = look(bucket, key)
        if version is None:
            raise BadRequest(f"there is no object {key!r} in bucket {bucket.name}")
        return {key: version}, ()
    objects = list_objects(bucket, landing.prefix if prefix is None else prefix)
    archives = {name: version for name, version in objects.items() if landing.takes(name)}
    return archives, tuple(name for name in objects if name not in archives)


def _summary(errors: list[Interrupted | ArchiveFailed], files: int) -> Interrupted | ArchiveFailed:
    """The first interruption, saying how many files failed; the others are in the log."""
    first = next((error for error in errors if isinstance(error, Interrupted)), errors[0])
    if len(errors) == 1:
        return first
    message = f"{first.args[0]} ({len(errors)} of {files} archives failed)"
    if not isinstance(first, Interrupted):
        return ArchiveFailed(message, file_key=first.file_key)
    return Interrupted(
        message,
        reason=first.reason,
        file_key=first.file_key,
        failed_line=first.failed_line,
        last_successful_line=first.last_successful_line,
        findings=first.findings,
    )

"""load_rows: rows that people have themselves into any of the seven product tables.

`load_rows` is the flow; `put_in_rows` does the work and runs without Prefect.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import psycopg
from prefect import flow
from prefect.artifacts import create_table_artifact
from pydantic import Field

from flows.direct_rows.archiving import RowArchive
from flows.direct_rows.contracts import RECORD_TABLES, TABLES, contract_of
from flows.direct_rows.row_source import Format, RowSource, source_of_file, source_of_list
from flows.direct_rows.staged_rows import stage
from flows.errors import BadRequest
from flows.lake.bucket import Bucket, open_bucket
from flows.load_progress import PrefectLoadProgress
from flows.load_raw import load_archives
from flows.private_parameters import private
from flows.run_log import run_log
from flows.settings import Dwh
from flows.temporary_folder import temporary_folder
from flows.warehouse.connection import PatientConnection, warehouse_errors
from flows.warehouse.copy_loader import Progress
from flows.warehouse.direct_counts import inserted_ids, overtaken_at
from flows.warehouse.file_loader import COMPLETED, WITHDRAWN, FileLoad

#: Ids of the table artifact: a page, not a book. The result has them all.
_SHOWN_IDS = 100

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RowsResult:
    """What became of rows: count = the number of inserted_ids + duplicates.

    count: rows given. batches: transactions in which this call wrote rows. inserted_ids: uuids that
    were not put into the table before, in the order of the rows. duplicates: the other rows, also
    those that repeat an id of the call itself. file_key, load_id: where the rows lie in S3, and
    their row in raw.loads.
    """

    count: int
    batches: int
    inserted_ids: tuple[str, ...]
    duplicates: int
    file_key: str
    load_id: int

    def __str__(self) -> str:
        return (
            f"{self.file_key}: {self.count:,} rows in {self.batches:,} batches,"
            f" {len(self.inserted_ids):,} inserted, {self.duplicates:,} duplicates"
        )


@private("data")
@flow(
    name="load-rows",
    description="Puts rows into a product table: checked, archived in S3, loaded into raw.",
    flow_run_name="{table}",
    persist_result=False,
)
def load_rows(
    table: Annotated[str, Field(json_schema_extra={"enum": list(TABLES)})],
    data: list[Any] | None = None,
    path: str | None = None,
    key: str | None = None,
    format: Format | None = None,
) -> RowsResult:
    """Put rows into a product table; the next transform brings them into it.

    Args:
        table: Which one. Its columns are the contract; uuid and event_time may be left out.
        data: The rows themselves, a list of objects. They stay on the server of Prefect as the
            parameters of the run: give rows of patients as a file.
        path: File on the disk of the worker instead: .ndjson, .json (a list), .csv or .parquet,
            with .gz behind it where it is packed.
        key: Object in the bucket instead, named likewise.
        format: Of the file, where its name does not tell it: ndjson, json, csv or parquet.

    The same rows again insert nothing. Where rows put in since took the place of any of them, they
    are archived and loaded once more, as of now, and count again. Raises BadRequest, RowsRefused
    (with all that is wrong; nothing is put in), Interrupted (a file that cannot be read),
    ArchiveFailed, WarehouseFailed, DiskFull.
    """
    progress = PrefectLoadProgress("load-rows")
    result = put_in_rows(
        table, data, path, key, format, on_progress=progress.tell, say=run_log().info
    )
    run_log().info("%s", result)
    create_table_artifact(
        key="rows",
        table=[{"uuid": uuid} for uuid in result.inserted_ids[:_SHOWN_IDS]],
        description=f"The first ids that were put into {table}. {result}",
    )
    return result


def put_in_rows(
    table: str,
    data: list[Any] | None = None,
    path: str | Path | None = None,
    key: str | None = None,
    format: str | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[..., None] = log.info,
) -> RowsResult:
    """What `load_rows` does, without Prefect. say: takes log lines in logging's % form."""
    contract = contract_of(table)
    if [data, path, key].count(None) != 2:
        raise BadRequest(
            "give data, path (a file on the disk) or key (an object in S3), one of them"
        )
    url = Dwh.load().database_url.get_secret_value()
    bucket = open_bucket()
    batches = _Batches(on_progress)
    ids: list[str] = []
    with temporary_folder("dwh-helper-rows-") as folder:
        rows = stage(contract, _source(bucket, data, path, key, format), folder / "rows")
        archive = RowArchive(bucket, url, table, rows, folder)
        number, put_in_at = archive.newest_number() or 1, now()
        # What an earlier call left is finished first, then asked whether it still is the newest.
        while True:
            is_ours = archive.write(number, put_in_at)
            load = _load(archive.key(number), batches.tell, say)
            if load.status in COMPLETED:
                ids += _ask(inserted_ids, url, load, table)
            overtaken = None if is_ours else _ask(overtaken_at, url, load, table)
            if overtaken is None:
                break
            # Later than what took the place, whatever the clocks of other workers say.
            number, put_in_at = number + 1, max(now(), overtaken + timedelta.resolution)
    return RowsResult(
        count=rows.count,
        batches=batches.count,
        inserted_ids=tuple(ids),
        duplicates=rows.count - len(ids),
        file_key=load.file_key,
        load_id=load.load_id,
    )


def _load(
    file_key: str, on_progress: Callable[[Progress], None], say: Callable[..., None]
) -> FileLoad:
    (load,) = load_archives("direct", key=file_key, on_progress=on_progress, say=say).loads
    if load.status == WITHDRAWN:
        raise BadRequest(
            f"{file_key} was taken out of the count by withdraw_load (load {load.load_id}), and the"
            " same rows are never put in again"
        )
    return load


def _ask(
    question: Callable[[psycopg.Connection, int, Sequence[str]], Answer],
    url: str,
    load: FileLoad,
    table: str,
) -> Answer:
    same = RECORD_TABLES if table in RECORD_TABLES else (table,)
    with warehouse_errors(), PatientConnection(url) as warehouse:
        return warehouse.repeat(lambda connection: question(connection, load.load_id, same))


def _source(
    bucket: Bucket,
    data: list[Any] | None,
    path: str | Path | None,
    key: str | None,
    file_format: str | None,
) -> RowSource:
    if data is None:
        return source_of_file(bucket, None if path is None else Path(path), key, file_format)
    if file_format is not None:
        raise BadRequest("format is of a file; data needs none")
    return source_of_list(data)


class _Batches:
    """Counts commits."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self._on_progress = on_progress
        self.count = 0

    def tell(self, progress: Progress) -> None:
        self.count += 1
        self._on_progress(progress)

"""withdraw_load: takes one load out of the count, for good, and says why in the audit."""

from dataclasses import dataclass

import psycopg
from prefect import flow

from flows.errors import BadRequest, WarehouseBusy
from flows.run_log import run_log
from flows.settings import Dwh
from flows.warehouse import ledger
from flows.warehouse.connection import connect, warehouse_errors
from flows.warehouse.dbt_build import BUILD_LOCK


@dataclass(frozen=True, slots=True)
class WithdrawnLoad:
    """The load that no longer counts; its rows leave the marts at the next build."""

    load_id: int
    source: str
    file_key: str
    rows: int | None
    reason: str


@flow(
    name="withdraw-load",
    description="Takes one load out of the count; the next build takes its rows out of the tables.",
    persist_result=False,
)
def withdraw_load(load_id: int, reason: str) -> WithdrawnLoad:
    """Take a load out of the count, though its file stays in the archive.

    The way out for a file that cannot be had in a better form. The same content is never loaded
    again; a different content of the file is. audit.withdrawn_loads lists what was withdrawn.

    Args:
        load_id: Which load, as raw.loads and the interruption report name it.
        reason: Why, in words for those who will ask.

    Raises BadRequest for an unknown load, one that is out already, or an empty reason,
    WarehouseBusy while a build or a load of the same file is at work.
    """
    withdrawn = withdraw(load_id, reason)
    run_log().warning(
        "load %s of %s withdrawn (%s rows): %s",
        withdrawn.load_id,
        withdrawn.file_key,
        withdrawn.rows,
        withdrawn.reason,
    )
    return withdrawn


def withdraw(load_id: int, reason: str, *, settings: Dwh | None = None) -> WithdrawnLoad:
    """What `withdraw_load` does, without Prefect; never while a build is running."""
    reason = reason.strip()
    if not reason:
        raise BadRequest("say why the load is withdrawn: the audit keeps the reason")
    settings = settings or Dwh.load()
    with warehouse_errors(), connect(settings.database_url.get_secret_value()) as connection:
        held = connection.execute(f"select {BUILD_LOCK}").fetchone()
        if not held or not held[0]:
            raise WarehouseBusy("a build is running; withdraw the load when it is done")
        load = connection.execute(
            "select source, file_key, row_count, status from raw.loads"
            " where load_id = %s for update",
            [load_id],
        ).fetchone()
        if load is None:
            raise BadRequest(f"there is no load {load_id}: see raw.loads")
        source, file_key, rows, status = load
        if not ledger.lock_file(connection, file_key, wait=False):
            raise WarehouseBusy(f"{file_key} is being loaded; withdraw the load when that is done")
        if status in ("withdrawn", "superseded"):
            raise BadRequest(f"load {load_id} of {file_key} is {status} already")
        _take_out(connection, load_id, reason)
    return WithdrawnLoad(load_id, source, file_key, rows, reason)


def _take_out(connection: psycopg.Connection, load_id: int, reason: str) -> None:
    connection.execute(
        "update raw.loads set status = 'withdrawn', error = %s, finished_at = clock_timestamp()"
        " where load_id = %s",
        [reason, load_id],
    )
    # What it was to replace counts on, or waits for the load that replaces this one; unless its
    # rows are gone already.
    connection.execute(
        "update raw.loads as earlier set superseded_by = withdrawn.superseded_by"
        " from raw.loads as withdrawn where withdrawn.load_id = %s"
        " and earlier.superseded_by = withdrawn.load_id and earlier.status = 'loaded'",
        [load_id],
    )

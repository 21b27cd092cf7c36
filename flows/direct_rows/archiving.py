"""Checked rows into the archive: one object a call, under a key that its rows make."""

from datetime import datetime
from pathlib import Path

from flows.direct_rows.contracts import PREFIX, SUFFIX
from flows.direct_rows.staged_rows import StagedRows
from flows.lake.bucket import Bucket
from flows.lake.local_file import file_pieces
from flows.lake.objects import look, upload
from flows.stopping import demand_going_on
from flows.warehouse import ledger
from flows.warehouse.connection import connect, warehouse_errors


def archive_rows(
    bucket: Bucket, url: str, table: str, rows: StagedRows, folder: Path, put_in_at: datetime
) -> str:
    """The key under which the rows lie in the archive from now on.

    The same rows put in before lie there already, and stay as of that time. url: of the warehouse,
    where two calls with the same rows wait for each other. Raises ArchiveFailed, WarehouseFailed,
    DiskFull.
    """
    key = f"{PREFIX}{table}/{rows.checksum}{SUFFIX}"
    if look(bucket, key) is not None:
        return key
    path = folder / "rows.ndjson.gz"
    rows.write_archive(path, put_in_at)
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        # Not the name of the file itself: that one its loader holds.
        ledger.lock_file(connection, f"archive of {key}", wait=True)
        if look(bucket, key) is None:
            size_bytes = path.stat().st_size
            upload(bucket, key, lambda: file_pieces(path), size_bytes, demand_going_on)
    return key

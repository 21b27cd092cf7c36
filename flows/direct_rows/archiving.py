"""Checked rows into the archive: one object a putting in, under a key that its rows make.

Rows that are put in again after others with their ids took their place get a further object: the
nth bears the number n behind the checksum, from 2 on.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.direct_rows.contracts import PREFIX, SUFFIX
from flows.direct_rows.staged_rows import StagedRows
from flows.lake.bucket import Bucket
from flows.lake.listing import list_objects
from flows.lake.local_file import file_pieces
from flows.lake.objects import look, upload
from flows.stopping import demand_going_on
from flows.warehouse import ledger
from flows.warehouse.connection import connect, warehouse_errors


@dataclass(frozen=True, slots=True)
class RowArchive:
    """The objects that hold the rows of one call and of its repeats, numbered from 1.

    url: of the warehouse, where two calls with the same rows wait for each other. folder: for what
    is to be uploaded.
    """

    bucket: Bucket
    url: str
    table: str
    rows: StagedRows
    folder: Path

    def key(self, number: int) -> str:
        """The name of an object."""
        return f"{self._stem}{f'-{number}' if number > 1 else ''}{SUFFIX}"

    def newest_number(self) -> int:
        """The number of the object that was written last, 0 where there is none.

        Raises ArchiveFailed.
        """
        name = re.compile(rf"{re.escape(self._stem)}(?:-([1-9]\d*))?{re.escape(SUFFIX)}")
        found = map(name.fullmatch, list_objects(self.bucket, self._stem))
        return max((int(match[1] or 1) for match in found if match), default=0)

    def write(self, number: int, put_in_at: datetime) -> bool:
        """Write an object; False where it lies there already, and stays as of its own time.

        Raises ArchiveFailed, WarehouseFailed, DiskFull.
        """
        key = self.key(number)
        if look(self.bucket, key) is not None:
            return False
        path = self.folder / "rows.ndjson.gz"
        self.rows.write_archive(path, put_in_at)
        with warehouse_errors(), connect(self.url, autocommit=True) as connection:
            # Not the name of the file itself: that one its loader holds.
            ledger.lock_file(connection, f"archive of {key}", wait=True)
            if look(self.bucket, key) is not None:
                return False
            size_bytes = path.stat().st_size
            upload(self.bucket, key, lambda: file_pieces(path), size_bytes, demand_going_on)
        return True

    @property
    def _stem(self) -> str:
        return f"{PREFIX}{self.table}/{self.rows.checksum}"

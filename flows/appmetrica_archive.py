"""From the Logs API into the bucket: one export becomes one archive, one index knows a table's."""

import threading
from collections.abc import Callable
from pathlib import Path

from flows.lake.bucket import Bucket
from flows.lake.day_archive import StoredArchive, store_rows
from flows.lake.day_index import DayIndex, change_index, read_index
from flows.lake.row_sorter import RowSorter
from flows.temporary_folder import temporary_folder
from flows.vendors.appmetrica import LogsClient, Place, Watch
from flows.vendors.appmetrica_json import read_rows
from flows.vendors.appmetrica_wire import Export


def archive_export(
    client: LogsClient,
    bucket: Bucket,
    export: Export,
    key: str,
    other_key: Callable[[], str] | None = None,
    *,
    is_first: bool = False,
    parts_count: int = 1,
    takes_up: Callable[[Place], bool] = lambda _: False,
    watch: Watch | None = None,
    empty_is_odd: bool = False,
) -> StoredArchive:
    """Fetch an export and store its rows in order under a key, constant memory.

    key, other_key, is_first: see store_rows. parts_count, takes_up, watch: see LogsClient.fetch.
    empty_is_odd: ask twice before no rows are believed.
    """
    with temporary_folder("export-appmetrica-") as folder:
        rows = RowSorter(folder)

        def take(part: int, path: Path) -> int:
            if part == 0:
                rows.forget()
            return rows.put(part, read_rows(path, export.window))

        client.fetch(export, take, parts_count=parts_count, takes_up=takes_up, watch=watch)
        if rows.rows == 0 and empty_is_odd:
            client.fetch(export, take, watch=watch)
        return store_rows(bucket, key, rows, folder, other_key, is_first=is_first)


class IndexMemo:
    """The index of one table, changed by one thread of this process at a time."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._lock = threading.Lock()
        self.index = read_index(bucket, key)

    def change(self, change: Callable[[DayIndex], DayIndex]) -> None:
        """Write a change to S3 at once: a killed export must be remembered."""
        with self._lock:
            self.index = change_index(self._bucket, self._key, change)

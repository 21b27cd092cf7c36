"""Where each source lands: the one place to add a source.

A new source needs a migration with its raw tables, row makers like `amplitude_rows` and an entry.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flows.direct_rows.contracts import PREFIX as DIRECT_PREFIX
from flows.direct_rows.contracts import SUFFIX as DIRECT_SUFFIX
from flows.errors import BadRequest
from flows.event_files.event_archive import open_events
from flows.event_files.file_name import PREFIX as IMPORT_PREFIX
from flows.lake.archive_reader import open_archive
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.line_stream import LineArchive
from flows.lake.objects import ObjectVersion
from flows.settings import Dwh
from flows.warehouse import amplitude_rows, appmetrica_rows, direct_rows, import_rows
from flows.warehouse.copy_loader import ChunkLimits
from flows.warehouse.raw_table import RawTable


@dataclass(frozen=True, slots=True)
class Landing:
    """Where the archives of a source lie, how they are read, and which table takes their lines.

    prefix, suffix: of their keys in S3. find_table: the table for the archive of this key, None
    where the key tells none. has_windows: its archives are of days that were asked of a vendor.
    is_in_batches: its rows are committed within the limits of batches, not in bulk.
    """

    source: str
    prefix: str
    suffix: str
    open_archive: Callable[[Bucket, str, ObjectVersion], LineArchive]
    find_table: Callable[[str], RawTable | None]
    has_windows: bool = True
    is_in_batches: bool = False

    def takes(self, key: str) -> bool:
        """Whether a listed object is an archive of this source."""
        return key.endswith(self.suffix) and self.find_table(key) is not None

    def chunks(self, dwh: Dwh) -> ChunkLimits:
        """How much of its archives one transaction holds."""
        if self.is_in_batches:
            return ChunkLimits(dwh.max_write_batch_bytes, dwh.max_rows_per_insert)
        return ChunkLimits(dwh.copy_commit_bytes)

    def table_of(self, key: str) -> RawTable:
        """The table for the archive of this key; BadRequest where the key tells none."""
        table = self.find_table(key)
        if table is None:
            raise BadRequest(f"{key!r} does not tell which table of {self.source} it is of")
        return table


LANDINGS = {
    landing.source: landing
    for landing in (
        Landing("amplitude_web", "amplitude/web/", ".zip", open_archive, amplitude_rows.table_of),
        Landing(
            "amplitude_mobile", "amplitude/mobile/", ".zip", open_archive, amplitude_rows.table_of
        ),
        Landing("appmetrica", "appmetrica/", ".ndjson.gz", open_gzip, appmetrica_rows.table_of),
        Landing("import", IMPORT_PREFIX, "", open_events, import_rows.table_of, has_windows=False),
        Landing(
            "direct",
            DIRECT_PREFIX,
            DIRECT_SUFFIX,
            open_gzip,
            direct_rows.table_of,
            has_windows=False,
            is_in_batches=True,
        ),
    )
}


def landing_of(source: str) -> Landing:
    """The landing of a source; BadRequest names the known ones."""
    if source not in LANDINGS:
        raise BadRequest(f"unknown source {source!r}; known are {', '.join(LANDINGS)}")
    return LANDINGS[source]

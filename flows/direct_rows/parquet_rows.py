"""Rows of a Parquet file: a batch of them at a time is in memory, the file itself on the disk."""

from collections.abc import Sequence

import pyarrow as pa  # type: ignore[import-untyped]  # what it has is in C
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from flows.direct_rows.tokens import Rows, row_of
from flows.lake.archive_reader import unreadable
from flows.lake.line_stream import LineArchive
from flows.stopping import demand_going_on
from flows.temporary_folder import temporary_folder

_BATCH_ROWS = 1024
#: Column chunks are read in pieces of this, not whole: a row group may be of any size.
_BUFFER_BYTES = 1024 * 1024


def parquet_rows(file: LineArchive) -> tuple[Sequence[str] | None, Rows]:
    """No names of columns, as each row names its own, and the rows.

    Raises Interrupted(reason="unreadable_file") for what is no Parquet or is damaged, DiskFull.
    """
    return None, _rows(file)


def _rows(file: LineArchive) -> Rows:
    # It is read from its end, which an object of S3 or a packed file cannot be.
    with temporary_folder("dwh-helper-rows-") as folder:
        path = folder / "rows.parquet"
        with path.open("wb") as copy:
            for block in file.blocks():
                demand_going_on()
                copy.write(block)
        number = 0
        try:
            with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as opened:
                for batch in opened.iter_batches(_BATCH_ROWS, use_threads=False):
                    for entry in batch.to_pylist():
                        yield row_of(entry)
                        number += 1
        # pyarrow's sentences may quote what it could not read.
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
        else:
            return
        raise unreadable(file.key, f"it is no Parquet file, or damaged behind row {number}")

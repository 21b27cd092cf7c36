"""The answer of a query as a Parquet file: COPY's CSV through Arrow, in batches, never by row."""

import io
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pyarrow as pa  # type: ignore[import-untyped]  # what it has is in C
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from psycopg.sql import SQL, Composable

from flows.report_sources.copy_stream import copy_out


def write_parquet(
    connection: psycopg.Connection, query: Composable, schema: pa.Schema, path: Path
) -> int:
    """Write what the query gives, columns in the order of the schema; how many rows it has.

    The connection must be in a transaction. Memory stays the same however many rows there are.
    """
    copy = SQL("copy ({}) to stdout (format csv)").format(query)
    reader = pa_csv.open_csv(
        _BlockFile(copy_out(connection, copy)),
        read_options=pa_csv.ReadOptions(column_names=schema.names, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    rows = 0
    with pq.ParquetWriter(path, schema) as writer:
        for batch in reader:
            writer.write_batch(batch.cast(schema))
            rows += batch.num_rows
    return rows


class _BlockFile(io.RawIOBase):
    """Blocks of bytes as a file to read from."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

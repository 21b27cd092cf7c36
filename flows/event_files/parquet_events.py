"""Events of a Parquet file: a batch of rows at a time is in memory; the file itself is on the disk.

Texts may be any kind of string, also by dictionary; event_id also Parquet's own uuid; occurred_at
also a timestamp, which is UTC where it bears no zone; user_id also a whole number.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa  # type: ignore[import-untyped]  # what it has is in C
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from flows.errors import Interrupted
from flows.event_files.event_line import (
    COLUMNS,
    WRONG_COLUMNS,
    Notes,
    Refused,
    complaint_of,
    event_line,
)
from flows.lake.archive_reader import unreadable

_BATCH_ROWS = 4096
#: Column chunks are read in pieces of this, not whole: a row group may be of any size.
_BUFFER_BYTES = 1024 * 1024
_EPOCH = datetime(1970, 1, 1)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_Texts = Callable[[pa.Array], list[str | None]]


def parquet_events(name: str, path: Path, notes: Notes) -> Iterator[tuple[int, bytes | Refused]]:
    """Each record: its 0-based row, and its line for the loader or why not. path: of the file.

    Raises Interrupted for what is no Parquet, is damaged, or has other columns.
    """
    number = 0
    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
            readers = _readers(name, file.schema_arrow)
            batches = file.iter_batches(_BATCH_ROWS, columns=list(COLUMNS), use_threads=False)
            for batch in batches:
                columns = [read(batch.column(column)) for column, read in readers.items()]
                for cells in zip(*columns, strict=True):
                    yield number, _line_of(cells, notes)
                    number += 1
    # pyarrow's sentences may quote what it could not read.
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
    else:
        return
    raise unreadable(name, f"it is no Parquet file, or damaged behind row {number}")


def _line_of(cells: tuple[str | None, ...], notes: Notes) -> bytes | Refused:
    try:
        return event_line(cells, notes)
    except Refused as refused:
        return refused.of(json.dumps(dict(zip(COLUMNS, cells, strict=True)), ensure_ascii=False))


def _readers(name: str, schema: pa.Schema) -> dict[str, _Texts]:
    """How each of COLUMNS becomes texts."""
    complaint = complaint_of(schema.names)
    readers: dict[str, _Texts] = {}
    for column in () if complaint else COLUMNS:
        reader = _reader(column, schema.field(column).type)
        if reader is None:
            kind = str(schema.field(column).type).partition("<")[0]
            complaint = f"column {column} is of type {kind}, not a text{_OTHERS.get(column, '')}"
            break
        readers[column] = reader
    if complaint is None:
        return readers
    raise Interrupted(
        f"{name}: {complaint}",
        reason=WRONG_COLUMNS,
        file_key=name,
        findings={WRONG_COLUMNS: 1},
    )


_OTHERS = {
    "event_id": " or uuid",
    "occurred_at": " or timestamp",
    "user_id": " or whole number",
    "properties": " with a JSON object",
}


def _reader(column: str, kind: pa.DataType) -> _Texts | None:
    if isinstance(kind, pa.BaseExtensionType):
        return _behind(_reader(column, kind.storage_type), lambda array: array.storage)
    if pa.types.is_dictionary(kind):
        return _behind(_reader(column, kind.value_type), lambda array: array.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _strings
    if pa.types.is_null(kind):
        return lambda array: [None] * len(array)
    if column == "event_id" and kind == pa.binary(16):
        return _uuids
    if column == "occurred_at" and pa.types.is_timestamp(kind):
        zone = "" if kind.tz is None else "Z"
        return lambda array: _times(array, _PER_SECOND[kind.unit], zone)
    if column == "user_id" and pa.types.is_integer(kind):
        return lambda array: [None if one is None else str(one) for one in array.to_pylist()]
    return None


def _behind(reader: _Texts | None, unwrap: Callable[[pa.Array], pa.Array]) -> _Texts | None:
    return None if reader is None else lambda array: reader(unwrap(array))


def _strings(array: pa.Array) -> list[str | None]:
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        sent = array.cast(pa.large_binary()).to_pylist()
        return [None if one is None else one.decode(errors="surrogateescape") for one in sent]


def _uuids(array: pa.Array) -> list[str | None]:
    return [None if one is None else str(UUID(bytes=one)) for one in array.to_pylist()]


def _times(array: pa.Array, per_second: int, zone: str) -> list[str | None]:
    """Instants as texts in UTC; those beyond the calendar become texts that are no time."""
    counts = array.cast(pa.int64()).to_pylist()
    return [None if one is None else _time(one, per_second) + zone for one in counts]


def _time(count: int, per_second: int) -> str:
    seconds, rest = divmod(count, per_second)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return str(count)
    return f"{moment.isoformat(' ')}.{rest * 10**9 // per_second:09d}"

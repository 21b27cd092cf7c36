"""What a person gave, opened: rows as JSON texts by column, one after the other.

Rows come from a list, or from a file of the disk or of S3 in any of FORMATS, also gzipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from flows.direct_rows.csv_rows import csv_rows
from flows.direct_rows.json_rows import array_rows, ndjson_rows
from flows.direct_rows.parquet_rows import parquet_rows
from flows.direct_rows.tokens import Rows, row_of
from flows.errors import BadRequest
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.line_stream import LineArchive
from flows.lake.local_file import open_given
from flows.lake.plain_reader import open_plain

Format = Literal["ndjson", "json", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

#: Ends of names, and the format that they stand for.
_ENDS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
_GZIP_END = ".gz"


@dataclass(frozen=True, slots=True)
class RowSource:
    """columns: where they are named once for all rows, else None. rows: to be read once."""

    columns: Sequence[str] | None
    rows: Rows


_READERS: dict[str, Callable[[LineArchive], tuple[Sequence[str] | None, Rows]]] = {
    "ndjson": lambda file: (None, ndjson_rows(file)),
    "json": lambda file: (None, array_rows(file)),
    "csv": csv_rows,
    "parquet": parquet_rows,
}


def source_of_list(data: object) -> RowSource:
    """Rows of a list of objects, as Python has them."""
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise BadRequest("data has to be a list of objects, one for each row")
    return RowSource(None, (row_of(entry) for entry in data))


def source_of_file(
    bucket: Bucket, path: Path | None, key: str | None, file_format: str | None
) -> RowSource:
    """Rows of a file of the disk (path) or of the bucket (key).

    file_format: one of FORMATS, by default what the name ends in. Raises BadRequest where there is
    no such file or its format is not known; reading raises Interrupted, ArchiveFailed, DiskFull.
    """
    place, name, version = open_given(bucket, path, key)
    known = _format_of(name, file_format)
    if version.size_bytes == 0:
        return RowSource(None, iter(()))
    is_packed = name.lower().endswith(_GZIP_END)
    file = open_gzip(place, name, version) if is_packed else open_plain(place, name, version)
    return RowSource(*_READERS[known](file))


def _format_of(name: str, file_format: str | None) -> str:
    if file_format is not None:
        if file_format not in FORMATS:
            raise BadRequest(f"unknown format {file_format!r}; known are {', '.join(FORMATS)}")
        return file_format
    bare = name.lower().removesuffix(_GZIP_END)
    for end, known in _ENDS.items():
        if bare.endswith(end):
            return known
    raise BadRequest(
        f"the name of {name} does not tell its format: give format, one of {', '.join(FORMATS)}"
    )

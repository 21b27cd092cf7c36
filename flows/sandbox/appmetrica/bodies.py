"""How rows are written: JSON with a row a line, or CSV; neither ends with a newline."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from operator import add
from typing import Any, BinaryIO

_BOM = b"\xef\xbb\xbf"

CONTENT_TYPES = {"json": "application/json; charset=utf-8", "csv": "text/csv; charset=utf-8"}


class TooManyRows(Exception):
    """There are more rows than one answer may hold."""


def write_rows(
    out: BinaryIO,
    form: str,
    fields: Sequence[str],
    rows: Iterator[list[Any]],
    *,
    with_bom: bool,
    max_rows: int | None,
) -> int:
    """Write a whole body; returns how many rows. form: "json" or "csv"."""
    if with_bom:
        out.write(_BOM)
    counted = _Counted(rows, max_rows)
    (_write_json if form == "json" else _write_csv)(out, fields, counted)
    return counted.count


class _Counted:
    def __init__(self, rows: Iterator[list[Any]], most: int | None) -> None:
        self._rows, self._most, self.count = rows, most, 0

    def __iter__(self) -> Iterator[list[Any]]:
        for row in self._rows:
            self.count += 1
            if self._most is not None and self.count > self._most:
                raise TooManyRows
            yield row


def _write_json(out: BinaryIO, fields: Sequence[str], rows: "_Counted") -> None:
    keys = [f"{encode_basestring(field)}:" for field in fields]
    out.write(b'{\n"data" :\n[')
    before = b"\n"
    for row in rows:
        out.write(before + _json_row(keys, row))
        before = b",\n"
    out.write(b"\n]\n}")


def _json_row(keys: list[str], row: list[Any]) -> bytes:
    """One object; keys: with their colons, in the row's order, repeated ones repeated."""
    try:
        tokens = map(encode_basestring, row)
        return ("{" + ",".join(map(add, keys, tokens)) + "}").encode()
    except (TypeError, UnicodeEncodeError):
        # No text, or half a surrogate pair, which can only be written as an escape.
        return ("{" + ",".join(map(add, keys, map(json.dumps, row))) + "}").encode()


def _write_csv(out: BinaryIO, fields: Sequence[str], rows: "_Counted") -> None:
    out.write(_csv_line(fields))
    for row in rows:
        out.write(b"\n" + _csv_line(row))
    if not rows.count:
        out.write(b"\n")


def _csv_line(values: Sequence[Any]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue().encode(errors="replace")

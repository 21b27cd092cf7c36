"""Lines of NDJSON as rows of a typed raw table, in PostgreSQL's CSV: one maker for each table.

The plain path (`_plain_rows`) decodes a line with msgspec into the documented types and writes the
row with one generated function. Whatever it cannot hold exactly (an unknown key, another type, a
control character, a broken surrogate) goes the long path (`_long_row`), value by value: what a
column holds faithfully stands there, anything else stands as sent in unknown_fields. Both give the
same row for the same plain line.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from flows.lake.line_stream import Slab
from flows.warehouse.cells import CELLS, JSON, STRINGS
from flows.warehouse.copy_rows import (
    CSV,
    DELIMITER,
    EMPTY,
    Block,
    are_on_a_line_each,
    quoted,
    rows_one_by_one,
)
from flows.warehouse.json_members import read_members

# An escape of NUL, delimiter or quote: such lines go the long path, as does what is no UTF-8.
# The characters themselves are no JSON, and both decoders refuse them. Nothing else on the plain
# path needs quoting or doubling.
_RISKY_ESCAPE = re.compile(rb"\\u000[0-2]")

NULL = "null"
BLANK = '""'


@dataclass(frozen=True, slots=True)
class PlainKind:
    """How the plain path treats a kind.

    type: what msgspec decodes a value into; JSON's is msgspec.Raw. form: Python expression of the
    cell, {v} being the value; NULL is an unquoted nothing. check: for cells that PostgreSQL would
    also read where they mean something else: whether all of them, a DELIMITER in front of each, are
    as the vendor documents them.
    """

    type: Any
    form: str = ""
    check: Callable[[str], bool] | None = None


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_NOT_PLAIN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# (events, the hash of each, line number of the first, cells that all rows begin with)
# -> (rows, for each check the cells to be checked)
_RowsOf = Callable[[list[Any], Iterable[str], int, str], tuple[list[str], tuple[list[str], ...]]]


class RowMaker:
    """Makes rows of one table; slow to construct, so each is made once, at import.

    table: its name; copy: the COPY statement for its blocks.
    """

    def __init__(
        self,
        table: str,
        fields: Mapping[str, str],
        plain_kinds: Mapping[str, PlainKind],
        *,
        file_columns: tuple[str, ...] = (),
        is_hashed: bool = False,
        is_blank_missing: bool = False,
    ) -> None:
        """fields: the vendor's key -> kind; a column bears its key's name, without `$`.

        plain_kinds: each kind that the fields have. file_columns: columns that are the same in all
        rows of a file; make_block is told their cells. is_hashed: a column content_hash takes the
        MD5 of the line. is_blank_missing: "" is null in all columns but those of texts.
        """
        self._fields = dict(fields)
        self._kinds = plain_kinds
        self._is_hashed = is_hashed
        self._is_blank_missing = is_blank_missing
        checked: dict[Callable[[str], bool], list[str]] = {}
        for key, kind in fields.items():
            check = plain_kinds[kind].check
            if check is not None:
                checked.setdefault(check, []).append(key)
        self._checks = tuple(checked)
        nested = [key for key, kind in fields.items() if kind == JSON]
        apart = {key for keys in (*checked.values(), nested) for key in keys}
        scalars = [key for key in fields if key not in apart]
        self._order = (*(key for keys in checked.values() for key in keys), *scalars, *nested)
        self._attributes = {key: f"field_{number}" for number, key in enumerate(fields)}
        plain = self._plain_struct()
        known = msgspec.defstruct(
            "_Known", [], bases=(plain,), forbid_unknown_fields=False, gc=False
        )
        self._decode_lines = msgspec.json.Decoder(plain).decode_lines
        self._decode_known = msgspec.json.Decoder(known).decode
        self._rows_of = self._generate(list(checked.values()), scalars, nested)
        columns = (
            *file_columns,
            *("load_id", "line_number"),
            *(("content_hash",) if is_hashed else ()),
            *(key.removeprefix("$") for key in self._order),
            "unknown_fields",
        )
        self.table = table
        self.copy = f"copy {table} ({', '.join(columns)}) from stdin {CSV}"

    def make_block(self, slab: Slab, load_id: int, careful: bool, file_cells: str = "") -> Block:
        """Rows of some lines; blank lines give none.

        careful: take the long path for every line, so that nothing but what the columns surely take
        is sent. file_cells: of the file columns, with a DELIMITER behind each. Stops before the
        first line that is no JSON object and tells it as `refused`.
        """
        shared = f"{file_cells}{load_id}"
        if not careful and not _is_risky(slab.data):
            count = slab.data.count(b"\n")
            plain = self._plain_rows(slab, shared)
            if plain is not None:
                return Block(plain, count, count, None)

        def row_of(line: bytes, line_number: int) -> str:
            row = None
            if not careful and not _is_risky(line):
                row = self._plain_row_and_unknown(line, line_number, shared)
            return self._long_row(line, line_number, shared) if row is None else row

        return rows_one_by_one(slab, row_of)

    # --- the plain path

    def _plain_struct(self) -> type[msgspec.Struct]:
        return msgspec.defstruct(
            "_Plain",
            [
                (
                    self._attributes[key],
                    self._kinds[kind].type,
                    msgspec.Raw(b"null") if kind == JSON else None,
                )
                for key, kind in self._fields.items()
            ],
            rename={attribute: key for key, attribute in self._attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )

    def _generate(self, checked: list[list[str]], scalars: list[str], nested: list[str]) -> _RowsOf:
        """Write out the row function: a loop over the columns at run time would cost far more."""

        def forms(keys: list[str]) -> str:
            return "".join(
                "\\x01{"
                + self._kinds[self._fields[key]].form.replace("{v}", self._attributes[key])
                + "}"
                for key in keys
            )

        groups = [f"group_{number}" for number in range(len(checked))]
        group_lines = "".join(
            f'\n        {group} = f"{forms(keys)}"\n        all_{group}.append({group})'
            for group, keys in zip(groups, checked, strict=True)
        )
        names, values, hash_cell = ", ".join(self._attributes.values()), "map(astuple, events)", ""
        if self._is_hashed:
            names, values, hash_cell = f"hash, ({names})", f"zip(hashes, {values})", "\\x01{hash}"
        # Nested values are bytes; joined before they are decoded they cost half. A null among them
        # is the only text that begins so, and becomes nothing.
        source = f'''
def rows_of(events, hashes, line_number, shared):
    rows = []
    {"".join(f"all_{group} = []; " for group in groups)}
    for {names} in {values}:{group_lines}
        nested = JOIN((b"", {", ".join(self._attributes[key] for key in nested)})).decode()
        rows.append(
            f"{{shared}}\\x01{{line_number}}{hash_cell}"
            f"{"".join(f"{{{group}}}" for group in groups)}{forms(scalars)}"
            f"{{nested.replace(JSON_NULL, DELIMITER)}}\\x01\\n"
        )
        line_number += 1
    return rows, ({"".join(f"all_{group}, " for group in groups)})
'''
        namespace: dict[str, Any] = {
            "EMPTY": EMPTY,
            "BOOLEANS": BOOLEANS,
            "DELIMITER": DELIMITER,
            "JSON_NULL": DELIMITER + NULL,
            "JOIN": DELIMITER.encode().join,
            "astuple": msgspec.structs.astuple,
        }
        exec(source, namespace)  # noqa: S102 - built from the tables' own lists alone
        made: _RowsOf = namespace["rows_of"]
        return made

    def _plain_rows(self, slab: Slab, shared: str) -> bytes | None:
        """All rows, or None where one line is not plain; a blank one is not either."""
        try:
            events = self._decode_lines(slab.data)
            if not are_on_a_line_each(len(events), slab.data):
                return None
            hashes = map(content_hash, slab.lines) if self._is_hashed else ()
            block = self._checked_rows(events, hashes, slab.first_line, shared)
            return None if block is None else block.encode()
        except _NOT_PLAIN:
            return None

    def _plain_row_and_unknown(self, line: bytes, line_number: int, shared: str) -> str | None:
        """The row of a line that is plain but for keys without a column; None where it is not."""
        try:
            row = self._checked_rows(
                [self._decode_known(line)], (content_hash(line),), line_number, shared
            )
            if row is None:
                return None
            unknown = {
                key: str(value, "utf-8")
                for key, value in _decode_members(line).items()
                if key not in self._fields
            }
        except _NOT_PLAIN:
            return None
        return f"{row[:-1]}{_unknown(unknown)}\n" if unknown else row

    def _checked_rows(
        self, events: list[Any], hashes: Iterable[str], first_line: int, shared: str
    ) -> str | None:
        rows, groups = self._rows_of(events, hashes, first_line, shared)
        for check, cells in zip(self._checks, groups, strict=True):
            if not check("".join(cells)):
                return None
        block = "".join(rows)
        # A newline inside a text needs quotes.
        if "\r" in block or block.count("\n") != len(rows):
            return None
        return block

    # --- the long path

    def _long_row(self, line: bytes, line_number: int, shared: str) -> str:
        sent = read_members(line)
        cells = [shared, str(line_number), *([content_hash(line)] if self._is_hashed else [])]
        for key in self._order:
            token = sent.get(key, NULL)
            kind = self._fields[key]
            if token == NULL or (token == BLANK and self._is_blank_missing and kind not in STRINGS):
                cells.append("")
            else:
                cell = CELLS[kind](token)
                if cell is None:
                    cells.append("")
                    continue
                cells.append(quoted(cell))
            sent.pop(key, None)
        cells.append(_unknown(sent) if sent else "")
        return DELIMITER.join(cells) + "\n"


# The cells of booleans, as JSON's own words or as texts.
BOOLEANS = {None: "", "": "", True: "t", "true": "t", False: "f", "false": "f"}


def content_hash(line: bytes) -> str:
    """What tells a line from others where the vendor gives no id: its MD5, hexadecimal."""
    return hashlib.md5(line, usedforsecurity=False).hexdigest()


def _is_risky(data: bytes) -> bool:
    # Each search is ten times faster than the next and mostly finds nothing.
    has_escape = b"\\" in data and b"\\u000" in data and _RISKY_ESCAPE.search(data) is not None
    return has_escape or not _is_utf_8(data)


def _is_utf_8(data: bytes) -> bool:
    """Asked apart: msgspec passes over what does not count, as all but a key's last value."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _unknown(fields: dict[str, str]) -> str:
    """The cell of unknown_fields; each value as sent."""
    members = ",".join(f"{json.dumps(key)}:{token}" for key, token in fields.items())
    return quoted("{" + members + "}")

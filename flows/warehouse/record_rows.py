"""Lines of NDJSON as rows of a table that keeps each record whole: record json, content_hash."""

import msgspec

from flows.lake.line_stream import Slab
from flows.warehouse.copy_rows import (
    CSV,
    DELIMITER,
    Block,
    are_on_a_line_each,
    quoted,
    rows_one_by_one,
)
from flows.warehouse.json_members import read_members
from flows.warehouse.row_maker import content_hash

_decode_objects = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines


class RecordMaker:
    """Makes rows of one table out of lines of any fields; what RowMaker is for a typed table."""

    def __init__(self, table: str, file_columns: tuple[str, ...]) -> None:
        """file_columns: columns that are the same in all rows of a file."""
        columns = (*file_columns, "load_id", "line_number", "record", "content_hash")
        self.table = table
        self.copy = f"copy {table} ({', '.join(columns)}) from stdin {CSV}"

    def make_block(self, slab: Slab, load_id: int, careful: bool, file_cells: str = "") -> Block:
        """Rows of some lines, each as sent; arguments and result as of RowMaker.make_block."""
        are_objects = not careful and _are_objects(slab.data)

        def row_of(line: bytes, line_number: int) -> str:
            if not are_objects:
                read_members(line)
            cells = (f"{file_cells}{load_id}", str(line_number), quoted(line.decode()))
            return DELIMITER.join((*cells, content_hash(line))) + "\n"

        return rows_one_by_one(slab, row_of)


def _are_objects(data: bytes) -> bool:
    """Whether all lines are surely objects; blank and odd ones are looked at one by one."""
    try:
        data.decode()  # msgspec passes over what it is not asked to decode
        return are_on_a_line_each(len(_decode_objects(data)), data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False

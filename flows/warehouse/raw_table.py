"""What the loader needs to know of a raw table."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.lake.line_stream import Slab
from flows.warehouse.copy_rows import Block


@dataclass(frozen=True, slots=True)
class RawTable:
    """A raw table, ready for the lines of one file.

    name: with its schema. copy: its COPY statement. make_block: (lines, load_id, careful) -> rows;
    see RowMaker.make_block. has_ordinals: its rows bear no id of the vendor's, so equal rows of a
    file are told apart by content_hash and ordinal; see ledger.complete.
    """

    name: str
    copy: str
    make_block: Callable[[Slab, int, bool], Block]
    has_ordinals: bool

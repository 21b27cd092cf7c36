"""The beginning of a file of text, and its lines: what CSV and NDJSON have in common."""

from collections.abc import Iterator

from flows.errors import Interrupted
from flows.lake.archive_reader import unreadable
from flows.lake.line_stream import whole_lines

_BOM = b"\xef\xbb\xbf"
# What files of other kinds begin with, longest first.
_STRANGERS = {
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
    b"\x1f\x8b": "it is packed with gzip, so its name has to end in .gz",
    b"PK\3\4": "it is a zip, whose name has to end in .zip, or a workbook: save that as CSV",
    b"PAR1": "it is Parquet, so its name has to end in .parquet",
}


def text_blocks(name: str, blocks: Iterator[bytes], line_max_bytes: int) -> Iterator[bytes | None]:
    """Whole lines of a file of text, its byte order mark left out; see whole_lines for None.

    Raises Interrupted(reason="unreadable_file") for what is surely no UTF-8.
    """
    return whole_lines(_without_bom(name, blocks), line_max_bytes)


def too_long(name: str, line: int, line_max_bytes: int, hint: str = "") -> Interrupted:
    """The error of a record beyond the limit; never to be rejected, for what follows is unknown."""
    return unreadable_line(
        name, line, f"longer than {line_max_bytes:,} bytes (DWH_LINE_MAX_BYTES){hint}"
    )


def unreadable_line(name: str, line: int, why: str) -> Interrupted:
    """The error of a line of a person's file behind which nothing can be read."""
    return Interrupted.at_line(f"{name}, line {line} (0-based): {why}", name, line)


def _without_bom(name: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for block in blocks:
        head += block
        if len(head) >= len(b"PAR1"):
            break
    for beginning, why in _STRANGERS.items():
        if head.startswith(beginning):
            raise unreadable(name, why)
    yield head.removeprefix(_BOM)
    yield from blocks

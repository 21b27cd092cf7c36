"""Reading an export: `{"data":[{...},...]}` of any size, as one line of bytes per row.

A row stays as the vendor sent it (duplicate keys, forms of numbers, escapes); only line breaks
between its tokens become blanks, so that it is one line. The closing `]}` proves that the file is
whole. Memory: one block, or what the longest row needs.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flows.lake.json_text import JsonText
from flows.vendors.appmetrica_wire import broken

#: A row holds a screenful of attributes or a stack trace. Beyond this it is no row but damage that
#: lost its end.
_LONGEST_ROW = 64 * 1024 * 1024


def read_rows(path: Path, window: str) -> Iterator[bytes]:
    """Each row as it was sent, without a line end.

    Bytes that are no UTF-8 pass as they are: the loader names their line. window: for errors.
    Raises VendorFailed, at the latest behind the last row, for whatever is not one object with the
    one key `data` and a list of objects.
    """
    with path.open("rb") as file:
        text = JsonText(file.read, partial(broken, window), _LONGEST_ROW)
        text.demand("{")
        text.demand('"data"')
        text.demand(":")
        text.demand("[")
        if text.next_letter() != "]":
            yield text.object()
            while text.next_letter() == ",":
                text.demand(",")
                yield text.object()
        text.demand("]")
        text.demand("}")
        if text.next_letter():
            raise text.broken("there is more behind its end")

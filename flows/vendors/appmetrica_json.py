"""Reading an export: `{"data":[{...},...]}` of any size, as one line of bytes per row.

A row stays as the vendor sent it (duplicate keys, forms of numbers, escapes); only line breaks
between its tokens become blanks, so that it is one line. The closing `]}` proves that the file is
whole. Memory: one block, or what the longest row needs.
"""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

from flows.errors import VendorFailed
from flows.vendors.appmetrica_wire import broken

#: Characters read at once: enough that Python's share of the time is small.
_READ_BYTES = 1024 * 1024

#: A row holds a screenful of attributes or a stack trace. Beyond this it is no row but damage that
#: lost its end.
_LONGEST_ROW = 64 * 1024 * 1024

_BLANKS = " \t\n\r"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


# Numbers need not be read to find a row's end, and Python refuses to read very long ones.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str)


def read_rows(path: Path, window: str) -> Iterator[bytes]:
    """Each row as it was sent, without a line end.

    Bytes that are no UTF-8 pass as they are: the loader names their line. window: for errors.
    Raises VendorFailed, at the latest behind the last row, for whatever is not one object with the
    one key `data` and a list of objects.
    """
    with path.open("rb") as file:
        text = _Text(file, window)
        text.demand("{")
        text.demand('"data"')
        text.demand(":")
        text.demand("[")
        if text.next_letter() != "]":
            yield text.row()
            while text.next_letter() == ",":
                text.demand(",")
                yield text.row()
        text.demand("]")
        text.demand("}")
        if text.next_letter():
            raise text.broken("there is more behind its end")


class _Text:
    """A file's text from a position on."""

    def __init__(self, file: IO[bytes], window: str) -> None:
        self._file = file
        self._window = window
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._held = ""
        self._at = 0
        self._read_on(_READ_BYTES)
        self._held = self._held.removeprefix("\ufeff")

    def next_letter(self) -> str:
        """The next character that is no blank, "" at the end of the file; it is not taken."""
        while True:
            held, at = self._held, self._at
            while at < len(held) and held[at] in _BLANKS:
                at += 1
            self._at = at
            if at < len(held):
                return held[at]
            if not self._read_on(_READ_BYTES):
                return ""

    def demand(self, token: str) -> None:
        """Take a token."""
        self.next_letter()
        while len(self._held) - self._at < len(token) and self._read_on(_READ_BYTES):
            pass
        if not self._held.startswith(token, self._at):
            end = self._at >= len(self._held)
            raise self.broken(f"{'its end' if end else 'something else'} stands where {token} must")
        self._at += len(token)

    def row(self) -> bytes:
        """Take an object."""
        if self.next_letter() != "{":
            raise self.broken("an entry of data is no object")
        while True:
            try:
                _, end = _DECODER.raw_decode(self._held, self._at)
                break
            except RecursionError:
                raise self.broken("a row is nested too deeply") from None
            except ValueError:
                # Either the row goes on behind what is held, or it is damaged.
                size = len(self._held) - self._at
                if size > _LONGEST_ROW or not self._read_on(max(_READ_BYTES, size)):
                    raise self.broken("a row is cut or damaged") from None
        row = self._held[self._at : end]
        self._at = end
        # Texts bear no raw line break, so these stand between tokens.
        one_line = row.replace("\n", " ").replace("\r", " ")
        return one_line.encode("utf-8", "surrogateescape")

    def broken(self, what: str) -> VendorFailed:
        """The error; it bears no word of the file, since that is patients' data."""
        return broken(self._window, what)

    def _read_on(self, size: int) -> bool:
        """Hold more, and forget what was taken; False at the end of the file."""
        data = self._file.read(size)
        more = self._decoder.decode(data, final=not data)
        self._held = self._held[self._at :] + more
        self._at = 0
        return bool(data)

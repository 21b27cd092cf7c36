"""A JSON document of any size, taken token by token; its objects stay as they were sent.

Memory: one block, or what the longest object needs.
"""

import codecs
import json
from collections.abc import Callable
from typing import NoReturn

#: Characters read at once: enough that Python's share of the time is small.
_READ_BYTES = 1024 * 1024

_BLANKS = " \t\n\r"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


# Numbers need not be read to find an object's end, and Python refuses to read very long ones.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str)


class JsonText:
    """A text from a position on.

    read: gives about so many bytes more, none at the end; those that are no UTF-8 pass as they are.
    broken: makes the error of a phrase that says what is wrong, and holds no word of the text.
    """

    def __init__(
        self, read: Callable[[int], bytes], broken: Callable[[str], Exception], longest_object: int
    ) -> None:
        self._read = read
        self.broken = broken
        self._longest_object = longest_object
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

    def object(self) -> bytes:
        """Take an object, on one line."""
        if self.next_letter() != "{":
            raise self.broken("an entry of data is no object")
        while True:
            try:
                _, end = _DECODER.raw_decode(self._held, self._at)
                break
            except RecursionError:
                raise self.broken("a row is nested too deeply") from None
            except ValueError:
                # Either the object goes on behind what is held, or it is damaged.
                size = len(self._held) - self._at
                if size > self._longest_object or not self._read_on(max(_READ_BYTES, size)):
                    raise self.broken("a row is cut or damaged") from None
        taken = self._held[self._at : end]
        self._at = end
        # Texts bear no raw line break, so these stand between tokens.
        one_line = taken.replace("\n", " ").replace("\r", " ")
        return one_line.encode("utf-8", "surrogateescape")

    def _read_on(self, size: int) -> bool:
        """Hold more, and forget what was taken; False at the end of the file."""
        data = self._read(size)
        more = self._decoder.decode(data, final=not data)
        self._held = self._held[self._at :] + more
        self._at = 0
        return bool(data)

"""The members of a JSON object as texts: what each key was given, to the character."""

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]

import msgspec

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class NotAnObject(Exception):
    """Why a line cannot be read; never holds its text."""


class _Malformed(Exception):
    """The line breaks JSON's rules at this character or in the value behind it."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


# Numbers stay texts: int() of a million digits is slow, and the token itself is what counts.
_scan_value = json.JSONDecoder(  # type: ignore[attr-defined]
    parse_int=str, parse_float=str, parse_constant=_refuse_constant
).scan_once
_BLANKS = re.compile(r"[ \t\n\r]*")


def read_members(line: bytes) -> dict[str, str]:
    """Top-level keys of a JSON object, each with the text of its value as sent.

    Of a key that comes twice the last one counts. Raises NotAnObject for what is no JSON object.
    """
    problem = "no JSON object"
    try:
        text = line.decode("utf-8")
        if text.startswith("{", _skip(text, 0)):
            try:
                members = _decode_members(line)
            except msgspec.MsgspecError:
                # It refuses half surrogate pairs, which JSON allows; and says no position.
                return _scan_members(text, _skip(text, 0) + 1)
            return {key: str(value, "utf-8") for key, value in members.items()}
    except UnicodeDecodeError as error:
        problem = f"no valid UTF-8, at byte {error.start}"
    except _Malformed as error:
        problem = f"malformed JSON, at character {error.position}"
    except RecursionError:
        problem = "nested too deep to be read"
    raise NotAnObject(problem)


def _scan_members(text: str, position: int) -> dict[str, str]:
    """The members behind the opening brace, and nothing behind the closing one."""
    members: dict[str, str] = {}
    position = _skip(text, position)
    closing = text.startswith("}", position)
    while not closing:
        try:
            _expect(text, position, '"')
            key, colon = scanstring(text, position + 1, True)
            colon = _skip(text, colon)
            _expect(text, colon, ":")
            start = _skip(text, colon + 1)
            _, end = _scan_value(text, start)
        except (ValueError, StopIteration):
            raise _Malformed(position) from None
        members[key] = text[start:end]
        position = _skip(text, end)
        closing = text.startswith("}", position)
        if not closing:
            _expect(text, position, ",")
            position = _skip(text, position + 1)
    if _skip(text, position + 1) != len(text):
        raise _Malformed(position + 1)
    return members


def _expect(text: str, position: int, character: str) -> None:
    if not text.startswith(character, position):
        raise _Malformed(position)


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position

"""The answer's body: a zip of stored members, each a gzip of NDJSON.

Members are called `<pid>/<pid>_<YYYY-MM-DD>_<H>#<partition>.json.gz`: the hour is not padded,
partitions are sparse numbers that come back hour after hour, an hour has several, and members stand
in no order.
The same request gives the same bytes. Memory stays constant: one line and a compressor's window.
"""

import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from isal import isal_zlib

#: Partitions of an hour with many rows; the vendor's number is arbitrary, several are normal.
_MOST_PARTITIONS = 4
#: A gzip stream, not a zlib one; its header holds no name and no time.
_GZIP = 31
#: Past this an hour's member gets zip64 sizes, as zipfile must know before it writes.
_ZIP64_FROM_BYTES = 1024**3


class Damage(StrEnum):
    """What can be wrong inside an archive that is otherwise whole."""

    CORRUPT_MEMBER = "corrupt"
    MALFORMED_LINE = "malformed"


@dataclass(frozen=True, slots=True)
class _Member:
    """One part of an hour: the lines that begin in the span [from_byte, to_byte) of the hour."""

    hour: datetime
    partition: int
    from_byte: int
    to_byte: int


def write_archive(
    out: BinaryIO,
    *,
    project_id: int,
    hours: list[datetime],
    size_of: Callable[[datetime], int],
    lines_of: Callable[[datetime], Iterator[bytes]],
    damage: Damage | None = None,
) -> None:
    """Write the zip of some hours to a seekable file.

    hours: upload hours with rows; size_of: NDJSON bytes of an hour; lines_of: its lines without
    ends; damage: spoils the first member that is written, and nothing else.
    """
    rng = random.Random(f"{project_id}/{hours[0]}/{hours[-1]}")
    partitions = random.Random(project_id).sample(range(1000), _MOST_PARTITIONS)
    members = [
        member
        for hour in hours
        for member in _members_of(
            hour, size_of(hour), partitions[: rng.randint(1, len(partitions))]
        )
    ]
    rng.shuffle(members)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for member in members:
            lines = _lines_in_span(lines_of(member.hour), member.from_byte, member.to_byte)
            first = next(lines, None)
            if first is None:
                continue
            info = zipfile.ZipInfo(
                f"{project_id}/{project_id}_{member.hour:%Y-%m-%d}_{member.hour.hour}"
                f"#{member.partition}.json.gz",
                date_time=member.hour.timetuple()[:6],
            )
            large = member.to_byte - member.from_byte > _ZIP64_FROM_BYTES
            with archive.open(info, "w", force_zip64=large) as target:
                for piece in _gzipped(first, lines, damage):
                    target.write(piece)
            damage = None


def _members_of(hour: datetime, size: int, partitions: list[int]) -> Iterator[_Member]:
    share = -(-size // len(partitions))
    for index, partition in enumerate(partitions):
        last = index == len(partitions) - 1
        yield _Member(hour, partition, index * share, size + 1 if last else (index + 1) * share)


def _lines_in_span(lines: Iterator[bytes], from_byte: int, to_byte: int) -> Iterator[bytes]:
    position = 0
    for line in lines:
        if position >= to_byte:
            return
        if position >= from_byte:
            yield line
        position += len(line) + 1


def _gzipped(first: bytes, rest: Iterator[bytes], damage: Damage | None) -> Iterator[bytes]:
    """Pieces of one gzip stream."""
    if damage is Damage.MALFORMED_LINE:
        first = first[: len(first) // 2]
    pieces = _compressed(first, rest)
    if damage is Damage.CORRUPT_MEMBER:
        body = bytearray(b"".join(pieces))
        body[len(body) // 2] ^= 0xFF
        pieces = iter([bytes(body)])
    yield from pieces


def _compressed(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    compressor = isal_zlib.compressobj(level=1, wbits=_GZIP)
    yield compressor.compress(first + b"\n")
    for line in rest:
        if piece := compressor.compress(line + b"\n"):
            yield piece
    yield compressor.flush()

"""The bytes around the one deflated member of an archive: headers, directory, zip64, comment.

Everything is known before the first byte is written (sizes and CRC of the days add up), so the
member's own header tells its sizes: a reader need not seek, and no field depends on a clock. Why
not zipfile: it cannot take data that is deflated already. Format: PKWARE's APPNOTE.TXT 6.3.
"""

import struct
from dataclasses import dataclass

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_EXTRA64 = struct.Struct("<2H2Q")

_DEFLATED = 8
_NO_TIME, _FIRST_DOS_DAY = 0, (1 << 5) | 1  # 1980-01-01: zip knows no earlier and no missing date
_MADE_BY_UNIX = 3 << 8
_REGULAR_FILE_644 = 0o100644 << 16
_MOST_32, _MOST_16 = 0xFFFFFFFF, 0xFFFF

#: The end of a zip fits into so many bytes: directory entry, zip64 records, end, longest comment.
TAIL_BYTES = 1024 + _MOST_16


@dataclass(frozen=True, slots=True)
class Member:
    """The one member: its name, CRC-32 and size of its content, size of its deflate stream."""

    name: str
    crc32: int
    plain_bytes: int
    deflated_bytes: int

    @property
    def _is_64(self) -> bool:
        return max(self.plain_bytes, self.deflated_bytes) >= _MOST_32

    @property
    def _sizes(self) -> tuple[int, int]:
        """As the 32-bit fields hold them: deflated, plain."""
        return (_MOST_32, _MOST_32) if self._is_64 else (self.deflated_bytes, self.plain_bytes)

    @property
    def _extra(self) -> bytes:
        return _EXTRA64.pack(1, 16, self.plain_bytes, self.deflated_bytes) if self._is_64 else b""

    @property
    def _version(self) -> int:
        return 45 if self._is_64 else 20


def head(member: Member) -> bytes:
    """What stands before the deflate stream."""
    name = member.name.encode("ascii")
    fixed = _LOCAL.pack(
        b"PK\x03\x04",
        member._version,
        0,
        _DEFLATED,
        _NO_TIME,
        _FIRST_DOS_DAY,
        member.crc32,
        *member._sizes,
        len(name),
        len(member._extra),
    )
    return fixed + name + member._extra


def tail(member: Member, comment: bytes) -> bytes:
    """What stands behind the deflate stream."""
    name = member.name.encode("ascii")
    directory = (
        _CENTRAL.pack(
            b"PK\x01\x02",
            _MADE_BY_UNIX | member._version,
            member._version,
            0,
            _DEFLATED,
            _NO_TIME,
            _FIRST_DOS_DAY,
            member.crc32,
            *member._sizes,
            len(name),
            len(member._extra),
            0,
            0,
            0,
            _REGULAR_FILE_644,
            0,
        )
        + name
        + member._extra
    )
    start = len(head(member)) + member.deflated_bytes
    end64 = b""
    if start >= _MOST_32:
        end64 = _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), start)
        end64 += _LOCATOR.pack(b"PK\x06\x07", 0, start + len(directory), 1)
    end = _END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(directory), min(start, _MOST_32), len(comment))
    return directory + end64 + end + comment


def parse_tail(end_of_file: bytes) -> tuple[Member, bytes]:
    """Member and comment, from the last TAIL_BYTES of a zip of ours; ValueError says why not."""
    at = end_of_file.rfind(b"PK\x05\x06")
    while at >= 0:
        comment = end_of_file[at + _END.size :]
        if at + _END.size <= len(end_of_file) and _END.unpack_from(end_of_file, at)[-1] == len(
            comment
        ):
            break
        at = end_of_file.rfind(b"PK\x05\x06", 0, at)
    else:
        raise ValueError("it is no zip, or a cut one")
    _, _, _, _, members, directory_bytes, _, _ = _END.unpack_from(end_of_file, at)
    before = at
    if end_of_file[max(0, at - _LOCATOR.size) : at].startswith(b"PK\x06\x07"):
        before -= _LOCATOR.size + _END64.size
    if members != 1:
        raise ValueError(f"it has {members} members instead of one")
    entry = end_of_file[max(0, before - directory_bytes) : before]
    try:
        found = _CENTRAL.unpack_from(entry)
    except struct.error as error:
        raise ValueError("its directory is cut") from error
    crc32, deflated_bytes, plain_bytes, name_bytes, extra_bytes = found[7:12]
    name = entry[_CENTRAL.size :][:name_bytes]
    extra = entry[_CENTRAL.size + name_bytes :][:extra_bytes]
    if extra_bytes == _EXTRA64.size:
        _, _, plain_bytes, deflated_bytes = _EXTRA64.unpack(extra)
    member = Member(name.decode("ascii", "replace"), crc32, plain_bytes, deflated_bytes)
    if not name.isascii() or tail(member, comment) != end_of_file[before - directory_bytes :]:
        raise ValueError("it was not written by this project")
    return member, comment

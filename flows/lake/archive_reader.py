"""Reads the one NDJSON member of a weekly archive in S3 as a stream of bytes.

An archive is a zip with exactly one member, deflated or stored, of any size (zip64 included). Only
its directory and one part at a time are in memory. What cannot be trusted is refused: see
`open_archive` and `Archive.blocks`.
"""

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from isal import isal_zlib

from flows.errors import Interrupted
from flows.lake.bucket import Bucket
from flows.lake.inflate import BLOCK_BYTES, DEFLATE, inflated
from flows.lake.objects import ObjectVersion, read_range
from flows.settings import Limits

# The directory of a one-member zip: 64 KiB comment, name, extra and end records fit in here. A
# directory that wants more is hostile (zipfile would read it into memory whole).
DIRECTORY_BYTES = 512 * 1024

# What file systems take for a name.
LONGEST_NAME = 255

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000  # classic, strong, masked headers

UNREADABLE_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    OSError,
    OverflowError,
    EOFError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose directory was read and found sound; its member was not read yet.

    member: name inside the zip. comment: the zip's comment, raw.
    """

    bucket: Bucket
    key: str
    version: ObjectVersion
    member: str
    comment: bytes
    deflated: bool
    data_offset: int
    data_bytes: int
    ndjson_bytes: int
    crc: int
    limits: Limits

    def blocks(self) -> Iterator[bytes]:
        """The member's bytes in order, at most BLOCK_BYTES each.

        Raises Interrupted(reason="unreadable_file") when the bytes do not inflate, or are not of
        the size and CRC that the directory promises, at the latest behind the last block;
        ArchiveFailed when the object changed meanwhile or S3 fails.
        """
        crc = 0
        count = 0
        for block in self._inflated() if self.deflated else self._stored():
            count += len(block)
            if count > self.ndjson_bytes:
                raise unreadable(self.key, "the member is larger than the directory says")
            crc = isal_zlib.crc32(block, crc)
            yield block
        if count != self.ndjson_bytes:
            raise unreadable(self.key, "the member is shorter than the directory says")
        if crc != self.crc:
            raise unreadable(self.key, "the member's CRC does not match: the file is damaged")

    def _parts(self) -> Iterator[bytes]:
        return read_range(self.bucket, self.key, self.version, self.data_offset, self.data_bytes)

    def _stored(self) -> Iterator[bytes]:
        for part in self._parts():
            for start in range(0, len(part), BLOCK_BYTES):
                yield part[start : start + BLOCK_BYTES]

    def _inflated(self) -> Iterator[bytes]:
        try:
            yield from inflated(self._parts(), DEFLATE)
        except ValueError as error:
            raise unreadable(self.key, "the member's deflated bytes are damaged") from error


def open_archive(
    bucket: Bucket, key: str, version: ObjectVersion, limits: Limits | None = None
) -> Archive:
    """Read the directory of this version of the archive `key`. limits: of the environment.

    Raises Interrupted(reason="unreadable_file") for what is no zip, is empty, encrypted, has not
    exactly one member, one whose name is no plain file's, or promises an absurd size (a bomb);
    ArchiveFailed where S3 fails.
    """
    limits = limits or Limits.load()
    if version.size_bytes == 0:
        raise unreadable(key, "the object is empty")
    source = _RangedFile(bucket, key, version)
    problem: str | None = None
    try:
        with zipfile.ZipFile(source) as zipped:
            members, comment = zipped.infolist(), zipped.comment
    except UNREADABLE_ZIP:
        problem = "it is no zip archive, or its directory is damaged"
    if problem:
        raise unreadable(key, problem)
    if len(members) != 1:
        raise unreadable(key, f"it holds {len(members)} members, not one")
    info = members[0]
    if info.flag_bits & ENCRYPTED_FLAGS:
        raise unreadable(key, "its member is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise unreadable(key, f"its member is packed by method {info.compress_type}, not deflate")
    if info.filename.endswith("/"):
        raise unreadable(key, "its member is a folder")
    if not _is_plain(info.orig_filename):
        raise unreadable(key, "its member bears a path or an absurd name")
    data_offset = _data_offset(source, key, info)
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    if data_offset + info.compress_size > version.size_bytes or not (
        deflated or info.compress_size == info.file_size
    ):
        raise unreadable(key, "its directory and its length contradict each other")
    if limits.is_bomb(info.file_size, info.compress_size):
        raise unreadable(key, f"it would inflate to {info.file_size:,} bytes: a zip bomb")
    return Archive(
        bucket=bucket,
        key=key,
        version=version,
        member=info.filename,
        comment=comment,
        deflated=deflated,
        data_offset=data_offset,
        data_bytes=info.compress_size,
        ndjson_bytes=info.file_size,
        crc=info.CRC,
        limits=limits,
    )


def unreadable(key: str, why: str) -> Interrupted:
    """The error of a file that cannot be read."""
    return Interrupted(f"{key} cannot be read: {why}", reason="unreadable_file", file_key=key)


def _is_plain(name: str) -> bool:
    """Nothing here is unpacked under its own name; a path shows that the zip is none of ours."""
    return (
        0 < len(name) <= LONGEST_NAME
        and name.isprintable()
        and name not in (".", "..")
        and not {"/", "\\", ":"} & set(name)
    )


def _data_offset(source: "_RangedFile", key: str, info: zipfile.ZipInfo) -> int:
    """Where the member's bytes start: behind its local header, whose length only it knows."""
    # zipfile takes what stands before the first header for no part of the zip: where that is less
    # than nothing, so may be the offset.
    header = b""
    if info.header_offset >= 0:
        source.seek(info.header_offset)
        header = source.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size:
        raise unreadable(key, "its member's header is missing")
    fields = LOCAL_HEADER.unpack(header)
    signature, flags, method, name_bytes, extra_bytes = (
        fields[0],
        fields[2],
        fields[3],
        fields[9],
        fields[10],
    )
    if signature != b"PK\3\4" or method != info.compress_type:
        raise unreadable(key, "its member's header is damaged")
    if flags & ENCRYPTED_FLAGS:
        raise unreadable(key, "its member is encrypted")
    return info.header_offset + LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)


class _RangedFile(io.RawIOBase):
    """The object as a seekable file, for zipfile's reading of the directory.

    The last DIRECTORY_BYTES come in one request; zipfile seeks to and fro in there.
    """

    def __init__(self, bucket: Bucket, key: str, version: ObjectVersion) -> None:
        super().__init__()
        self._bucket, self._key, self._version = bucket, key, version
        self._size = version.size_bytes
        self._position = 0
        self._tail_start = max(0, self._size - DIRECTORY_BYTES)
        self._tail = self._get(self._tail_start, self._size - self._tail_start)

    def _get(self, start: int, length: int) -> bytes:
        return b"".join(read_range(self._bucket, self._key, self._version, start, length))

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")  # as a real file would; zipfile expects it
        self._position = base + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size == 0:
            return b""
        if size > DIRECTORY_BYTES:
            raise zipfile.BadZipFile("the directory is larger than any of ours")
        start = self._position
        if start >= self._tail_start:
            data = self._tail[start - self._tail_start :][:size]
        else:
            data = self._get(start, size)
        self._position += len(data)
        return data

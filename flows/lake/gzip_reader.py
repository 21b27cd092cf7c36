"""Reads a day's `.ndjson.gz` in S3 as a stream of bytes; what cannot be trusted is refused.

Exactly one gzip member, of any size. Only one part at a time is in memory.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from flows.lake.archive_reader import unreadable
from flows.lake.bucket import Bucket
from flows.lake.inflate import GZIP, inflated
from flows.lake.objects import ObjectVersion, read_range
from flows.settings import Limits

_MAGIC = b"\x1f\x8b\x08"  # gzip, deflated
_SMALLEST_BYTES = 20  # header, an empty deflate stream, trailer


@dataclass(frozen=True, slots=True)
class GzipArchive:
    """A gzip file whose ends were read; its content was not read yet.

    ndjson_bytes: what its trailer says, which counts modulo 4 GiB.
    """

    bucket: Bucket
    key: str
    version: ObjectVersion
    ndjson_bytes: int
    limits: Limits

    def blocks(self) -> Iterator[bytes]:
        """The content in order, in blocks of at most inflate.BLOCK_BYTES.

        Raises Interrupted(reason="unreadable_file") when the bytes do not inflate, are cut, damaged
        (CRC, length), a bomb, or followed by a second member; ArchiveFailed when the object changed
        meanwhile or S3 fails.
        """
        deflated_bytes = inflated_bytes = 0

        def counted() -> Iterator[bytes]:
            nonlocal deflated_bytes
            for part in read_range(self.bucket, self.key, self.version, 0, self.version.size_bytes):
                deflated_bytes += len(part)
                yield part

        try:
            for block in inflated(counted(), GZIP):
                inflated_bytes += len(block)
                if self.limits.is_bomb(inflated_bytes, deflated_bytes):
                    raise unreadable(self.key, "it inflates to too much: a gzip bomb")
                yield block
        except ValueError as error:
            raise unreadable(self.key, f"its gzip data are damaged: {error}") from error


def open_gzip(
    bucket: Bucket, key: str, version: ObjectVersion, limits: Limits | None = None
) -> GzipArchive:
    """Read the ends of this version of the archive `key`. limits: by default of the environment.

    Raises Interrupted(reason="unreadable_file") for what is no gzip file or is empty; ArchiveFailed
    where S3 fails.
    """
    if version.size_bytes == 0:
        raise unreadable(key, "the object is empty")
    head = b"".join(read_range(bucket, key, version, 0, min(len(_MAGIC), version.size_bytes)))
    if head != _MAGIC or version.size_bytes < _SMALLEST_BYTES:
        raise unreadable(key, "it is no gzip file")
    trailer = b"".join(read_range(bucket, key, version, version.size_bytes - 4, 4))
    (size,) = struct.unpack("<I", trailer)
    return GzipArchive(bucket, key, version, size, limits or Limits.load())

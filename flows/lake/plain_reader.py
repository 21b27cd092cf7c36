"""Reads an object of S3 that is not packed as a stream of bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from flows.lake.archive_reader import unreadable
from flows.lake.bucket import Bucket
from flows.lake.objects import ObjectVersion, read_range
from flows.settings import Limits


@dataclass(frozen=True, slots=True)
class PlainArchive:
    """An object as it is; nothing of it was read yet."""

    bucket: Bucket
    key: str
    version: ObjectVersion
    limits: Limits

    @property
    def ndjson_bytes(self) -> int:
        """What it holds."""
        return self.version.size_bytes

    def blocks(self) -> Iterator[bytes]:
        """The bytes in order, at most 1 MiB each; raises ArchiveFailed."""
        yield from read_range(self.bucket, self.key, self.version, 0, self.version.size_bytes)


def open_plain(
    bucket: Bucket, key: str, version: ObjectVersion, limits: Limits | None = None
) -> PlainArchive:
    """This version of an object. Raises Interrupted(reason="unreadable_file") where it is empty."""
    if version.size_bytes == 0:
        raise unreadable(key, "it is empty")
    return PlainArchive(bucket, key, version, limits or Limits.load())

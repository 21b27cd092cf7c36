"""A file on the disk as a bucket of one object, so that the readers of archives judge it as S3's.

Its ETag is its time and size: a file that is written meanwhile is another object.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.errors import BadRequest
from flows.lake.bucket import Bucket
from flows.lake.objects import ObjectVersion, look

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE_BYTES = 1024 * 1024


class _OneFile:
    """What read_range asks of boto3's client."""

    def get_object(self, *, Bucket: str, Key: str, Range: str) -> dict[str, object]:  # noqa: ARG002
        """The bytes of a range, "bytes=first-last"."""
        first, _, last = Range.removeprefix("bytes=").partition("-")
        body = Path(Key).open("rb")  # noqa: SIM115 - whoever reads closes it
        body.seek(int(first))
        return {"ETag": _etag(Path(Key)), "Body": _Part(body, int(last) + 1 - int(first))}


class _Part:
    def __init__(self, file: io.BufferedReader, length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


def open_given(
    bucket: Bucket, path: Path | None, key: str | None
) -> tuple[Bucket, str, ObjectVersion]:
    """A file that a person names, on the disk (path) or in the bucket (key): where it lies, its
    name there, its version. Raises BadRequest where there is none.
    """
    if path is not None:
        place, version = open_local(path)
        return place, str(path), version
    name = key or ""
    found = look(bucket, name)
    if found is None:
        raise BadRequest(f"there is no object {name!r} in bucket {bucket.name}")
    return bucket, name, found


def open_local(path: Path) -> tuple[Bucket, ObjectVersion]:
    """A bucket in which the object `str(path)` is the file. Raises BadRequest where it is none."""
    if not path.is_file():
        raise BadRequest(f"there is no file {path}")
    version = ObjectVersion(_etag(path), path.stat().st_size)
    return Bucket(cast("S3Client", _OneFile()), "the disk"), version


def _etag(path: Path) -> str:
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}"


def file_pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a megabyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece

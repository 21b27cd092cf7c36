"""Objects of the bucket: look, read a range, upload in parts. Constant memory for any size."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from flows.errors import ArchiveFailed
from flows.lake.bucket import Bucket

#: S3 wants parts of at least 5 MiB and at most 10,000 of them.
_PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 9_000
#: Parts on their way at once; with the one that is being filled this bounds the memory.
_PARTS_AT_ONCE = 2

_READ_BYTES = 1024 * 1024
#: A connection that breaks while an object is read is opened again behind the last byte.
_READ_TRIES = 5


class ObjectChanged(ArchiveFailed):
    """Someone else wrote the object meanwhile; look again and start over."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """What HEAD says of an object. etag: without quotes; size_bytes: of the object."""

    etag: str
    size_bytes: int


@contextmanager
def s3_errors(key: str, deed: str) -> Iterator[None]:
    """Turn errors of boto3 into ArchiveFailed that names the object."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ArchiveFailed(f"{key} could not be {deed}: {error}", file_key=key) from error


def look(bucket: Bucket, key: str) -> ObjectVersion | None:
    """The object's present version, None if there is none; ArchiveFailed if S3 does not say."""
    with s3_errors(key, "looked up"):
        try:
            answer = bucket.client.head_object(Bucket=bucket.name, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                _demand_bucket(bucket, key)
                return None
            raise
    return ObjectVersion(answer["ETag"].strip('"'), answer["ContentLength"])


def _demand_bucket(bucket: Bucket, key: str) -> None:
    """A 404 of HEAD does not say whether the object or the whole bucket is missing."""
    try:
        bucket.client.head_bucket(Bucket=bucket.name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            raise ArchiveFailed(
                f"there is no bucket {bucket.name!r}: make it, or correct S3_BUCKET_NAME",
                file_key=key,
            ) from error
        raise


def read_range(
    bucket: Bucket, key: str, version: ObjectVersion, start: int, length: int
) -> Iterator[bytes]:
    """Bytes of one version of an object, in pieces of at most 1 MiB.

    ObjectChanged if the object is another one by now; ArchiveFailed if reading keeps breaking.
    """
    done = tries = 0
    while done < length:
        try:
            answer = bucket.client.get_object(
                Bucket=bucket.name, Key=key, Range=f"bytes={start + done}-{start + length - 1}"
            )
            if answer["ETag"].strip('"') != version.etag:
                raise ObjectChanged(f"{key} was written by someone else meanwhile", file_key=key)
            with answer["Body"] as body:
                while piece := body.read(_READ_BYTES):
                    done += len(piece)
                    yield piece
        except (BotoCoreError, ClientError) as error:
            tries += 1
            if tries >= _READ_TRIES:
                raise ArchiveFailed(f"{key} could not be read: {error}", file_key=key) from error
        else:
            if done < length:
                tries += 1
                if tries >= _READ_TRIES:
                    raise ArchiveFailed(f"{key} ends after {start + done} bytes", file_key=key)


def upload(
    bucket: Bucket,
    key: str,
    pieces: Iterable[bytes],
    size_bytes: int,
    before_completion: Callable[[], None],
) -> ObjectVersion:
    """Write an object of a known size in parts, and prove that it stands in S3 as it was sent.

    Nothing is visible under the key until all parts are there; any failure before leaves the old
    object. before_completion: called when all parts are sent; what it raises gives the upload up.
    Raises ArchiveFailed, also when S3 holds something else afterwards.
    """
    part_bytes = max(_PART_BYTES, -(-size_bytes // _MOST_PARTS))
    sums = _Sums()
    with s3_errors(key, "written"):
        upload_id = bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]
        completed = False
        try:
            parts = _send_parts(bucket, key, upload_id, pieces, part_bytes, sums)
            if sums.size_bytes != size_bytes:
                raise ArchiveFailed(
                    f"{key}: {sums.size_bytes} bytes came instead of {size_bytes}", file_key=key
                )
            before_completion()
            bucket.client.complete_multipart_upload(
                Bucket=bucket.name,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"ETag": etag, "PartNumber": number} for number, etag in enumerate(parts, 1)
                    ]
                },
            )
            completed = True
        finally:
            if not completed:
                bucket.client.abort_multipart_upload(
                    Bucket=bucket.name, Key=key, UploadId=upload_id
                )
    return _prove(bucket, key, sums)


class _Sums:
    """MD5 of the whole and of each part, as S3 builds its ETags from them; and the size."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._whole = hashlib.md5(usedforsecurity=False)
        self._of_parts = hashlib.md5(usedforsecurity=False)
        self._parts = 0

    def add(self, part: bytes) -> bytes:
        digest = hashlib.md5(part, usedforsecurity=False).digest()
        self.size_bytes += len(part)
        self._whole.update(part)
        self._of_parts.update(digest)
        self._parts += 1
        return digest

    @property
    def whole(self) -> str:
        return self._whole.hexdigest()

    @property
    def etags(self) -> set[str]:
        """ETags that prove the content: AWS's way, and that of plain-file servers."""
        return {self.whole, f"{self._of_parts.hexdigest()}-{self._parts}"}


def _send_parts(
    bucket: Bucket, key: str, upload_id: str, pieces: Iterable[bytes], part_bytes: int, sums: _Sums
) -> list[str]:
    """Send the parts, a few at a time; returns their ETags in order."""

    def send(number: int, part: bytes, digest: bytes) -> str:
        answer = bucket.client.upload_part(
            Bucket=bucket.name,
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=part,
            ContentMD5=base64.b64encode(digest).decode("ascii"),
        )
        return answer["ETag"]

    etags: list[str] = []
    waiting: deque[Future[str]] = deque()
    with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
        for number, part in enumerate(_in_parts(pieces, part_bytes), 1):
            if len(waiting) == _PARTS_AT_ONCE:
                etags.append(waiting.popleft().result())
            waiting.append(pool.submit(send, number, part, sums.add(part)))
        etags.extend(future.result() for future in waiting)
    return etags


def _in_parts(pieces: Iterable[bytes], part_bytes: int) -> Iterator[bytes]:
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= part_bytes:
            yield bytes(memoryview(buffer)[:part_bytes])
            del buffer[:part_bytes]
    if buffer:
        yield bytes(buffer)


def _prove(bucket: Bucket, key: str, sums: _Sums) -> ObjectVersion:
    """HEAD must tell the size, and an ETag that follows from the content; else all is read back."""
    version = look(bucket, key)
    if version is None or version.size_bytes != sums.size_bytes:
        found = "nothing" if version is None else f"{version.size_bytes} bytes"
        raise ArchiveFailed(
            f"{key}: {sums.size_bytes} bytes were written, S3 holds {found}", file_key=key
        )
    if version.etag not in sums.etags:
        # Some servers and encrypted buckets have ETags that say nothing of the content.
        read_back = hashlib.md5(usedforsecurity=False)
        for piece in read_range(bucket, key, version, 0, version.size_bytes):
            read_back.update(piece)
        if read_back.hexdigest() != sums.whole:
            raise ArchiveFailed(f"{key}: S3 holds other bytes than were written", file_key=key)
    return version

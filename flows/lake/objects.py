"""Objects of the bucket: look, read a range, upload in parts. Constant memory for any size."""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from flows.crew import Crew, awaited
from flows.errors import ArchiveFailed
from flows.lake.bucket import Bucket
from flows.patience import patiently

if TYPE_CHECKING:
    from botocore.response import StreamingBody

#: S3 wants parts of at least 5 MiB and at most 10,000 of them.
_PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 9_000
#: Parts on their way at once; with the one that is being filled this bounds the memory.
_PARTS_AT_ONCE = 2

_READ_BYTES = 1024 * 1024
#: An S3 that does not take back an upload within this will not do so in time for anybody.
_ABORT_S = 3.0


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

    A body that breaks off is asked for again behind its last byte. ObjectChanged if the object is
    another one by now; ArchiveFailed if reading keeps breaking.
    """
    with closing(_Rest(bucket, key, version, start, start + length)) as rest:
        while rest.start < rest.end:
            # Each piece is progress: tries are counted from the last one on.
            yield patiently(_is_cut, what=f"reading {key}")(rest.read)


class _BodyCut(ArchiveFailed):
    """The connection broke in the middle of an object."""


def _is_cut(error: BaseException) -> bool:
    return isinstance(error, _BodyCut)


@dataclass(slots=True)
class _Rest:
    """What is still to be read of a range; start moves with each piece."""

    bucket: Bucket
    key: str
    version: ObjectVersion
    start: int
    end: int
    _body: "StreamingBody | None" = None

    def read(self) -> bytes:
        """The next piece, never an empty one."""
        body = self._body or self._open()
        piece = b""
        why = "it ended too early"
        try:
            piece = body.read(_READ_BYTES)
        except BotoCoreError as error:
            why = str(error)
        if not piece:
            self.close()
            raise _BodyCut(
                f"{self.key} could not be read behind byte {self.start}: {why}", file_key=self.key
            )
        self.start += len(piece)
        return piece

    def _open(self) -> "StreamingBody":
        with s3_errors(self.key, "read"):
            answer = self.bucket.client.get_object(
                Bucket=self.bucket.name, Key=self.key, Range=f"bytes={self.start}-{self.end - 1}"
            )
        self._body = answer["Body"]
        if answer["ETag"].strip('"') != self.version.etag:
            raise ObjectChanged(
                f"{self.key} was written by someone else meanwhile", file_key=self.key
            )
        return self._body

    def close(self) -> None:
        """Let the connection go."""
        body, self._body = self._body, None
        if body is not None:
            body.close()


def upload(
    bucket: Bucket,
    key: str,
    pieces: Callable[[], Iterable[bytes]],
    size_bytes: int,
    before_completion: Callable[[], None],
    *,
    content_type: str | None = None,
) -> ObjectVersion:
    """Write an object of a known size in parts, and prove that it stands in S3 as it was sent.

    Nothing is visible under the key until all parts are there; any failure before leaves the old
    object. pieces: gives the content from its start; called again where S3 has lost the upload.
    before_completion: called when all parts are sent; what it raises gives the upload up.
    content_type: what browsers take it for; S3's own default where it is None.
    Raises ArchiveFailed, also when S3 holds something else afterwards.
    """
    return patiently(_is_lost, what=f"writing {key}")(
        lambda: _upload_once(bucket, key, pieces(), size_bytes, before_completion, content_type)
    )


class _UploadLost(ArchiveFailed):
    """S3 knows nothing of an upload that was begun: its server was restarted, or it was cleaned."""


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, _UploadLost)


def _upload_once(
    bucket: Bucket,
    key: str,
    pieces: Iterable[bytes],
    size_bytes: int,
    before_completion: Callable[[], None],
    content_type: str | None,
) -> ObjectVersion:
    part_bytes = max(_PART_BYTES, -(-size_bytes // _MOST_PARTS))
    sums = _Sums()
    with s3_errors(key, "written"):
        begun = (
            bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)
            if content_type is None
            else bucket.client.create_multipart_upload(
                Bucket=bucket.name, Key=key, ContentType=content_type
            )
        )
        upload_id = begun["UploadId"]
        completed = False
        try:
            with _lost_upload(key):
                parts = _send_parts(bucket, key, upload_id, pieces, part_bytes, sums)
            if sums.size_bytes != size_bytes:
                raise ArchiveFailed(
                    f"{key}: {sums.size_bytes} bytes came instead of {size_bytes}", file_key=key
                )
            before_completion()
            with _lost_upload(key):
                _complete(bucket, key, upload_id, parts, sums)
            completed = True
        finally:
            if not completed:
                _abort(bucket, key, upload_id)
    return _prove(bucket, key, sums)


@contextmanager
def _lost_upload(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not _is_unknown(error):
            raise
        raise _UploadLost(f"{key}: S3 has lost the upload", file_key=key) from error


def _complete(bucket: Bucket, key: str, upload_id: str, parts: list[str], sums: "_Sums") -> None:
    try:
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
    except ClientError as error:
        # Where the answer of S3 was lost, boto3 asks again for what is done already.
        if not _is_unknown(error) or not _stands(look(bucket, key), sums):
            raise


def _is_unknown(error: ClientError) -> bool:
    return error.response["Error"].get("Code") == "NoSuchUpload"


def _stands(version: ObjectVersion | None, sums: "_Sums") -> bool:
    """Whether an object is what was sent, as far as its size and ETag tell."""
    return (
        version is not None and version.size_bytes == sums.size_bytes and version.etag in sums.etags
    )


def _abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """Have S3 forget the parts. What fails here is told by what came before; nor is it waited for.

    Parts that stay are seen by nobody but the bill: a lifecycle rule of the bucket removes them.
    """

    def abort() -> None:
        with suppress(BotoCoreError, ClientError):
            bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload_id)

    with Crew(1, "abort-upload") as crew:
        wait([crew.submit(abort)], _ABORT_S)


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
    with Crew(_PARTS_AT_ONCE, "upload") as crew:
        for number, part in enumerate(_in_parts(pieces, part_bytes), 1):
            if len(waiting) == _PARTS_AT_ONCE:
                etags.append(awaited(waiting.popleft()))
            waiting.append(crew.submit(send, number, part, sums.add(part)))
        etags.extend(awaited(future) for future in waiting)
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

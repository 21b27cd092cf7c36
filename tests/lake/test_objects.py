"""Objects are read and written whole, or not at all, whatever S3 does in between."""

from collections.abc import Iterator

import pytest

from flows.errors import ArchiveFailed
from flows.lake.bucket import Bucket, open_bucket
from flows.lake.objects import look, read_range, upload
from flows.sandbox.faulty_s3 import FaultyS3, S3Fault
from flows.sandbox.s3 import S3Server

KEY = "folder/object"
CONTENT = bytes(range(256)) * 12_000  # 3 MB: three pieces when it is read
#: More than two parts, so that some are on their way together.
LARGE = bytes(range(256)) * 80_000


@pytest.fixture
def faulty(s3_server: S3Server) -> Iterator[FaultyS3]:
    with FaultyS3(s3_server.endpoint_url, slow_s=0.1) as proxy:
        yield proxy


@pytest.fixture
def through(faulty: FaultyS3, bucket: Bucket, s3_server: S3Server) -> Bucket:
    """The test's bucket, seen through the proxy."""
    settings = s3_server.settings(bucket.name)
    return open_bucket(settings.model_copy(update={"endpoint_url": faulty.endpoint_url}))


def write(bucket: Bucket, content: bytes, before_completion=lambda: None):
    return upload(bucket, KEY, lambda: [content], len(content), before_completion)


def content_of(bucket: Bucket) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()


@pytest.mark.parametrize("kind", [S3Fault.CUT, S3Fault.INTERNAL_ERROR, S3Fault.REFUSED])
def test_reading_goes_on_behind_the_last_byte(
    through: Bucket, bucket: Bucket, faulty: FaultyS3, kind: S3Fault
):
    """However often the body is cut, each byte comes once."""
    version = write(bucket, CONTENT)
    faulty.inject(kind, times=3, method="GET")
    pieces = list(read_range(through, KEY, version, 7, len(CONTENT) - 7))
    assert b"".join(pieces) == CONTENT[7:]
    assert faulty.spoilt == 3


def test_reading_ends_where_every_body_is_cut(through: Bucket, bucket: Bucket, faulty: FaultyS3):
    """Without progress there are five tries."""
    version = write(bucket, b"x")
    faulty.inject(S3Fault.CUT, times=None, method="GET")
    with pytest.raises(ArchiveFailed, match="folder/object could not be read behind byte 0"):
        list(read_range(through, KEY, version, 0, 1))
    assert faulty.spoilt == 5


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        (S3Fault.LOST_UPLOAD, None),  # its first part meets it
        (S3Fault.CUT_REQUEST, "PUT"),
        (S3Fault.SLOW_DOWN, "PUT"),
        (S3Fault.LOST_ANSWER, "PUT"),
        (S3Fault.REFUSED, None),
    ],
)
def test_writing_outlives_what_passes(
    through: Bucket, bucket: Bucket, faulty: FaultyS3, kind: S3Fault, method: str | None
):
    """An upload that S3 has lost is begun anew; single requests are repeated."""
    faulty.inject(kind, times=2, method=method)
    version = write(through, LARGE)
    assert faulty.spoilt == 2
    assert version == look(bucket, KEY)
    assert content_of(bucket) == LARGE


def test_a_completion_whose_answer_is_lost_counts(
    through: Bucket, bucket: Bucket, faulty: FaultyS3
):
    """S3 says on the second asking that it knows no such upload: what stands there is looked at."""

    def spoil() -> None:
        faulty.inject(S3Fault.LOST_ANSWER, method="POST")

    write(through, CONTENT, spoil)
    assert faulty.spoilt == 1
    assert content_of(bucket) == CONTENT


def test_a_failed_upload_leaves_the_old_object(
    monkeypatch, s3_server: S3Server, bucket: Bucket, faulty: FaultyS3
):
    """Where S3 is gone for good, the error says of which object, and what was there stays."""
    monkeypatch.setattr("flows.lake.bucket.TRIES", 2)  # boto3 waits in earnest
    settings = s3_server.settings(bucket.name)
    through = open_bucket(settings.model_copy(update={"endpoint_url": faulty.endpoint_url}))
    write(bucket, b"old")

    def spoil() -> None:
        faulty.inject(S3Fault.SLOW_DOWN, times=None)

    with pytest.raises(ArchiveFailed, match="folder/object could not be written"):
        write(through, b"new", spoil)
    assert content_of(bucket) == b"old"

"""The embedded S3 keeps objects over restarts and checks its keys."""

import dataclasses
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from flows.lake.bucket import Bucket, open_bucket
from flows.sandbox.processes import listens
from flows.sandbox.s3 import S3Server


def test_objects_survive_a_restart(tmp_path: Path) -> None:
    """An object is read after a restart, from a folder with blanks, on the same port."""
    folder = tmp_path / "an s3 folder"
    with S3Server(folder) as first:
        bucket = first.create_bucket("archive")
        bucket.client.put_object(Bucket="archive", Key="amplitude/web/x.zip", Body=b"bytes")
    assert not listens(first.port or 0)

    with S3Server(folder) as second:
        assert second.endpoint_url == first.endpoint_url
        again = second.create_bucket("archive")
        found = again.client.get_object(Bucket="archive", Key="amplitude/web/x.zip")
        assert found["Body"].read() == b"bytes"


def test_a_wrong_key_is_refused(s3_server: S3Server, bucket: Bucket) -> None:
    """A request signed with another secret gets SignatureDoesNotMatch."""
    settings = s3_server.settings(bucket.name).model_copy(
        update={"secret_access_key": SecretStr("wrong")}
    )
    with pytest.raises(ClientError) as raised:
        open_bucket(settings).client.list_objects_v2(Bucket=bucket.name)
    assert raised.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_a_fresh_bucket_is_empty(bucket: Bucket) -> None:
    """Each test's bucket starts without objects."""
    assert dataclasses.is_dataclass(bucket)
    assert bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", []) == []

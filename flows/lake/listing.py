"""What lies under a prefix of the bucket."""

from flows.lake.bucket import Bucket
from flows.lake.objects import ObjectVersion, s3_errors


def list_objects(bucket: Bucket, prefix: str) -> dict[str, ObjectVersion]:
    """Every object under a prefix, by name; folder markers are left out.

    Raises ArchiveFailed where S3 does not answer.
    """
    found: dict[str, ObjectVersion] = {}
    with s3_errors(prefix, "listed"):
        pages = bucket.client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket.name, Prefix=prefix
        )
        for page in pages:
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):
                    found[entry["Key"]] = ObjectVersion(entry["ETag"].strip('"'), entry["Size"])
    return dict(sorted(found.items()))

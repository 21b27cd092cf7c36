"""What a bucket holds, for tests of what was put there."""

from flows.lake.bucket import Bucket


def body_of(bucket: Bucket, key: str) -> bytes:
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()


def keys_in(bucket: Bucket) -> list[str]:
    found = bucket.client.list_objects_v2(Bucket=bucket.name)
    return [entry["Key"] for entry in found.get("Contents", [])]

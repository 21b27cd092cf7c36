"""Where things lie in S3: object keys, and the names of members inside archives."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from flows.errors import BadRequest
from flows.windows import IsoWeek

#: The time at which a snapshot was asked. Colons are no friends of every file system.
_SNAPSHOT = "%Y-%m-%dT%H%M%SZ"
_DAY_KEY = re.compile(
    r"(?:^|/)(?P<application_id>\d+)/(?P<table>\w+)/"
    r"(?P<day>\d{4}-\d\d-\d\d)(?P<time>T\d{6}Z)?\.ndjson\.gz\Z"
)


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


@dataclass(frozen=True, slots=True)
class DayKey:
    """What the key of a day archive tells.

    moment: a day of the app's time zone, or, of a snapshot, the aware time at which it was asked.
    """

    application_id: int
    table: str
    moment: date | datetime


def table_prefix(directory: str, application_id: int, table: str) -> str:
    """What the keys of a table's day archives begin with, such as "appmetrica/1111/events/"."""
    return f"{archive_prefix(directory, str(application_id))}{table}/"


def day_archive_key(directory: str, application_id: int, table: str, day: date) -> str:
    """Such as "appmetrica/1111/events/2025-01-06.ndjson.gz"; the day is the app's local one."""
    return f"{table_prefix(directory, application_id, table)}{day.isoformat()}.ndjson.gz"


def snapshot_key(directory: str, application_id: int, table: str, asked_at: datetime) -> str:
    """Such as "appmetrica/1111/profiles_v2/2025-01-06T003000Z.ndjson.gz"; asked_at: aware."""
    moment = asked_at.astimezone(UTC)
    return f"{table_prefix(directory, application_id, table)}{moment:{_SNAPSHOT}}.ndjson.gz"


def day_index_key(directory: str, application_id: int, table: str) -> str:
    """Such as "appmetrica/1111/events/index.json"."""
    return f"{table_prefix(directory, application_id, table)}index.json"


def page_key(start: date, end: date) -> str:
    """Key of the product page of these days: "reports/product/2025-01-06_2025-02-02.html"."""
    return f"reports/product/{start.isoformat()}_{end.isoformat()}.html"


def users_report_key(start: datetime, end: datetime) -> str:
    """Key of the report of all users from start to end, both inclusive, UTC.

    Such as "reports/users/2025-01-01T000000Z_2025-01-31T235959Z.parquet".
    """
    return f"reports/users/{start:{_SNAPSHOT}}_{end:{_SNAPSHOT}}.parquet"


def parse_day_key(key: str) -> DayKey | None:
    """What a day archive's or snapshot's key tells, None where the key is neither's."""
    found = _DAY_KEY.search(key)
    if found is None:
        return None
    try:
        if found["time"] is None:
            moment: date | datetime = date.fromisoformat(found["day"])
        else:
            moment = datetime.strptime(found["day"] + found["time"], _SNAPSHOT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return DayKey(int(found["application_id"]), found["table"], moment)

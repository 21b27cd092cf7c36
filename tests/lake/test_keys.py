"""Keys and member names are a contract: other programs find the archives by them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from flows.errors import BadRequest
from flows.lake.keys import (
    DayKey,
    archive_key,
    archive_member,
    archive_prefix,
    day_archive_key,
    day_index_key,
    page_key,
    parse_day_key,
    snapshot_key,
)
from flows.windows import IsoWeek


@pytest.mark.parametrize(
    ("directory", "key"),
    [
        ("amplitude", "amplitude/web/2025_week_02.zip"),
        ("/some/where/", "some/where/web/2025_week_02.zip"),
    ],
)
def test_an_archive_has_its_key_by_directory_source_and_week(directory: str, key: str) -> None:
    """Outer slashes of the directory do not matter; the week has two digits."""
    assert archive_key(directory, "web", IsoWeek(2025, 2)) == key


def test_the_iso_year_names_the_archive_at_new_year() -> None:
    """The member is called like the archive, and the prefix leads to it."""
    assert archive_member(IsoWeek(2020, 53)) == "2020_week_53.ndjson"
    assert archive_prefix("amplitude", "mobile") == "amplitude/mobile/"


@pytest.mark.parametrize("directory", ["", "/", "a//b", "a/../b", ".", " "])
def test_a_directory_that_s3_servers_refuse_is_refused_first(directory: str) -> None:
    """Empty and dotted parts are an error before any request."""
    with pytest.raises(BadRequest):
        archive_key(directory, "web", IsoWeek(2025, 2))


MOMENT = datetime(2025, 1, 6, 0, 30, 5, tzinfo=UTC)


def test_day_archives_have_the_contract_s_keys() -> None:
    """Application, table and local day; a snapshot has its second, UTC."""
    day = date(2025, 1, 6)
    assert day_archive_key("appmetrica", 1111, "events", day) == (
        "appmetrica/1111/events/2025-01-06.ndjson.gz"
    )
    local = MOMENT.astimezone(timezone(timedelta(hours=3)))
    assert snapshot_key("/a/b/", 1111, "profiles_v2", local) == (
        "a/b/1111/profiles_v2/2025-01-06T003005Z.ndjson.gz"
    )
    assert day_index_key("appmetrica", 1111, "events") == "appmetrica/1111/events/index.json"


@pytest.mark.parametrize(
    ("key", "tells"),
    [
        (
            "appmetrica/1111/events/2025-01-06.ndjson.gz",
            DayKey(1111, "events", date(2025, 1, 6)),
        ),
        (
            "a/b/1111/profiles_v2/2025-01-06T003005Z.ndjson.gz",
            DayKey(1111, "profiles_v2", MOMENT),
        ),
        ("appmetrica/1111/events/index.json", None),
        ("appmetrica/1111/events/2025-02-30.ndjson.gz", None),
        ("appmetrica/1111/events/2025-01-06T250000Z.ndjson.gz", None),
        ("appmetrica/1111/events/2025-01-06.ndjson.gz.tmp", None),
        ("appmetrica/1111/events/2025-01-06.ndjson.gz\n", None),
        ("amplitude/web/2025_week_02.zip", None),
    ],
)
def test_a_key_tells_what_it_holds(key: str, tells: DayKey | None) -> None:
    """What was made can be read again; everything else is none of ours."""
    assert parse_day_key(key) == tells


def test_a_page_is_called_by_its_days() -> None:
    """Both of them, the first one first."""
    days = date(2025, 1, 6), date(2025, 2, 2)
    assert page_key(*days) == "reports/product/2025-01-06_2025-02-02.html"

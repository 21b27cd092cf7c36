"""Keys and member names are a contract: other programs find the archives by them."""

import pytest

from flows.errors import BadRequest
from flows.lake.keys import archive_key, archive_member, archive_prefix
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

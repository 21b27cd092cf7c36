"""Waits between tries grow, stay bounded, and are never shorter than the vendor asked for."""

from datetime import UTC, datetime

import pytest

from flows.vendors.retries import Retries, retry_after_s

LATER = datetime(2025, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        (" 12 ", 12.0),
        ("-3", None),
        ("soon", None),
        ("Sat, 01 Feb 2025 00:01:00 GMT", 60.0),
        ("Sat, 01 Feb 2025 00:01:00 -0000", 60.0),
        ("Fri, 31 Jan 2025 23:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Both forms of the header are understood; nonsense counts as absent."""
    assert retry_after_s(header, LATER) == seconds


def test_waits_grow_and_stay_bounded() -> None:
    """Between half and all of the doubled wait, never above the longest; Retry-After in full."""
    retries = Retries(first_wait_s=1, longest_wait_s=60)
    for tries, most in [(1, 1), (2, 2), (3, 4), (6, 32), (10, 60)]:
        assert most / 2 <= retries.wait_s(tries, None) <= most
    assert retries.wait_s(1, 500.0) == 500.0

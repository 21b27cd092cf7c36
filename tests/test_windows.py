"""Days, ISO weeks and half-open spans are UTC, with borders where the calendar has them."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import BadRequest
from flows.windows import IsoWeek, Window, days, end_of_day, parse_day, weeks


@pytest.mark.parametrize(
    "value",
    [
        date(2025, 1, 6),
        datetime(2025, 1, 6, 23, 59, tzinfo=UTC),
        "2025-01-06",
        "20250106",
        " 2025-01-06 ",
        20250106,
    ],
)
def test_a_day_is_written_in_five_ways(value):
    """A date, a time in it, YYYY-MM-DD, YYYYMMDD and the number are one day."""
    assert parse_day(value) == date(2025, 1, 6)
    assert type(parse_day(value)) is date


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2025-02-29", "2025-13-01", "06.01.2025", "2025-01", 2025, -1]
)
def test_anything_else_is_no_day(value):
    """The error quotes what was given and says how to write it."""
    with pytest.raises(BadRequest) as error:
        parse_day(value)
    assert str(error.value) == f"{str(value)!r} is no day: write YYYY-MM-DD or YYYYMMDD"


@pytest.mark.parametrize(
    ("day", "name", "monday"),
    [
        (date(2025, 1, 6), "2025_week_02", date(2025, 1, 6)),
        (date(2024, 12, 30), "2025_week_01", date(2024, 12, 30)),
        (date(2021, 1, 3), "2020_week_53", date(2020, 12, 28)),
        (date(2026, 11, 22), "2026_week_47", date(2026, 11, 16)),
    ],
)
def test_a_week_is_named_by_its_iso_year(day, name, monday):
    """At the turn of the year the ISO year differs from the calendar's."""
    week = IsoWeek.of(day)
    assert (str(week), week.monday) == (name, monday)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 60))
def test_weeks_hold_every_day_once_in_order(start, length):
    """Cut into weeks, the days from start to end are the same days, each in its own week."""
    end = start + timedelta(days=length)
    cut = list(weeks(start, end))
    assert [day for _, some in cut for day in some] == list(days(start, end))
    assert [week for week, _ in cut] == sorted({week for week, _ in cut})
    assert all(IsoWeek.of(day) == week for week, some in cut for day in some)


def test_no_days_are_no_weeks():
    """An end before the start gives nothing, not an error."""
    assert list(days(date(2025, 1, 2), date(2025, 1, 1))) == []
    assert list(weeks(date(2025, 1, 2), date(2025, 1, 1))) == []


def test_a_window_halves_down_to_one_hour():
    """Halves touch, cover the whole, and end at single hours."""
    window = Window.of_day(date(2025, 1, 6))
    assert (window.hours, str(window)) == (24, "2025-01-06T00..2025-01-07T00")
    parts = [window]
    while any(part.hours > 1 for part in parts):
        parts = [half for part in parts for half in (part.halves() if part.hours > 1 else (part,))]
    assert [part.start.hour for part in parts] == list(range(24))
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert Window(window.start, window.start + timedelta(hours=3)).halves() == (
        Window(window.start, window.start + timedelta(hours=2)),
        Window(window.start + timedelta(hours=2), window.start + timedelta(hours=3)),
    )


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        (date(2025, 1, 6), "UTC", datetime(2025, 1, 7, tzinfo=UTC)),
        (date(2025, 1, 6), "Europe/Moscow", datetime(2025, 1, 6, 21, tzinfo=UTC)),
        (date(2025, 3, 30), "Europe/Berlin", datetime(2025, 3, 30, 22, tzinfo=UTC)),
        (date(2025, 10, 26), "Europe/Berlin", datetime(2025, 10, 26, 23, tzinfo=UTC)),
        (date(2025, 12, 31), "America/St_Johns", datetime(2026, 1, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_local_day_ends_at_its_midnight(day, zone, end):
    """Clocks that change in it make it longer or shorter."""
    assert end_of_day(day, ZoneInfo(zone)) == end

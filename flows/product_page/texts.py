"""Numbers, days and times as the page writes them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo


def count(number: int) -> str:
    """A whole number with separators of thousands: 12,345."""
    return f"{number:,}"


def share(part: float) -> str:
    """A share from 0 to 1 as 12.3%."""
    return f"{part:.1%}"


def change(now: int, before: int) -> str:
    """How a number changed: +12.3%, −5.0%; empty where there was none before."""
    if not before:
        return ""
    changed = (now - before) / before
    return f"{changed:+.1%}".replace("-", "−")


def long_day(day: date) -> str:
    """6 January 2025."""
    return f"{day.day} {day:%B} {day.year}"


def span(start: date, end: date) -> str:
    """Both days, no word twice: 6 to 12 January 2025."""
    if start == end:
        return long_day(start)
    if start.year != end.year:
        return f"{long_day(start)} to {long_day(end)}"
    if start.month != end.month:
        return f"{start.day} {start:%B} to {long_day(end)}"
    return f"{start.day} to {long_day(end)}"


def days(number: int) -> str:
    """1 day, 28 days."""
    return f"{number:,} day{'' if number == 1 else 's'}"


def length(seconds: float | None) -> str:
    """A stretch of time: 45 s, 3 min 20 s, 2 h 5 min; a dash where there is none."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def moment(when: datetime | None, zone: str) -> str:
    """A time in the page's zone: 2025-01-06 09:05; a dash where there is none."""
    return "–" if when is None else f"{when.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def ago(day: date, today: date) -> str:
    """How long a day is gone: today, yesterday, 5 days ago."""
    gone = (today - day).days
    if gone < 0:
        return "in the future"
    return ("today", "yesterday")[gone] if gone < 2 else f"{gone:,} days ago"

"""Half-open UTC spans, ISO weeks and days. No clock is read here: callers pass `now`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flows.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of whole hours, start <= t < end, both aware and UTC."""

    start: datetime
    end: datetime

    @classmethod
    def of_day(cls, day: date) -> "Window":
        """The 24 hours of a UTC day."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return cls(start, start + timedelta(days=1))

    @property
    def hours(self) -> int:
        """Length in hours."""
        return int((self.end - self.start) / timedelta(hours=1))

    def halves(self) -> tuple["Window", "Window"]:
        """Two parts split at a whole hour, the first the longer one by at most an hour."""
        middle = self.start + timedelta(hours=(self.hours + 1) // 2)
        return Window(self.start, middle), Window(middle, self.end)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}..{self.end:%Y-%m-%dT%H}"


@dataclass(frozen=True, slots=True, order=True)
class IsoWeek:
    """An ISO week, Monday to Sunday, UTC."""

    year: int
    week: int

    @classmethod
    def of(cls, day: date) -> "IsoWeek":
        """The week that holds a day; the ISO year can differ from the calendar's."""
        year, week, _ = day.isocalendar()
        return cls(year, week)

    @property
    def monday(self) -> date:
        """First day."""
        return date.fromisocalendar(self.year, self.week, 1)

    def __str__(self) -> str:
        return f"{self.year}_week_{self.week:02d}"


def parse_day(value: date | str | int) -> date:
    """A day from a date, "YYYY-MM-DD" or "YYYYMMDD"; BadRequest for anything else."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    raise BadRequest(f"{text!r} is no day: write YYYY-MM-DD or YYYYMMDD")


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of the next local day, UTC; a day in which clocks change has 23 or 25 h."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def days(start: date, end: date) -> Iterator[date]:
    """Every day from start to end, both inclusive."""
    for offset in range((end - start).days + 1):
        yield start + timedelta(days=offset)


def weeks(start: date, end: date) -> Iterator[tuple[IsoWeek, list[date]]]:
    """Each ISO week that the days from start to end touch, with just those days."""
    current: list[date] = []
    for day in days(start, end):
        if current and IsoWeek.of(day) != IsoWeek.of(current[0]):
            yield IsoWeek.of(current[0]), current
            current = []
        current.append(day)
    if current:
        yield IsoWeek.of(current[0]), current

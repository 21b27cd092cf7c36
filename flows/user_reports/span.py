"""A span of time to the second, cut into whole UTC days and the edges beside them."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flows.errors import BadRequest, EndBeforeStart
from flows.moments import parse_day_or_none, parse_moment

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
#: Room for the end of the last day, in any zone.
_LAST_YEAR = 9998

Moment = datetime | date | str | int


@dataclass(frozen=True, slots=True)
class Span:
    """From start to end, both inclusive, UTC, in whole seconds.

    uses_days: whether whole days may be read of the daily table.
    """

    start: datetime
    end: datetime
    uses_days: bool = True

    @classmethod
    def parse(cls, start: Moment, end: Moment, time_zone: str) -> "Span":
        """Times without a zone are of time_zone; an end that is a day is the last second of it.

        Raises BadRequest, EndBeforeStart.
        """
        first, last = parse_start(start, time_zone), parse_end(end, time_zone)
        if last < first:
            raise EndBeforeStart(f"end {last:%Y-%m-%d %H:%M:%S} is before start {first:%F %T} UTC")
        return cls(first, last)

    def from_events_alone(self) -> "Span":
        """The same span, with every day read of its events."""
        return replace(self, uses_days=False)

    def parameters(self) -> dict[str, datetime]:
        """The four times that its pieces lie between: edge, whole days, edge; each half-open."""
        upper = self.end + _SECOND
        first = _midnight(self.start + _DAY - timedelta(microseconds=1))
        last = _midnight(upper)
        if not self.uses_days or first >= last:
            first = last = upper
        return {
            "lower": self.start,
            "first_midnight": first,
            "last_midnight": last,
            "upper": upper,
        }

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M:%S} to {self.end:%Y-%m-%d %H:%M:%S} UTC"


def parse_start(value: Moment, time_zone: str) -> datetime:
    """The second in which a span begins; of a day its first one. Raises BadRequest."""
    return _checked(parse_moment(value, time_zone).replace(microsecond=0))


def parse_end(value: Moment, time_zone: str) -> datetime:
    """The second that a span ends with; of a day its last one. Raises BadRequest."""
    day = None if isinstance(value, datetime) else parse_day_or_none(value)
    if day is None:
        return parse_start(value, time_zone)
    if day.year > _LAST_YEAR:
        raise BadRequest(f"{day} lies beyond any calendar in use")
    midnight = datetime.combine(day + _DAY, time(), ZoneInfo(time_zone))
    return _checked(midnight.astimezone(UTC) - _SECOND)


def _checked(moment: datetime) -> datetime:
    if not 1 < moment.year <= _LAST_YEAR:
        raise BadRequest(f"{moment.date()} lies beyond any calendar in use")
    return moment


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)

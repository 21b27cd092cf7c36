"""Times that people give: with a zone, or in the one of DWH_TIME_ZONE."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from flows.errors import BadRequest
from flows.windows import parse_day


def parse_moment(value: datetime | date | str | int, time_zone: str) -> datetime:
    """A UTC time from a day (its first moment) or an ISO time, without a zone one of time_zone.

    BadRequest for anything else.
    """
    if not isinstance(value, datetime):
        day = parse_day_or_none(value)
        if day is not None:
            value = datetime.combine(day, time())
        else:
            try:
                value = datetime.fromisoformat(str(value).strip())
            except ValueError:
                raise BadRequest(
                    f"{str(value)!r} is no time: write 2025-01-06, 2025-01-06T09:30:00 or"
                    " 2025-01-06T09:30:00+03:00"
                ) from None
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(time_zone))
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise BadRequest(f"{value} lies beyond any calendar in use") from None


def parse_day_or_none(value: object) -> date | None:
    """The day where a value is one and nothing more, else None."""
    try:
        return parse_day(value)  # type: ignore[arg-type]
    except BadRequest:
        return None

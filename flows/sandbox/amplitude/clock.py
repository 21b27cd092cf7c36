"""How the vendor writes times: "2025-01-06 09:05:01.250000", UTC, no zone, always six digits."""

from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


def vendor_text(moment: datetime) -> str:
    """An aware moment as the export writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def parse_vendor_text(text: str) -> datetime:
    """An aware UTC moment from the export's text or from ISO 8601; ValueError for others."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def hour_of(moment: datetime) -> datetime:
    """The full hour that holds a moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970: the unit of session_id."""
    return int(moment.timestamp() * 1000)

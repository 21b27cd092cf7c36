"""How far an import of users and telemetry is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """events: of the import, known before the first comes; received_bytes: of all that came."""

    events: int
    received_bytes: int
    expected_bytes: int

    @property
    def percent(self) -> float:
        """Of the bytes that so many events make; 0 to 99, for the end is told by who imports."""
        return min(99.0, 100.0 * self.received_bytes / max(1, self.expected_bytes))

    def __str__(self) -> str:
        return (
            f"telemetry: {self.received_bytes / 1e6:,.1f} MB of about"
            f" {self.expected_bytes / 1e6:,.1f} MB, {self.events:,} events"
        )

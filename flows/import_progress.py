"""How far an import of users and telemetry is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """received_bytes: of telemetry; expected_bytes: about, as the source's planner thinks."""

    received_bytes: int
    expected_bytes: int

    @property
    def percent(self) -> float:
        """0 to 99: the end is told by who imports."""
        return min(99.0, 100.0 * self.received_bytes / max(1, self.expected_bytes))

    def __str__(self) -> str:
        return (
            f"telemetry: {self.received_bytes / 1e6:,.1f} MB of about"
            f" {self.expected_bytes / 1e6:,.1f} MB"
        )

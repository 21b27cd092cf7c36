"""How far an import of users and telemetry is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """received_bytes: of telemetry; expected_bytes: about, as the source's planner thinks, None
    where the import has taken effect.
    """

    received_bytes: int
    expected_bytes: int | None

    @property
    def percent(self) -> float:
        """0 to 99, and 100 once it is done."""
        if self.expected_bytes is None:
            return 100.0
        return min(99.0, 100.0 * self.received_bytes / max(1, self.expected_bytes))

    def __str__(self) -> str:
        if self.expected_bytes is None:
            return f"telemetry: {self.received_bytes / 1e6:,.1f} MB, done"
        return (
            f"telemetry: {self.received_bytes / 1e6:,.1f} MB of about"
            f" {self.expected_bytes / 1e6:,.1f} MB"
        )

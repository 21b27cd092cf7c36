"""The applications that the simulator plays, and who may ask for them."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Application:
    """One AppMetrica application.

    application_id: the vendor's number; token: an OAuth token that may read it (one token may read
    several applications); time_zone: IANA name, in which windows and `*_datetime` are.
    """

    application_id: int
    token: str = field(repr=False)
    time_zone: str = "Europe/Moscow"
    name: str = "Пациент"

    @property
    def zone(self) -> ZoneInfo:
        """The rules of the time zone."""
        return ZoneInfo(self.time_zone)


#: The sandbox's application.
APPLICATION = Application(4051234, "sandbox-appmetrica-token")

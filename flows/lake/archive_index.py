"""Which days an archive covers: the JSON in the comment of its zip.

{"days":{"2025-01-06":{"bytes":1,"complete":true,"crc32":1,"deflated_bytes":1,"hours":[1,0,…],
 "lines":1}},"format":1,"source":"web","week":"2025_week_02"}

The member's deflate stream is made of the days' own streams, one behind the other, so a day can be
cut out, kept or replaced without inflating it. At most seven days: far below a comment's 65,535
bytes.
"""

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Self

from flows.windows import IsoWeek, days

FORMAT = 1


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One day of an archive.

    bytes, lines: of its NDJSON, each line with its newline; crc32: of those bytes; deflated_bytes:
    its share of the member's compressed data; complete: all its hours were old enough when it was
    asked, so it need not be asked again; hours: lines of each of its 24 hours, None where the
    export did not count them (archives of before, AppMetrica).
    """

    bytes: int
    complete: bool
    crc32: int
    deflated_bytes: int
    lines: int
    hours: tuple[int, ...] | None = None

    @classmethod
    def of_json(cls, entry: dict[str, Any]) -> Self:
        """From what `to_json` gave; TypeError or ValueError where it is something else."""
        if "hours" in entry:
            entry = entry | {"hours": tuple(entry["hours"])}
        return cls(**entry)

    def to_json(self) -> dict[str, Any]:
        """What the comment says of the day."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """The days of one archive in order of time. source: "web" or "mobile"."""

    source: str
    week: IsoWeek
    days: dict[date, DayEntry]

    @property
    def lines(self) -> int:
        """Events in the archive."""
        return sum(entry.lines for entry in self.days.values())

    @property
    def ndjson_bytes(self) -> int:
        """Size of the archive's member, inflated."""
        return sum(entry.bytes for entry in self.days.values())

    def to_comment(self) -> bytes:
        """The same index gives the same bytes: no clock, sorted keys."""
        return json.dumps(
            {
                "days": {day.isoformat(): entry.to_json() for day, entry in self.days.items()},
                "format": FORMAT,
                "source": self.source,
                "week": str(self.week),
            },
            sort_keys=True,
            separators=(",", ":"),
        ).encode("ascii")

    @classmethod
    def from_comment(cls, comment: bytes, source: str, week: IsoWeek) -> Self:
        """Read a comment that must be of this source and week; ValueError says what is wrong."""
        if not comment:
            raise ValueError("its zip comment is empty, so it does not say which days it covers")
        try:
            index = json.loads(comment)
            found = index["format"], index["source"], index["week"]
            held = {
                date.fromisoformat(day): DayEntry.of_json(entry)
                for day, entry in sorted(index["days"].items())
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"its zip comment is no index of days ({error!r})") from error
        if found != (FORMAT, source, str(week)):
            raise ValueError(f"its zip comment speaks of format, source and week {found}")
        for day, entry in held.items():
            if IsoWeek.of(day) != week:
                raise ValueError(f"its zip comment lists {day}, a day of another week")
            _check(entry)
        return cls(source, week, held)


def days_of(week: IsoWeek) -> list[date]:
    """The seven days of a week."""
    return list(days(week.monday, date.fromisocalendar(week.year, week.week, 7)))


def _check(entry: DayEntry) -> None:
    hours = () if entry.hours is None else entry.hours
    numbers = (entry.bytes, entry.crc32, entry.deflated_bytes, entry.lines, *hours)
    if (
        not isinstance(entry.complete, bool)
        or not all(type(number) is int and number >= 0 for number in numbers)
        or (entry.hours is not None and (len(hours), sum(hours)) != (24, entry.lines))
    ):
        raise ValueError("its zip comment holds a day that is malformed")

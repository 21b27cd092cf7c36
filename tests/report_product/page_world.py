"""What stands in the warehouse of the page's tests, beside the clicks that are shipped."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from psycopg.types.json import Json
from raw_loads import add_load, query

#: The days of the sample that is shipped.
START, END = date(2024, 3, 4), date(2024, 3, 31)
#: The one day of vendors' events, of several sources and with sessions.
LATER = date(2024, 6, 5)
#: Stands in every value of a patient.
PATIENT = "Zkqwiatkowska"
#: What nobody should call an event, and the page must not take for its own.
HOSTILE = (
    "<script>document.title='taken'</script>",
    "</script><img src=https://example.org/x.png onerror=alert(1)>",
    "<b>bold</b> & <a href='https://example.org'>here</a> %{x} ${1} {{ 7*7 }}",
    "\u202egnirts esrever\u202c",
    "2024-06-05",
    "long " * 200,
)


@dataclass(frozen=True, slots=True)
class World:
    """What leads every flow to the built warehouse; events: what was sent, all of it."""

    variables: dict[str, str]
    events: pd.DataFrame


def add_hostile_events(url: str) -> Iterator[dict[str, object]]:
    """A session of each source's device, its events minutes apart."""
    noon = datetime(LATER.year, LATER.month, LATER.day, 12, tzinfo=UTC)
    for number, name in enumerate(HOSTILE):
        source = ("amplitude_web", "amplitude_mobile")[number % 2]
        columns = {
            "event_time": noon + timedelta(minutes=number),
            "event_type": name,
            "user_id": f"later {number % 3}",
            "device_id": source,
            "session_id": 7,
            "event_properties": Json({"note": PATIENT}),
        }
        add_load(url, f"amplitude/{source[10:]}/later_{number}.zip", [{}], source=source, **columns)
        yield {name: columns[name] for name in ("event_time", "user_id", "event_type")}


def note_archives(url: str) -> None:
    """The ledger knows a day of each of these archives, and one event too many of the first."""
    query(
        url,
        "insert into raw.windows (source, file_key, window_start, window_end, etag, first_line,"
        " event_count, is_final, archived_at, loaded_at)"
        " select source, file_key, %s, %s, '', 0, 1 + (file_key like '%%later_0.zip')::int, true,"
        " now() - interval '2 days', now() from raw.loads where file_key like '%%later_%%'",
        datetime(LATER.year, LATER.month, LATER.day),
        datetime(LATER.year, LATER.month, LATER.day) + timedelta(days=1),
    )

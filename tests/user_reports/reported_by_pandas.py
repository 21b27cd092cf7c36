"""Reports once more, counted plainly in pandas over the source's own rows, without SQL."""

from datetime import datetime
from typing import Any

import pandas as pd
from report_databases import EVENT_COLUMNS, Event


def frame_of(events: list[Event]) -> pd.DataFrame:
    """One row an event, its second beside it."""
    frame = pd.DataFrame(events, columns=list(EVENT_COLUMNS))
    frame["second"] = pd.to_datetime(frame["event_timestamp"], utc=True).dt.floor("s")
    return frame


def figures(
    frame: pd.DataFrame, user: int, start: datetime, end: datetime
) -> list[tuple[Any, ...]]:
    """Type, events, duration, mean amplitude and frequency; means of nothing are None."""
    mine = frame[(frame["user_id"] == user) & frame["second"].between(start, end)]
    found = []
    for kind, rows in mine.groupby("prosthesis_type"):
        means = [
            rows[column].astype(float).mean() for column in ("signal_amplitude", "signal_frequency")
        ]
        found.append(
            (
                kind,
                len(rows),
                int(rows["signal_duration"].sum()),
                *(None if pd.isna(mean) else mean for mean in means),
            )
        )
    return found

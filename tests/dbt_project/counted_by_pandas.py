"""The statistics once more, counted plainly in pandas from what was sent, without SQL."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

Row = tuple[Any, ...]
ALL = "all"


def sent(events: Iterable[Mapping[str, Any]], zone: str) -> pd.DataFrame:
    """One row an event: source, event_type, user (null for nobody), day and week of the zone."""
    names = ["source", "event_type", "user_id", "device_id", "session_id", "event_time"]
    frame = pd.DataFrame(list(events), columns=names)
    when = pd.to_datetime(frame["event_time"], utc=True).dt.tz_convert(zone)
    frame["day"] = when.dt.tz_localize(None).dt.normalize()
    frame["week"] = frame["day"] - pd.to_timedelta(frame["day"].dt.weekday, unit="D")
    has_user = frame["user_id"].notna() & (frame["user_id"] != "")
    has_device = frame["device_id"].notna() & (frame["device_id"] != "")
    frame["user"] = None
    frame.loc[has_device, "user"] = "d/" + frame["device_id"][has_device].astype(str)
    frame.loc[has_user, "user"] = "u/" + frame["user_id"][has_user].astype(str)
    return frame


def by_source(frame: pd.DataFrame) -> pd.DataFrame:
    """All rows twice: under their source, and under all of them together."""
    return pd.concat([frame, frame.assign(source=ALL)])


def daily_active_users(frame: pd.DataFrame) -> set[Row]:
    """day, source, users of 1, 7 and 30 days, up to the last day of anyone."""
    seen = by_source(frame[frame["user"].notna()])
    rows: set[Row] = set()
    if seen.empty:
        return rows
    for source, of_source in seen.groupby("source"):
        users = {day: set(of_day) for day, of_day in of_source.groupby("day")["user"]}
        for day in pd.date_range(min(users), seen["day"].max()):
            windows = [
                set().union(*(users.get(day - pd.Timedelta(days=n), set()) for n in range(days)))
                for days in (1, 7, 30)
            ]
            if windows[-1]:
                rows.add((day.date(), source, *map(len, windows)))
    return rows


def event_counts(frame: pd.DataFrame) -> set[Row]:
    """day, source, event type, events, users."""
    groups = frame.groupby(["day", "source", "event_type"], dropna=False)
    return {
        (day.date(), source, None if pd.isna(kind) else kind, len(group), group["user"].nunique())
        for (day, source, kind), group in groups
    }


def weekly_cohorts(frame: pd.DataFrame) -> set[Row]:
    """Cohort's Monday, week number, size, active users."""
    known = frame[frame["user"].notna()]
    cohort = known["user"].map(known.groupby("user")["day"].min())
    cohort = cohort - pd.to_timedelta(cohort.dt.weekday, unit="D")
    sizes = known.groupby(cohort)["user"].nunique()
    number = (known["week"] - cohort).dt.days // 7
    return {
        (monday.date(), week, sizes[monday], users)
        for (monday, week), users in known.groupby([cohort, number])["user"].nunique().items()
    }


def sessions_daily(frame: pd.DataFrame) -> dict[Row, Row]:
    """(day, source) -> sessions, events, mean and median duration in seconds."""
    within = frame[frame["session_id"].notna() & (frame["session_id"] != -1)]
    owner = within["device_id"].where(within["device_id"].notna(), within["user_id"])
    within = within.assign(owner=owner).dropna(subset="owner")
    sessions = within.groupby(["source", "owner", "session_id"]).agg(
        start=("event_time", "min"),
        end=("event_time", "max"),
        events=("event_time", "size"),
        day=("day", "min"),
    )
    sessions["seconds"] = (sessions["end"] - sessions["start"]).dt.total_seconds()
    return {
        (day.date(), source): (
            len(group),
            group["events"].sum(),
            group["seconds"].mean(),
            group["seconds"].median(),
        )
        for (day, source), group in by_source(sessions.reset_index()).groupby(["day", "source"])
    }

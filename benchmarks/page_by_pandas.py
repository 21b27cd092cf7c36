"""What a product page must say of a file of events, counted plainly in pandas, without SQL."""

from datetime import date, timedelta

import pandas as pd

from benchmarks.page_tables import Row, read_page
from tests.dbt_project import counted_by_pandas as plain


def differences(html: str, events: pd.DataFrame, zone: str, start: date, end: date) -> list[str]:
    """Where the tables of the page say something else than pandas; empty where they agree.

    events: event_time (aware), user_id, event_type of each event, none twice.
    """
    columns = {"source": "import", "device_id": None, "session_id": None}
    frame = plain.sent(events.assign(**columns).to_dict("records"), zone)
    tables, cards = read_page(html)
    within = frame[(frame["day"] >= pd.Timestamp(start)) & (frame["day"] <= pd.Timestamp(end))]
    expected = {
        "Active users by day": _active_users(frame, start, end),
        "Most frequent events": _top_events(within),
        "Share of each week's new users that came again": _retention(frame, start, end),
    }
    found = [
        f"{caption}, row {number}: the page says {said}, pandas {counted}"
        for caption, rows in expected.items()
        for number, (said, counted) in enumerate(_pairs(tables.get(caption, []), rows))
        if said != counted
    ]
    numbers = {
        "Active users": f"{within['user'].nunique():,}",
        "Events": f"{len(within):,}",
    }
    found += [
        f"{label}: the page says {cards.get(label)}, pandas {number}"
        for label, number in numbers.items()
        if cards.get(label) != number
    ]
    return found


def _pairs(said: list[Row], counted: list[Row]) -> list[tuple[Row | None, Row | None]]:
    most = max(len(said), len(counted))
    padded = [[*rows, *[None] * (most - len(rows))] for rows in (said, counted)]
    return list(zip(*padded, strict=True))


def _active_users(frame: pd.DataFrame, start: date, end: date) -> list[Row]:
    counted = {row[0]: row[2:] for row in plain.daily_active_users(frame) if row[1] == plain.ALL}
    known = [day.date() for day in (frame["day"].min(), frame["day"].max())]
    days = pd.date_range(max(start, known[0]), min(end, known[1]))
    return [
        {
            "Day": str(day.date()),
            **{
                name: f"{users:,}"
                for name, users in zip(
                    ("All sources", "All, 7 days", "All, 30 days"),
                    counted.get(day.date(), (0, 0, 0)),
                    strict=True,
                )
            },
        }
        for day in days
    ]


def _top_events(within: pd.DataFrame) -> list[Row]:
    counted = within.groupby("event_type").agg(events=("user", "size"), users=("user", "nunique"))
    counted = counted.reset_index().sort_values(["events", "event_type"], ascending=[False, True])
    return [
        {
            "Event": row.event_type,
            "Rank": str(rank),
            "Events": f"{row.events:,}",
            "Users": f"{row.users:,}",
            "Share of all events": f"{row.events / len(within):.1%}",
        }
        for rank, row in enumerate(counted.head(15).itertuples(), 1)
    ]


def _retention(frame: pd.DataFrame, start: date, end: date) -> list[Row]:
    """The cohorts of at least eight weeks up to that of `end`, a star where a week is not over."""
    last_known = frame["day"].max().date()
    last = end - timedelta(days=end.weekday())
    weeks = (last - (start - timedelta(days=start.weekday()))).days // 7 + 1
    first = last - timedelta(weeks=min(max(weeks, 8), 26) - 1)
    cells: dict[date, dict[int, int]] = {}
    sizes = {}
    for cohort, number, size, users in plain.weekly_cohorts(frame):
        if first <= cohort <= last:
            sizes[cohort] = size
            cells.setdefault(cohort, {})[number] = users
    known = {cohort: (min(last, last_known) - cohort).days // 7 + 1 for cohort in sorted(cells)}
    columns = max(known.values(), default=0)
    return [
        {
            "Week of first visit": str(cohort),
            "Users": f"{sizes[cohort]:,}",
            **{
                f"Week {number}": _share(
                    cells[cohort].get(number, 0) / sizes[cohort],
                    cohort + timedelta(days=7 * number + 6) > last_known,
                )
                if number < weeks_known
                else ""
                for number in range(columns)
            },
        }
        for cohort, weeks_known in known.items()
    ]


def _share(part: float, is_under_way: bool) -> str:
    return f"{part:.1%}{'*' if is_under_way else ''}"

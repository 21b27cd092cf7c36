"""The reconciliation as a picture: a calendar of weeks for each source, one cell a day."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

#: Worst first: a day of several tables shows its worst one.
SIGNS = {"hole": "🟥", "surplus": "🟪", "held back": "🟨", "waiting": "🟦", "complete": "🟩"}
EMPTY = "⬜"
#: Weeks that are shown at most, the newest ones; an older one where it has a failure.
WEEKS = 26

Cell = tuple[str, str, date | None, str, int]


def as_calendar(cells: Iterable[Cell], alarms: Sequence[str] = ()) -> str:
    """Markdown: a table of weeks for each source.

    cells: source, table, day (None for rows of no archived day), verdict, archived events. alarms:
    sentences that stand above.
    """
    by_source: dict[str, dict[date, tuple[str, int]]] = defaultdict(dict)
    strays: set[str] = set()
    ranks = list(SIGNS)
    for source, _, day, verdict, events in cells:
        if day is None:
            strays.add(source)
            continue
        before, sum_before = by_source[source].get(day, ("complete", 0))
        worst = min(verdict, before, key=ranks.index)
        by_source[source][day] = worst, sum_before + events
    legend = " · ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
    parts = [
        "# Reconciliation",
        f"{legend} · {EMPTY} no events; the number is the day of the month",
    ]
    parts += [f"⚠️ {alarm}" for alarm in alarms]
    for source in sorted(by_source.keys() | strays):
        parts.append(f"## {source}")
        if source in strays:
            parts.append(f"{SIGNS['surplus']} rows that belong to no archived day")
        if by_source[source]:
            parts.append(_weeks(by_source[source]))
    return "\n\n".join(parts) + "\n"


def _weeks(days: dict[date, tuple[str, int]]) -> str:
    rows = ["| Week of | Mo | Tu | We | Th | Fr | Sa | Su |", "|---|---|---|---|---|---|---|---|"]
    monday = min(days) - timedelta(days=min(days).weekday())
    newest = max(days) - timedelta(weeks=WEEKS)
    while monday <= max(days):
        week = [monday + timedelta(days=number) for number in range(7)]
        found = [days.get(day) for day in week]
        if monday > newest or any(cell and cell[0] in ("hole", "surplus") for cell in found):
            shown = (_cell(day, cell) for day, cell in zip(week, found, strict=True))
            rows.append(f"| {monday} | {' | '.join(shown)} |")
        monday += timedelta(weeks=1)
    return "\n".join(rows)


def _cell(day: date, cell: tuple[str, int] | None) -> str:
    if cell is None:
        return " "
    verdict, events = cell
    sign = EMPTY if verdict == "complete" and events == 0 else SIGNS[verdict]
    return f"{sign} {day.day}"

"""Any order of windows, increments and reloads ends in what each of them says, row by row."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import query
from report_databases import DAY, Databases, Event, event

from flows.import_reports import import_sources

IDS = st.integers(1, 6)
USERS = st.integers(1, 4)
#: Hours since DAY: days, their edges, and another month.
HOURS = st.sampled_from([-24.0, -0.001, 0.0, 0.001, 12.0, 24.0, 600.0, 744.0])
LOOKBACK = timedelta(hours=48)

events = st.builds(
    event, IDS, USERS, HOURS, saved=HOURS, kind=st.sampled_from(["arm", "hand", "leg"])
)
changes = st.tuples(st.sets(USERS), st.lists(events, max_size=6, unique_by=lambda row: row[0]))
ways = st.one_of(st.just("all"), st.just("saved"), st.tuples(st.none() | HOURS, st.none() | HOURS))


@dataclass(slots=True)
class Expected:
    """What the warehouse must have, kept plainly: events by their id."""

    events: dict[int, Event]
    saved_up_to: datetime | None = None

    def take(self, source: list[Event], way) -> None:
        """As import_reports says of itself."""
        if way == "saved" and self.saved_up_to is not None:
            since = self.saved_up_to - LOOKBACK
            taken = [row for row in source if row[8] >= since]
        elif isinstance(way, tuple):
            start, end = (None if edge is None else DAY + timedelta(hours=edge) for edge in way)
            taken = [row for row in source if within(row, start, end)]
            self.drop(start, end)
        else:
            taken = source
            self.events.clear()
        self.events |= {row[0]: row for row in taken}
        newest = max((row[8] for row in taken), default=None)
        if way == "saved" and self.saved_up_to is not None:
            self.saved_up_to = max(self.saved_up_to, newest or self.saved_up_to)
        elif not isinstance(way, tuple) or way == (None, None):
            self.saved_up_to = newest

    def drop(self, start: datetime | None, end: datetime | None) -> None:
        self.events = {
            number: row for number, row in self.events.items() if not within(row, start, end)
        }


def within(row: Event, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or row[7] >= start) and (end is None or row[7] < end)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(changes, ways), min_size=1, max_size=5))
def test_any_sequence_of_imports_is_exact(databases: Databases, steps):
    """Each event stands once, under a user whom the CRM has or aside; touched days are marked."""
    query(
        databases.warehouse,
        "do $$ begin if to_regclass('raw.crm_users') is not null then truncate raw.crm_users,"
        " raw.telemetry_events, raw.orphaned_telemetry_events, raw.telemetry_days,"
        " raw.report_imports; end if; end $$",
    )
    expected = Expected({})
    before: dict[int, Event] = {}
    for (users, source), way in steps:
        if isinstance(way, tuple) and None not in way and way[1] <= way[0]:
            way = (way[1], way[0]) if way[1] < way[0] else "all"
        databases.set_users(sorted(users))
        databases.set_events(source)
        expected.take(source, way)
        window = (
            [None if edge is None else DAY + timedelta(hours=edge) for edge in way]
            if (isinstance(way, tuple))
            else [None, None]
        )
        result = import_sources(*window, incremental=way == "saved")
        wanted = sorted(expected.events.values())
        known = [row for row in wanted if row[1] in users]
        assert databases.kept() == known
        assert databases.orphaned() == [row for row in wanted if row[1] not in users]
        assert databases.users() == sorted(users)
        present = {row[0]: row for row in known}
        touched = {
            row[7].date()
            for number in present.keys() | before.keys()
            if present.get(number) != before.get(number)
            for row in (present.get(number), before.get(number))
            if row is not None
        }
        marked = query(
            databases.warehouse,
            "select day from raw.telemetry_days where import_id = %s",
            result.import_id,
        )
        assert touched <= {day for (day,) in marked}
        before = present

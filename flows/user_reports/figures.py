"""Figures by prosthesis type: whole days of the daily table, the edges of events."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from flows.errors import WarehouseFailed
from flows.settings import Dwh
from flows.warehouse.connection import connect, warehouse_errors

#: Figures of a user and prosthesis type, or of its pieces; durations in ms. The times of the
#: placeholders are those of Span.parameters.
PIECES = """
    select
        user_id,
        prosthesis_type,
        events,
        duration_ms,
        amplitude_sum,
        amplitude_count,
        frequency_sum_hz,
        frequency_count
    from reports.user_prosthesis_daily
    where day >= (%(first_midnight)s::timestamptz at time zone 'UTC')::date
        and day < (%(last_midnight)s::timestamptz at time zone 'UTC')::date
        and {of_user}
    union all
    select
        user_id,
        prosthesis_type,
        count(*) as events,
        coalesce(sum(signal_duration), 0)::bigint as duration_ms,
        coalesce(sum(signal_amplitude::numeric), 0) as amplitude_sum,
        count(signal_amplitude) as amplitude_count,
        coalesce(sum(signal_frequency::numeric), 0) as frequency_sum_hz,
        count(signal_frequency) as frequency_count
    from reports.telemetry_events
    where (
            event_timestamp >= %(lower)s and event_timestamp < %(first_midnight)s
            or event_timestamp >= %(last_midnight)s and event_timestamp < %(upper)s
        )
        and {of_user}
    group by 1, 2
"""

#: The sums of the pieces.
SUMMED = """
    select
        user_id,
        prosthesis_type,
        sum(events)::bigint as events_count,
        sum(duration_ms)::bigint as total_duration,
        (sum(amplitude_sum) / nullif(sum(amplitude_count), 0))::float8 as avg_amplitude,
        (sum(frequency_sum_hz) / nullif(sum(frequency_count), 0))::float8 as avg_frequency
    from pieces
    group by 1, 2
"""

_UNDEFINED_TABLE = "42P01"
_MARKS = "select model, import_id, seen_import_id from reports.import_marks"


class Tables:
    """The tables of reports at one moment, in a transaction that only reads.

    taken: import that telemetry_events has taken in whole. are_days_behind: whether the daily table
    has yet to follow it: a build is at work between the two, or was killed there.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        marks: dict[str, tuple[int, int]] = {
            model: (taken, seen) for model, taken, seen in connection.execute(_MARKS)
        }
        if not {"users", "telemetry_events", "user_prosthesis_daily"} <= marks.keys():
            raise psycopg.errors.UndefinedTable
        self.connection = connection
        self.taken = marks["telemetry_events"][0]
        self.are_days_behind = marks["user_prosthesis_daily"] != marks["telemetry_events"]


@contextmanager
def open_tables(settings: Dwh) -> Iterator[Tables]:
    """Raises WarehouseFailed, also where the tables were never built."""
    with warehouse_errors(), connect(settings.database_url.get_secret_value()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            yield Tables(connection)
        except psycopg.errors.UndefinedTable:
            raise WarehouseFailed(
                "the tables of reports are not built yet: run import_reports",
                sqlstate=_UNDEFINED_TABLE,
            ) from None

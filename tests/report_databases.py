"""A CRM and a telemetry database of a test, filled row by row."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from raw_loads import query

from flows.sandbox.postgres import Postgres

DAY = datetime(2025, 1, 6, tzinfo=UTC)
EVENT_COLUMNS = (
    "id",
    "user_id",
    "prosthesis_type",
    "muscle_group",
    "signal_frequency",
    "signal_duration",
    "signal_amplitude",
    "event_timestamp",
    "saved_ts",
)
USERS = """
create table users (
    user_id integer primary key, user_uuid uuid, name text, email text, age integer, gender text,
    country text, address text, phone text, registration_ts timestamptz, registered_at timestamptz
)
"""
EVENTS = """
create table telemetry_events (
    id bigint primary key, user_id integer, prosthesis_type text, muscle_group text,
    signal_frequency integer, signal_duration integer, signal_amplitude double precision,
    event_timestamp timestamptz, saved_ts timestamptz
)
"""
KEPT = f"select {', '.join(EVENT_COLUMNS)} from raw.telemetry_events order by id, event_timestamp"
ORPHANED = KEPT.replace("raw.", "raw.orphaned_")

Event = tuple[Any, ...]


def event(
    number: int,
    user: int = 1,
    hours: float = 0.0,
    *,
    saved: float | None = None,
    kind: str = "arm",
    duration: int | None = 100,
    amplitude: float | None = 1.5,
    frequency: float | None = 50,
) -> Event:
    """A row of telemetry_events. hours: since DAY; saved: likewise, a minute later by default."""
    when = DAY + timedelta(hours=hours)
    later = when + timedelta(minutes=1) if saved is None else DAY + timedelta(hours=saved)
    return (number, user, kind, "biceps", frequency, duration, amplitude, when, later)


@dataclass(frozen=True, slots=True)
class Databases:
    """Addresses of the warehouse and of both sources."""

    warehouse: str
    crm: str
    telemetry: str

    def set_users(self, ids: Iterable[int], **columns: Any) -> None:
        """The CRM has these users and no others; columns are the same for all."""
        query(self.crm, "truncate users")
        for number in ids:
            row = {"user_id": number, "name": f"User {number}", "age": 40} | columns
            query(
                self.crm,
                f"insert into users ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
                *row.values(),
            )

    def set_events(self, events: Sequence[Event]) -> None:
        """The telemetry database has these events and no others."""
        query(self.telemetry, "truncate telemetry_events")
        places = ", ".join(["%s"] * len(EVENT_COLUMNS))
        for row in events:
            query(self.telemetry, f"insert into telemetry_events values ({places})", *row)

    def kept(self) -> list[Event]:
        """Events of users whom the CRM has, as the warehouse has them."""
        return query(self.warehouse, KEPT)

    def orphaned(self) -> list[Event]:
        """Those of all others."""
        return query(self.warehouse, ORPHANED)

    def users(self) -> list[int]:
        """Ids of the users in the warehouse."""
        return [
            user
            for (user,) in query(self.warehouse, "select user_id from raw.crm_users order by 1")
        ]

    def lead(self, environment: pytest.MonkeyPatch) -> None:
        """Set the variables so that flows read and write these databases."""
        environment.setenv("DWH_DATABASE_URL", self.warehouse)
        environment.setenv("CRM_DATABASE_URL", self.crm)
        environment.setenv("TELEMETRY_DATABASE_URL", self.telemetry)

    def imports(self) -> list[tuple[str, str | None]]:
        """Status and error of each import."""
        return query(
            self.warehouse, "select status, error from raw.report_imports order by import_id"
        )


@contextmanager
def source_databases(server: Postgres, warehouse: str) -> Iterator[Databases]:
    """Both sources of a warehouse, without a table; gone at the end."""
    name = warehouse.rpartition("/")[2]
    databases = Databases(
        warehouse, *(server.create_database(f"{name}_{kind}") for kind in ("crm", "telemetry"))
    )
    try:
        yield databases
    finally:
        for kind in ("crm", "telemetry"):
            server.drop_database(f"{name}_{kind}")

"""The rows of all tables, in one SQLite file: selected by time on disk, in constant memory.

A row is kept as it was given; `*_datetime` that was not given is made from `*_timestamp` when the
row is asked for, in the application's time zone of that moment, as the vendor does.
"""

import json
import random
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flows.errors import BadRequest
from flows.sandbox.appmetrica.applications import Application
from flows.sandbox.appmetrica.request import Export
from flows.vendors.appmetrica_tables import TABLES, Kind, Table, kind_of

#: Field -> value; a missing field is "", other values than text are sent as their text.
Row = Mapping[str, Any]

#: The store of a folder of data.
DATA_FILE = "appmetrica.sqlite"

_SCHEMA = """
create table if not exists rows (
    id integer primary key,
    application_id integer not null,
    table_name text not null,
    event_time integer not null,
    receive_time integer not null,
    arrives_at integer not null,
    profile text not null,
    record text not null
);
create index if not exists rows_by_event on rows (application_id, table_name, event_time);
create index if not exists rows_by_receipt on rows (application_id, table_name, receive_time);
create table if not exists attributes (
    application_id integer, name text, primary key (application_id, name)
);
"""
# The order looks like none: ids times a large odd number, cut to 32 bits.
_SELECT = """
select id, record from rows
where application_id = :application and table_name = :table and arrives_at <= :now
    and {time} between :since and :until
order by (id * :scatter) & 4294967295
"""
_SELECT_PROFILES = """
select id, record from (
    select *, row_number() over (
        partition by profile order by event_time desc, id desc
    ) as age
    from rows
    where application_id = :application and table_name = :table and arrives_at <= :now
)
where age = 1 and event_time between :since and :until
order by (id * :scatter) & 4294967295
"""

_FOREVER = 2**62


class Store:
    """Rows of all applications, in a file that is made if it is not there."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        # The rows are invented: after a crash they are invented again.
        self._connection.execute("pragma synchronous = off")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def add(
        self,
        application: Application,
        table: str,
        rows: Iterable[Row],
        *,
        now: datetime,
        shown_when_received: bool,
        bare: bool,
    ) -> int:
        """Add rows; see `AppMetricaSimulator.add_rows`; returns how many."""
        if table not in TABLES:
            raise BadRequest(f"no table {table!r}; there are {', '.join(TABLES)}")
        with self._lock, self._connection:
            before = self._connection.total_changes
            self._connection.executemany(
                "insert into rows values (null, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._kept(application, TABLES[table], row, now, shown_when_received, bare)
                    for row in rows
                ),
            )
            return self._connection.total_changes - before

    def _kept(
        self,
        application: Application,
        table: Table,
        row: Row,
        now: datetime,
        shown_when_received: bool,
        bare: bool,
    ) -> tuple[Any, ...]:
        record = dict(row)
        at = record.pop("at", now) if table.name == "profiles_v2" else now
        unknown = set(record) - set(table.known_fields)
        if unknown and table.name != "profiles_v2":
            raise BadRequest(f"{table.name} has no {', '.join(sorted(unknown))}")
        profile = ""
        if table.name == "profiles_v2":
            # Without either id it is a profile of its own.
            ids = (record.get("profile_id"), record.get("appmetrica_device_id"), uuid.uuid4())
            profile = next(str(number) for number in ids if number)
            self._declare(application, unknown)
        event_time = receive_time = int(at.timestamp())
        if table.event_time:
            event_time = _time(record, table.event_time, application.zone, event_time)
            receive_time = event_time
        if table.receive_time:
            receive_time = _time(record, table.receive_time, application.zone, event_time)
        return (
            application.application_id,
            table.name,
            event_time,
            receive_time,
            receive_time if shown_when_received or table.name == "profiles_v2" else 0,
            profile,
            json.dumps(record if bare else {name: _text(value) for name, value in record.items()}),
        )

    def declare(self, application: Application, names: Iterable[str]) -> None:
        """Make custom profile attributes known."""
        with self._lock, self._connection:
            self._declare(application, names)

    def _declare(self, application: Application, names: Iterable[str]) -> None:
        self._connection.executemany(
            "insert or ignore into attributes values (?, ?)",
            ((application.application_id, name) for name in names),
        )

    def attributes(self, application: Application) -> set[str]:
        """Names of the custom profile attributes of an application."""
        with self._lock:
            found = self._connection.execute(
                "select name from attributes where application_id = ?",
                (application.application_id,),
            )
            return {name for (name,) in found}

    def rows(
        self, export: Export, now: datetime, seed: int, unavailable_share: float
    ) -> Iterator[list[Any]]:
        """The values of each row that shows at a moment, in the order of the fields asked.

        A value is text, or anything of JSON where the row was added bare. Rows come in no order,
        another one for each seed. unavailable_share: of the rows are left out.
        """
        by_time = "receive_time" if export.by_receipt else "event_time"
        profiles = export.table.name == "profiles_v2"
        query = _SELECT_PROFILES if profiles else _SELECT.replace("{time}", by_time)
        values = {
            "application": export.application.application_id,
            "table": export.table.name,
            "now": int(now.timestamp()),
            "since": 0 if export.since is None else export.since,
            "until": _FOREVER if export.until is None else export.until,
            "scatter": random.Random(seed).getrandbits(32) | 1,
        }
        asked = {*export.fields, *(name for name, _ in export.filters)}
        datetimes = [name for name in asked if kind_of(name) is Kind.DATETIME]
        left = export.limit
        with self._lock:
            for number, text in self._connection.execute(query, values):
                if number % export.parts != export.part or number % 1000 < unavailable_share * 1000:
                    continue
                record = json.loads(text)
                _completed(record, export.application, datetimes)
                if any(record.get(name, "") != want for name, want in export.filters):
                    continue
                if left is not None:
                    if left == 0:
                        return
                    left -= 1
                yield [record.get(name, "") for name in export.fields]


def _time(record: dict[str, Any], name: str, zone: ZoneInfo, default: int) -> int:
    """Unix seconds of one of a row's times; put into the row where the row has neither form."""
    stamp, local = record.get(f"{name}_timestamp"), record.get(f"{name}_datetime")
    try:
        if stamp is not None and stamp != "":
            return int(stamp)
        if local:
            moment = datetime.fromisoformat(local).replace(tzinfo=zone)
            record.setdefault(f"{name}_timestamp", int(moment.timestamp()))
            return int(moment.timestamp())
    except ValueError as problem:
        raise BadRequest(f"{name} of a row is no time: {problem}") from problem
    record.setdefault(f"{name}_timestamp", default)
    return default


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _completed(record: dict[str, Any], application: Application, datetimes: list[str]) -> None:
    """Put in what the vendor derives: local times, and the application's number."""
    record.setdefault("application_id", str(application.application_id))
    for name in datetimes:
        if name not in record:
            stamp = record.get(name.replace("_datetime", "_timestamp"))
            record[name] = _local(stamp, application.zone)


@lru_cache(maxsize=100_000)
def _local(stamp: int | str | None, zone: ZoneInfo) -> str:
    if stamp is None or stamp == "":
        return ""
    return datetime.fromtimestamp(int(stamp), zone).strftime("%Y-%m-%d %H:%M:%S")

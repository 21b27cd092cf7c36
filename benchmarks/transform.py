"""Seconds of `transform` for 100,000 new events, on an empty warehouse and on a history.

    python -m benchmarks.transform [--events 100000]

Data: 45 typed keys and about 20 user properties an event, a tenth as many patients as events, made
in SQL straight into the raw tables of an embedded PostgreSQL; durability is off there. The process
is warm: dbt is imported and the project parsed by a first build over no data. The figure beside it
is one bare `create table as select` of the same rows, as a scale for this machine.
Writes benchmarks/results/transform.json.
"""

import argparse
import tempfile
import time
from pathlib import Path

import psycopg
from pydantic import SecretStr

from benchmarks.figures import Figure, figure, report
from flows.sandbox.postgres import Postgres
from flows.settings import Dwh
from flows.transform import build
from flows.warehouse.migrate import migrate

LOAD = """
insert into raw.loads (source, file_key, etag, size_bytes, status, row_count, last_line, load_seq)
values ('amplitude_mobile', 'amplitude/mobile/' || %(load)s::int || '.zip', '', 0, 'loaded',
    %(events)s, %(events)s - 1, %(load)s)
returning load_id
"""

EVENTS = """
insert into raw.amplitude_events (
    load_id, line_number, uuid, user_id, device_id, session_id, event_id, insert_id, amplitude_id,
    app,
    event_type, platform, os_name, os_version, device_family, device_type, language, library,
    version_name, city, region, country, event_properties, user_properties,
    client_event_time, client_upload_time, server_received_time, server_upload_time, processed_time,
    event_time
)
select
    %(load_id)s, n, md5(%(load)s::int || '-' || n)::uuid, 'user-' || patient, 'device-' || patient,
    1736150000000 + n, n, 'insert-' || n, patient, 434735,
    'event ' || n %% 40, 'iOS', 'ios', '18.5', 'Apple iPhone', 'Apple iPhone', 'English',
    'amplitude-swift/1.13.6', '1.0.81', 'Sofia', 'Sofia-Capital', 'Bulgaria',
    json_build_object('screen', n %% 12, 'duration', n %% 1000, 'note', repeat('x', 200)),
    json_build_object(
        'ehr_id', 'P' || patient, 'gender', 'f', 'birth_date', '1980-02-03', 'blood_type', 'A+',
        'registration_date', '2024-12-01', 'enrolled_at', '2024-12-02T10:00:00Z',
        'first_clinic_id', 7, 'age', '44 years', 'height_cm', 171.5,
        'weight_kg', 60 + n %% 9, 'city', 'Sofia',
        'country_code', 'BG', 'subscription_plan', 'basic', 'is_subscribed', true, 'doctor_id', 12,
        'prosthesis_type', 'leg', 'prosthesis_side', 'L', 'firmware_version', '2.1.' || n %% 3,
        'push_enabled', true, 'pain_level', n %% 10, 'initial_utm_source', 'EMPTY'
    ),
    moment, moment, moment, moment, moment, moment
from (
    select
        n,
        (n * 7919) %% (%(events)s / 10) as patient,
        timestamptz '2025-01-06' + %(load)s::int * interval '7 days' + n * interval '5 s'
            as moment
    from generate_series(0, %(events)s - 1) as n
) as numbered
"""


def main() -> None:
    """Measure and print; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory(prefix="dwh-helper-bench-") as folder:
        server = Postgres(Path(folder) / "postgres")
        server.start()
        try:
            figures = measure(server, events)
        finally:
            server.stop()
    report("transform", figures)


def measure(server: Postgres, events: int) -> list[Figure]:
    """The figures, in the order in which they were taken."""
    server.create_database("bench")
    url = server.url("bench")
    migrate(url)
    settings = Dwh(database_url=SecretStr(url))
    build(settings=settings)
    seconds: dict[str, float] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for load, name in enumerate(("an empty warehouse", f"a history of {events:,}"), start=1):
            add_load(connection, load, events)
            seconds[f"transform of {events:,} new events on {name}"] = timed(settings)
        idle = timed(settings)
        started = time.monotonic()
        connection.execute("create table bare as select * from dwh.events_part where load_id = 1")
        bare = time.monotonic() - started
    return [
        *(figure(name, taken, "s", ratio=taken / bare) for name, taken in seconds.items()),
        figure("transform with nothing new", idle, "s"),
        figure(f"bare create table as select of {events:,} rows of events_part", bare, "s"),
    ]


def add_load(connection: psycopg.Connection, load: int, events: int) -> None:
    """One complete load of so many events, as load_raw would leave it."""
    row = connection.execute(LOAD, {"load": load, "events": events}).fetchone()
    assert row is not None
    connection.execute(EVENTS, {"load_id": row[0], "load": load, "events": events})
    connection.execute("analyze raw.amplitude_events")


def timed(settings: Dwh) -> float:
    """Wall seconds of one build that must go through."""
    started = time.monotonic()
    build(settings=settings)
    return time.monotonic() - started


if __name__ == "__main__":
    main()

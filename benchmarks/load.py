"""How fast an archive gets into the raw table, against `psql \\copy` of the same prepared rows.

    python -m benchmarks.load [--events 100000] [--rounds 5]

Loading does all the work (S3, inflate, decode, checksum, ledger); psql only sends a text file of
the same rows, dumped from the loaded table, into an identical empty one. Round by round in turn on
an embedded PostgreSQL (durability off there), medians. Memory is the peak of a fresh process,
imports included. Writes benchmarks/results/load.json.
"""

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.figures import Figure, figure, memory_figures, report
from benchmarks.new_process import in_new_process, peak_mb
from flows.lake.bucket import Bucket
from flows.load_raw import load_archives
from flows.sandbox.postgres import Postgres, find_binaries
from flows.sandbox.s3 import S3Server

SOURCE = "amplitude_web"
KEY = "amplitude/web/2025_week_{number:02d}.zip"
TABLE = "raw.amplitude_events"
APPMETRICA_KEY = "appmetrica/1111/events/2025-01-06.ndjson.gz"
APPMETRICA_TABLE = "raw.appmetrica_events"

AIM_RATIO = 0.7

ALWAYS_NULL = (
    *("$insert_key", "$schema", "adid", "amplitude_attribution_ids", "amplitude_event_type"),
    *("device_brand", "device_carrier", "device_manufacturer", "device_model", "dma"),
    *("global_user_properties", "idfa", "is_attribution_event", "location_lat", "location_lng"),
    *("partner_id", "paying", "plan", "sample_rate", "source_id", "start_version"),
    *("user_creation_time", "version_name"),
)


def lines(count: int) -> Iterator[bytes]:
    """Events of 55 keys and about 1.3 KB, the same each time."""
    draw = random.Random(55)
    start = datetime(2025, 1, 6)

    def at(milliseconds: int) -> str:
        return (start + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%d %H:%M:%S.%f")

    nulls = dict.fromkeys(ALWAYS_NULL)
    for number in range(count):
        sent = number * 6000
        event = nulls | {
            "$insert_id": str(uuid.UUID(int=draw.getrandbits(128))),
            "amplitude_id": draw.randrange(10**12, 10**13),
            "app": 434735,
            "city": draw.choice(("Sofia", "Łódź", "Paris", "Köln")),
            "client_event_time": at(sent),
            "client_upload_time": at(sent + 120),
            "country": "Germany",
            "data": {"path": "/2/httpapi", "group_first_event": {}, "group_ids": {}},
            "data_type": "event",
            "device_family": "Windows",
            "device_id": str(uuid.UUID(int=draw.getrandbits(128))),
            "device_type": "Windows",
            "event_id": number,
            "event_properties": {"[Amplitude] Page Path": f"/page/{number % 99}", "Price": 10.25},
            "event_time": at(sent),
            "event_type": draw.choice(("session_start", "[Amplitude] Page Viewed", "Open visit")),
            "group_properties": {},
            "groups": {},
            "ip_address": "203.0.113.10",
            "language": "German",
            "library": "amplitude-ts/2.16.1",
            "os_name": "Chrome",
            "os_version": "137",
            "platform": "Web",
            "processed_time": at(sent + 900),
            "region": "Bavaria",
            "server_received_time": at(sent + 200),
            "server_upload_time": at(sent + 210),
            "session_id": 1752748588583 + number // 20,
            "user_id": f"user-{draw.randrange(10_000)}",
            "user_properties": {"ehr_id": str(draw.randrange(10_000)), "age": str(number % 90)},
            "uuid": str(uuid.UUID(int=draw.getrandbits(128))),
        }
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def appmetrica_lines(count: int) -> Iterator[bytes]:
    """Events of AppMetrica's 32 fields and about 0.9 KB, all of them texts, sorted like a day's."""
    draw = random.Random(32)
    start = datetime(2025, 1, 6)
    texts = dict.fromkeys(
        ("city", "google_aid", "ios_ifa", "operator_name", "profile_id", "windows_aid"), ""
    )
    for number in range(count):
        at = start + timedelta(seconds=number // 20)
        unix = str(1_736_110_800 + number // 20)
        event = {
            "event_datetime": str(at),
            "event_json": json.dumps(
                {"Title": "Что умеет приложение?", "Place": "DASHBOARD", "Number": number % 99},
                ensure_ascii=False,
            ),
            "event_name": draw.choice(("Banner Shown", "Opened", "Purchase")),
            "event_receive_datetime": str(at),
            "event_receive_timestamp": unix,
            "event_timestamp": unix,
            "session_id": str(10_000_000_000 + number // 20),
            "installation_id": f"{draw.getrandbits(128):032x}",
            "appmetrica_device_id": str(draw.getrandbits(64)),
            "connection_type": "wifi",
            "country_iso_code": "RU",
            "device_ipv6": "::ffff:203.0.113.6",
            "device_locale": "ru_RU",
            "device_manufacturer": "Apple",
            "device_model": "iPhone 14 Pro",
            "device_type": "phone",
            "ios_ifv": str(uuid.UUID(int=draw.getrandbits(128))).upper(),
            "mcc": "250",
            "mnc": "1",
            "original_device_model": "iPhone15,2",
            "os_name": "ios",
            "os_version": "18.6.2",
            "app_build_number": "444",
            "app_package_name": "com.example.app",
            "app_version_name": "1.0",
            "application_id": "1111",
        } | texts
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def put_day(bucket: Bucket, directory: Path, events: int) -> int:
    """A day of AppMetrica's events in S3; returns its NDJSON bytes."""
    path = directory / "day.gz"
    with gzip.open(path, "wb") as day:
        size = sum(day.write(line) for line in appmetrica_lines(events))
    bucket.client.upload_file(str(path), bucket.name, APPMETRICA_KEY)
    path.unlink()
    return size


def put_archive(bucket: Bucket, directory: Path, number: int, events: int) -> int:
    """An archive of so many events in S3; returns its NDJSON bytes."""
    path = directory / "archive.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"2025_week_{number:02d}.ndjson", "w", force_zip64=True) as member,
    ):
        size = sum(member.write(line) for line in lines(events))
    bucket.client.upload_file(str(path), bucket.name, KEY.format(number=number))
    path.unlink()
    return size


def main() -> None:
    """Measure, print a table, write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-load-") as name,
        tempfile.TemporaryDirectory(prefix="benchmark-postgres-") as server,
    ):
        directory = Path(name)
        Path(server).chmod(0o755)
        with Postgres(Path(server) / "server") as postgres, S3Server(directory / "s3") as s3:
            bucket = s3.create_bucket("benchmark")
            url = postgres.create_database("benchmark")
            os.environ |= s3.variables(bucket.name) | {"DWH_DATABASE_URL": url}
            size = put_archive(bucket, directory, 1, options.events)
            key = KEY.format(number=1)
            figures = speed(
                url, directory, (SOURCE, key, TABLE), options.events, size, options.rounds
            )
            size = put_day(bucket, directory, options.events)
            day = ("appmetrica", APPMETRICA_KEY, APPMETRICA_TABLE)
            figures += speed(url, directory, day, options.events, size, options.rounds)
            put_archive(bucket, directory, 2, 4 * options.events)
            figures += memory(url)
    report("load", figures)


def speed(
    url: str, directory: Path, archive: tuple[str, str, str], events: int, size: int, rounds: int
) -> list[Figure]:
    """Rows a second of both ways. archive: source, key, table."""
    source, key, table = archive
    psql = find_binaries().folder / "psql"
    rows = directory / "rows.txt"
    load_archives(source, key=key)
    run(psql, url, f"\\copy {table} to '{rows}'")
    empty(url, f"create table raw.prepared (like {table} including all)")
    ours, theirs = [], []
    for _ in range(rounds):
        empty(url, f"truncate {table}, raw.loads")
        started = time.perf_counter()
        result = load_archives(source, key=key)
        ours.append(time.perf_counter() - started)
        assert result.rows == events
        empty(url, "truncate raw.prepared")
        started = time.perf_counter()
        run(psql, url, f"\\copy raw.prepared from '{rows}'")
        theirs.append(time.perf_counter() - started)
    with psycopg.connect(url) as connection:
        columns = "to_jsonb(line) - 'load_id'"
        differences = connection.execute(
            f"select count(*) from (select {columns} from {table} as line"
            f" except all select {columns} from raw.prepared as line) as difference"
        ).fetchone()
    assert differences == (0,)
    empty(url, "drop table raw.prepared")
    named = "" if source == SOURCE else f" {source}"
    seconds, psql_seconds = statistics.median(ours), statistics.median(theirs)
    ratio = psql_seconds / seconds
    return [
        figure(
            f"load_raw{named}",
            events / seconds,
            "rows/s",
            ratio=ratio,
            aim=AIM_RATIO,
            holds=ratio >= AIM_RATIO,
        ),
        figure(f"load_raw{named}, NDJSON", size / seconds / 1e6, "MB/s"),
        figure(f"psql \\copy of the same typed rows{named}", events / psql_seconds, "rows/s"),
        figure(f"size of an event{named}", size / events, "bytes"),
    ]


def memory(url: str) -> list[Figure]:
    """Peak memory of a process that loads 1x and one that loads 4x."""
    peaks_mb = {}
    for factor, number in ((1, 1), (4, 2)):
        empty(url, f"truncate {TABLE}, raw.loads")
        peaks_mb[factor] = in_new_process(load_once, KEY.format(number=number))
    return memory_figures("load", peaks_mb)


def load_once(key: str) -> float:
    """Load an archive, and say in how much memory."""
    load_archives(SOURCE, key=key)
    return peak_mb()


def empty(url: str, statement: str) -> None:
    """Run a statement, then a checkpoint, so that no way pays for the other's pages."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
        connection.execute("checkpoint")


def run(psql: Path, url: str, command: str) -> None:
    """One psql command."""
    subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, url], check=True)


if __name__ == "__main__":
    main()

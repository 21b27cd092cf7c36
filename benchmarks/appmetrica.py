"""How fast an export of AppMetrica's Logs API becomes a day archive, and in how much memory.

    python -m benchmarks.appmetrica

MB/s are of the vendor's JSON, which a plain file server sends: the export is measured, not the
simulator. The ratio is to `json.loads` of the same bytes, what a client that holds everything in
memory would do first. Results: `benchmarks/results/appmetrica.json`. Takes a minute and 2 GB of
temporary files.
"""

import json
import os
import random
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks.figures import Figure, figure, memory_figures, report
from benchmarks.file_server import file_server
from benchmarks.new_process import in_new_process, peak_mb

DAY = date(2025, 1, 6)
#: Rows of the day at 1x, about 90 MB: more than one run of the sort, so that runs are merged.
ROWS = 100_000


def main() -> None:
    """Measure everything, print a table, write the results."""
    with tempfile.TemporaryDirectory(prefix="benchmark-appmetrica-") as name:
        directory = Path(name)
        bodies = {factor: make_body(directory / f"{factor}x.json", factor) for factor in (1, 4)}
        started = time.perf_counter()
        json.loads(bodies[1].read_bytes())
        yardstick = bodies[1].stat().st_size / 1e6 / (time.perf_counter() - started)
        figures = [figure("json.loads (yardstick)", yardstick, "MB/s", ratio=1.0)]
        figures += whole_exports(directory, bodies, yardstick)
    report("appmetrica", figures)


def make_body(path: Path, factor: int) -> Path:
    """An answer in the vendor's layout: a row a line, every value a text, in no order."""
    from flows.vendors.appmetrica_tables import TABLES

    chance = random.Random(DAY.toordinal())
    empty = dict.fromkeys(TABLES["events"].fields, "")
    with path.open("w", encoding="utf-8") as file:
        file.write('{\n"data" :\n[\n')
        for number in range(ROWS * factor):
            row = empty | {
                "event_name": f"event {number % 50}",
                "event_datetime": f"{DAY} 12:00:00",
                "event_receive_datetime": f"{DAY} 12:00:07",
                "event_timestamp": str(chance.randrange(10**9)),
                "event_json": json.dumps(
                    {"Title": "Что умеет приложение?", "value": chance.random()},
                    ensure_ascii=False,
                ),
                "appmetrica_device_id": str(chance.randrange(2**64)),
                "installation_id": f"{chance.getrandbits(128):032x}",
                "device_model": "iPhone 14 Pro",
                "device_ipv6": "::ffff:203.0.113.6",
                "os_version": "18.6.2",
            }
            file.write(",\n" if number else "")
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
        file.write("\n]\n}")
    return path


def whole_exports(directory: Path, bodies: dict[int, Path], yardstick: float) -> list[Figure]:
    """export_tables in a process of its own, from HTTP into rclone's S3: time and memory."""
    from flows.sandbox.s3 import S3Server

    found: dict[int, dict[str, float]] = {}
    with S3Server(directory / "s3") as s3:
        for factor, body in bodies.items():
            bucket = s3.create_bucket(f"appmetrica-{factor}x")
            with file_server(lambda _, body=body: body) as base_url:
                os.environ |= s3.variables(bucket.name) | {
                    "APPMETRICA_BASE_URL": base_url,
                    "APPMETRICA_API_KEY": "token",
                    "APPMETRICA_APPLICATION_ID": "1111",
                    "APPMETRICA_TIME_ZONE": "Europe/Moscow",
                }
                found[factor] = in_new_process(export_day)
    figures = []
    for factor, measured in found.items():
        if measured["rows"] != ROWS * factor:
            raise SystemExit(f"{measured['rows']} rows came instead of {ROWS * factor}")
        speed = bodies[factor].stat().st_size / 1e6 / measured["seconds"]
        name = f"whole export, {factor}x, HTTP to S3"
        figures.append(figure(name, speed, "MB/s", ratio=speed / yardstick))
    figures.append(figure("idle process (imports)", found[1]["idle_mb"], "MB peak"))
    return figures + memory_figures("export", {f: found[f]["peak_mb"] for f in found})


def export_day() -> dict[str, float]:
    """Export the day, and say how long and in how much memory."""
    from flows.export_appmetrica import export_tables

    idle_mb = peak_mb()
    started = time.perf_counter()
    done = export_tables(DAY, DAY, ("events",))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "rows": done.rows, "idle_mb": idle_mb, "peak_mb": peak_mb()}


if __name__ == "__main__":
    main()

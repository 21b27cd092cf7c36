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
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.archive import AIM_GROWTH, peak_mb, result, show

RESULTS = Path(__file__).parent / "results" / "appmetrica.json"
DAY = date(2025, 1, 6)
#: Rows of the day at 1x, about 90 MB: more than one run of the sort, so that runs are merged.
ROWS = 100_000


def main() -> None:
    """Measure everything, print a table, write the results."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-appmetrica-") as name:
        directory = Path(name)
        bodies = {factor: make_body(directory / f"{factor}x.json", factor) for factor in (1, 4)}
        started = time.perf_counter()
        json.loads(bodies[1].read_bytes())
        yardstick = bodies[1].stat().st_size / 1e6 / (time.perf_counter() - started)
        results.append(result("json.loads (yardstick)", yardstick, "MB/s", ratio=1.0))
        results += whole_exports(directory, bodies, yardstick)
    show(results)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


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


class Vendor(BaseHTTPRequestHandler):
    """Has the file ready at once."""

    body: Path

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(self.body.stat().st_size))
        self.end_headers()
        with self.body.open("rb") as file:
            self.connection.sendfile(file)

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent."""


def whole_exports(
    directory: Path, bodies: dict[int, Path], yardstick: float
) -> list[dict[str, Any]]:
    """export_tables in a process of its own, from HTTP into rclone's S3: time and memory."""
    from flows.sandbox.s3 import S3Server

    found: dict[int, dict[str, float]] = {}
    with S3Server(directory / "s3") as s3:
        for factor, body in bodies.items():
            s3.create_bucket(f"appmetrica-{factor}x")
            handler = type("Handler", (Vendor,), {"body": body})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            environment = os.environ | {
                "APPMETRICA_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}",
                "APPMETRICA_API_KEY": "token",
                "APPMETRICA_APPLICATION_ID": "1111",
                "APPMETRICA_TIME_ZONE": "Europe/Moscow",
                "S3_ACCESS_KEY_ID": s3.access_key_id,
                "S3_SECRET_ACCESS_KEY": s3.secret_access_key,
                "S3_ENDPOINT_URL": s3.endpoint_url,
                "S3_BUCKET_NAME": f"appmetrica-{factor}x",
            }
            child = subprocess.run(
                [sys.executable, "-m", "benchmarks.appmetrica", "--child"],
                env=environment,
                cwd=Path(__file__).parent.parent,
                stdout=subprocess.PIPE,
                check=True,
            )
            found[factor] = json.loads(child.stdout)
            server.shutdown()
            server.server_close()
    results = []
    for factor, measured in found.items():
        if measured["rows"] != ROWS * factor:
            raise SystemExit(f"{measured['rows']} rows came instead of {ROWS * factor}")
        speed = bodies[factor].stat().st_size / 1e6 / measured["seconds"]
        name = f"whole export, {factor}x, HTTP to S3"
        results.append(result(name, speed, "MB/s", ratio=speed / yardstick))
    growth = found[4]["peak_mb"] / found[1]["peak_mb"]
    results.append(result("idle process (imports)", found[1]["idle_mb"], "MB peak"))
    results.append(result("export, 1x input", found[1]["peak_mb"], "MB peak"))
    results.append(
        result("export, 4x input", found[4]["peak_mb"], "MB peak", ratio=growth)
        | {"aim": f"ratio <= {AIM_GROWTH} to 1x", "holds": growth <= AIM_GROWTH}
    )
    return results


def child() -> None:
    """Export the day, and say how long and in how much memory."""
    from flows.export_appmetrica import export_tables

    idle_mb = peak_mb()
    started = time.perf_counter()
    done = export_tables(DAY, DAY, ("events",))
    seconds = time.perf_counter() - started
    measured = {"seconds": seconds, "rows": done.rows, "idle_mb": idle_mb, "peak_mb": peak_mb()}
    print(json.dumps(measured))


if __name__ == "__main__":
    child() if "--child" in sys.argv else main()

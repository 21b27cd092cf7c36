"""`python -m flows.sandbox.serve`: the sandbox as a standing system, until Ctrl-C.

PostgreSQL (warehouse, CRM, telemetry), S3, simulators of both vendors, a Prefect server with its
UI, a worker, and all deployments of `prefect.yaml`.
"""

import os
import signal
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from flows.sandbox.deployments import Worker, deploy_all, work_pools
from flows.sandbox.place import SANDBOX
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.processes import SandboxFailed
from flows.sandbox.servers import BUCKET, Servers, psql
from flows.settings import PROJECT


def main() -> int:
    """Start everything, print where it is, wait for Ctrl-C or SIGTERM, stop everything."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` leaves it ignored
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as running:
            _start(running)
            threading.Event().wait()
    except SandboxFailed as problem:
        print(f"The sandbox failed: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing runs any more.")
    return 0


def _start(running: ExitStack) -> None:
    prefect = PrefectServer(SANDBOX / "prefect")
    running.callback(prefect.stop)
    print(
        "Starting PostgreSQL, S3, both vendors and Prefect (10 s; twice that the first time) …",
        flush=True,
    )
    prefect.launch()
    servers = running.enter_context(Servers(SANDBOX))
    servers.start_storage()
    servers.start_vendors()
    servers.start_report_sources()
    prefect.wait()
    environment = prefect.environment() | servers.variables()
    print("deployments …", flush=True)
    deploy_all(environment)
    for pool in work_pools():
        worker = Worker(pool, SANDBOX / "workers" / pool)
        running.callback(worker.stop)
        worker.start(environment)
    _say(prefect, servers)


def _say(prefect: PrefectServer, servers: Servers) -> None:
    variables = servers.variables()
    url = variables["DWH_DATABASE_URL"]
    lines = {
        "Prefect UI": prefect.ui_url,
        "ad hoc": f"PREFECT_API_URL={prefect.api_url} .venv/bin/prefect deployment run"
        " pipeline/daily --watch -p start=2025-01-06 -p end=2025-01-12",
        "SQL": psql(url),
        "CRM": psql(variables["CRM_DATABASE_URL"]),
        "telemetry": psql(variables["TELEMETRY_DATABASE_URL"]),
        "dbt": f"cd dbt_project && DWH_DATABASE_URL={url} ../.venv/bin/dbt build",
        "S3": f"{variables['S3_ENDPOINT_URL']}, bucket {BUCKET}",
        "Amplitude": f"{variables['AMPLITUDE_BASE_URL']} (simulator)",
        "AppMetrica": f"{variables['APPMETRICA_BASE_URL']} (simulator)",
        "all variables": str(_write_variables(variables, prefect)),
    }
    print("The sandbox runs until Ctrl-C:\n")
    for name, text in lines.items():
        print(f"  {name:13}  {text}")
    sys.stdout.flush()


def _write_variables(variables: dict[str, str], prefect: PrefectServer) -> str:
    """A file for `set -a; . FILE`, so that a second terminal can work on the sandbox."""
    path = SANDBOX / "env"
    every = variables | {"PREFECT_API_URL": prefect.api_url}
    path.write_text("".join(f"{name}={value}\n" for name, value in every.items()))
    return f"set -a; . {os.path.relpath(path, PROJECT)}; set +a"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

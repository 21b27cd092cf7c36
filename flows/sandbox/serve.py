"""`python -m flows.sandbox.serve`: the sandbox as a standing system, until Ctrl-C.

PostgreSQL, S3, the Amplitude simulator, a Prefect server with its UI, a worker, and all deployments
of `prefect.yaml`.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from types import FrameType

import yaml

from flows.sandbox.place import SANDBOX
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.processes import GuardedProcess, SandboxFailed
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
    prefect.launch()
    servers = running.enter_context(Servers(SANDBOX))
    servers.start_storage()
    servers.start_amplitude()
    prefect.wait()
    environment = (
        prefect.environment()
        | servers.variables()
        | {
            "PYTHONPATH": str(PROJECT),  # a run's folder is not on the path of its process
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
    )
    for pool in _work_pools():
        _prefect(environment, "work-pool", "create", pool, "--type", "process", "--overwrite")
    _prefect(environment, "deploy", "--all")
    for pool in _work_pools():
        worker = GuardedProcess(
            SANDBOX / "workers" / pool, name=f"worker of {pool}", stop_signal=signal.SIGINT
        )
        running.callback(worker.stop)
        with worker.claimed():
            worker.start(
                [
                    *(sys.executable, "-m", "prefect", "worker", "start", "--name", "sandbox"),
                    *("--pool", pool, "--type", "process", "--install-policy", "never"),
                ],
                environment=environment,
                cwd=PROJECT,
            )
    _say(prefect, servers)


def _work_pools() -> list[str]:
    """Names of the work pools that the deployments of prefect.yaml ask for."""
    described = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    return sorted({deployment["work_pool"]["name"] for deployment in described["deployments"]})


def _prefect(environment: dict[str, str], *arguments: str) -> None:
    """Run one command of Prefect's CLI; SandboxFailed with what it printed if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        command = " ".join(arguments)
        raise SandboxFailed(f"prefect {command}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def _say(prefect: PrefectServer, servers: Servers) -> None:
    variables = servers.variables()
    url = variables["DWH_DATABASE_URL"]
    lines = {
        "Prefect UI": prefect.ui_url,
        "ad hoc": f"PREFECT_API_URL={prefect.api_url} .venv/bin/prefect deployment run"
        " pipeline/daily --watch -p start=2025-01-06 -p end=2025-01-12",
        "SQL": psql(url),
        "dbt": f"cd dbt_project && DWH_DATABASE_URL={url} ../.venv/bin/dbt build",
        "S3": f"{variables['S3_ENDPOINT_URL']}, bucket {BUCKET}",
        "Amplitude": f"{variables['AMPLITUDE_BASE_URL']} (simulator)",
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

"""The deployments of prefect.yaml on a Prefect server, and a worker for each of their pools."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from flows.sandbox.processes import GuardedProcess, SandboxFailed
from flows.settings import PROJECT


def work_pools() -> list[str]:
    """Names of the work pools that the deployments ask for."""
    described = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    return sorted({deployment["work_pool"]["name"] for deployment in described["deployments"]})


def deploy_all(environment: Mapping[str, str]) -> None:
    """Make the pools and write all deployments to the server of PREFECT_API_URL."""
    for pool in work_pools():
        run_prefect(environment, "work-pool", "create", pool, "--type", "process", "--overwrite")
    run_prefect(environment, "deploy", "--all")


def run_prefect(environment: Mapping[str, str], *arguments: str) -> str:
    """Run one command of Prefect's CLI in the project's folder; returns what it printed.

    SandboxFailed with its output if it fails.
    """
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
    return done.stdout


#: What Prefect's worker prints when it begins to look for runs.
_STARTED = b"started!"


class Worker:
    """A process worker of one pool; its log lies in a folder. Stop it with `stop`."""

    def __init__(self, pool: str, directory: Path) -> None:
        self.pool = pool
        self._directory = directory.absolute()
        self._process = GuardedProcess(
            directory, name=f"worker of {pool}", stop_signal=signal.SIGINT
        )

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the worker and wait until it looks for runs; what it runs gets the environment too.

        SandboxFailed if it does not get so far.
        """
        temporary = self._directory / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        own = {
            # Prefect's runner would share one folder of /tmp with all users of the machine.
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(PROJECT),  # a run's folder is not on the path of its process
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        log = self._process.log
        with self._process.claimed():
            earlier = log.stat().st_size if log.exists() else 0
            self._process.start(
                [
                    *(sys.executable, "-m", "prefect", "worker", "start", "--name", "sandbox"),
                    *("--pool", self.pool, "--type", "process", "--install-policy", "never"),
                ],
                environment={**environment, **own},
                cwd=PROJECT,
            )
        self._process.wait_until(lambda: _STARTED in log.read_bytes()[earlier:])

    def stop(self) -> None:
        """Stop the worker and the runs that it has started."""
        self._process.stop()

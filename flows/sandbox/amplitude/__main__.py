"""Serve the Amplitude Export API of the sandbox: `python -m flows.sandbox.amplitude --help`."""

import argparse
import signal
import threading
from datetime import date
from pathlib import Path

from flows.sandbox.amplitude.dataset import build
from flows.sandbox.amplitude.projects import MOBILE, WEB, Project
from flows.sandbox.amplitude.server import AmplitudeSimulator


def main() -> None:
    """Build the data if asked to, serve until SIGINT or SIGTERM."""
    arguments = _arguments()
    if arguments.generate:
        start_day, end_day = (date.fromisoformat(day) for day in arguments.generate)
        build(arguments.data, start_day, end_day, users=arguments.users, hostile=arguments.hostile)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    projects = [_with_pair(WEB, arguments.web), _with_pair(MOBILE, arguments.mobile)]
    with AmplitudeSimulator(projects, data=arguments.data, port=arguments.port) as simulator:
        print(f"Amplitude simulator: {simulator.base_url} (Ctrl-C stops it)", flush=True)
        stopped.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.sandbox.amplitude", description=__doc__)
    parser.add_argument("--port", type=int, default=None, help="default: a free one")
    parser.add_argument("--data", type=Path, default=None, help="a folder of NDJSON")
    parser.add_argument(
        "--generate", nargs=2, metavar=("START", "END"), help="first invent these days into --data"
    )
    parser.add_argument("--users", type=int, default=300, help="people per project (300)")
    parser.add_argument("--hostile", action="store_true", help="with rows that stop a build")
    parser.add_argument("--web", metavar="ID:SECRET", help="key pair of the web project")
    parser.add_argument("--mobile", metavar="ID:SECRET", help="key pair of the mobile project")
    arguments = parser.parse_args()
    if arguments.generate and arguments.data is None:
        parser.error("--generate needs --data")
    return arguments


def _with_pair(project: Project, pair: str | None) -> Project:
    if pair is None:
        return project
    client_id, _, secret_key = pair.partition(":")
    return Project(project.name, project.project_id, client_id, secret_key)


if __name__ == "__main__":
    main()

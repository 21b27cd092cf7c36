"""Serve AppMetrica's Logs API of the sandbox: `python -m flows.sandbox.appmetrica --help`."""

import argparse
import signal
import threading
from datetime import date
from pathlib import Path

from flows.sandbox.appmetrica.applications import APPLICATION, Application
from flows.sandbox.appmetrica.dataset import build
from flows.sandbox.appmetrica.limits import Limits
from flows.sandbox.appmetrica.server import AppMetricaSimulator


def main() -> None:
    """Build the data if asked to, serve until SIGINT or SIGTERM."""
    arguments = _arguments()
    application = Application(arguments.application, arguments.token, arguments.time_zone)
    if arguments.generate:
        days = (date.fromisoformat(day) for day in arguments.generate)
        options = {"users": arguments.users, "hostile": arguments.hostile}
        build(arguments.data, *days, application=application, **options)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    simulator = AppMetricaSimulator(
        [application],
        data=arguments.data,
        port=arguments.port,
        limits=Limits(steps=arguments.steps, requests_per_second=30),
    )
    with simulator:
        print(f"AppMetrica simulator: {simulator.base_url} (Ctrl-C stops it)", flush=True)
        stopped.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.sandbox.appmetrica", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=None, help="default: a free one")
    add("--data", type=Path, default=None, help="a folder, made by --generate")
    add("--generate", nargs=2, metavar=("START", "END"), help="first invent these days into --data")
    add("--users", type=int, default=300, help="people with the app (300)")
    add("--hostile", action="store_true", help="with rows that a warehouse may refuse")
    add("--steps", type=int, default=2, help="how many times a job is not ready yet (2)")
    add("--application", type=int, default=APPLICATION.application_id, help="its number")
    add("--token", default=APPLICATION.token, help="its OAuth token")
    add("--time-zone", default=APPLICATION.time_zone, help="its IANA time zone")
    arguments = parser.parse_args()
    if arguments.generate and arguments.data is None:
        parser.error("--generate needs --data")
    return arguments


if __name__ == "__main__":
    main()

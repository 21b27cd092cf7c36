"""The log of flow and task runs, in the demo's form."""

import logging

from prefect.logging.configuration import setup_logging
from prefect.logging.handlers import PrefectConsoleHandler

from flows.sandbox.demo.screen import Screen

#: Prefect's own lines about runs: true, and not what a newcomer came to see.
_RUNS = ("prefect.flow_runs", "prefect.task_runs")
_NOISE = (
    "Beginning flow run",
    "Beginning subflow run",
    "Finished in state",
    "Created ",
    "View at",
    "Encountered exception",
)
#: One line for each of a hundred small archives; the summary tells them by folder.
_DAY_LOADED = ".ndjson.gz: loaded"


class FlowLog(logging.Handler):
    """Shows what flows and tasks log, and anybody's warnings, in the demo's own form."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.INFO)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record unless it is about Prefect's own business."""
        text = record.getMessage()
        if record.levelno < logging.WARNING and (
            not record.name.startswith(_RUNS) or _DAY_LOADED in text
        ):
            return
        if text.startswith(_NOISE):
            return
        for line in text.splitlines():
            self._screen.step(f"  {line}")


def show_flow_logs(screen: Screen) -> None:
    """Put the screen in the place of Prefect's console output."""
    setup_logging()
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, PrefectConsoleHandler):
            root.removeHandler(handler)
    root.addHandler(FlowLog(screen))

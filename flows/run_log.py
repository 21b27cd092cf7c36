"""The log of the present flow or task run, at the level that LOGGING_LEVEL names."""

import logging
from typing import Any

from prefect.logging import get_run_logger

from flows.settings import Logging

#: Prefect's own two, and what the plain functions say (retries, uncommon ways out).
_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "flows")


def run_log() -> "logging.Logger | logging.LoggerAdapter[Any]":
    """Where a run says what it does; MissingSetting where LOGGING_LEVEL is no level."""
    level = Logging.load().level
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(level)
    return get_run_logger()

"""LOGGING_LEVEL says how much a run logs."""

import logging

import pytest
from prefect import flow

from flows.errors import MissingSetting
from flows.run_log import run_log


@flow(persist_result=False)
def logs(level: int) -> bool:
    return run_log().isEnabledFor(level)


@pytest.mark.parametrize(
    ("level", "is_logged"), [("debug", True), ("INFO", True), ("ERROR", False)]
)
def test_a_run_logs_from_its_level_on(prefect_server, monkeypatch, level, is_logged):
    """What is below the level is not logged; capitals do not matter."""
    monkeypatch.setenv("LOGGING_LEVEL", level)
    assert (logs(logging.INFO), logs(logging.CRITICAL)) == (is_logged, True)


def test_what_is_no_level_is_said_by_name(prefect_server, monkeypatch):
    """A misspelt level stops the run before it does anything."""
    monkeypatch.setenv("LOGGING_LEVEL", "chatty")
    with pytest.raises(MissingSetting, match="LOGGING_LEVEL: Input should be 'DEBUG', 'INFO'"):
        logs(logging.INFO)

"""The steps of a pipeline as plain functions, in a process that may be killed at any moment.

Run from a fork server (`run.py`), so that a process costs some milliseconds instead of the
seconds of importing boto3 and dbt.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection

import dbt.cli.main  # noqa: F401  (imported once, in the fork server)

from flows.errors import DwhHelperError
from flows.export_amplitude import export_days
from flows.export_appmetrica import export_tables
from flows.load_raw import load_archives
from flows.settings import S3, Amplitude, AppMetrica, Dwh
from flows.transform import build
from flows.vendors.retries import Retries

#: Two weeks after the world's days, so that every hour is ready and every day is confirmed.
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
FIRST_DAY, LAST_DAY = "2025-01-10", "2025-01-13"
#: As patient as in production, without its waits.
RETRIES = Retries(tries=8, first_wait_s=0.02, longest_wait_s=0.2)

STEPS: dict[str, Callable[[], object]] = {
    "export web": partial(
        export_days, FIRST_DAY, LAST_DAY, "web", refresh=True, retries=RETRIES, now=lambda: NOW
    ),
    "export mobile": partial(
        export_days, FIRST_DAY, LAST_DAY, "mobile", refresh=True, retries=RETRIES, now=lambda: NOW
    ),
    "export appmetrica": partial(
        export_tables,
        FIRST_DAY,
        LAST_DAY,
        # A snapshot of profiles is one of its moment: a run that is repeated takes another one.
        ("events", "installations", "sessions_starts"),
        refresh=True,
        retries=RETRIES,
        now=lambda: NOW,
    ),
    "load web": partial(load_archives, "amplitude_web"),
    "load mobile": partial(load_archives, "amplitude_mobile"),
    "load appmetrica": partial(load_archives, "appmetrica"),
    "build": build,
}
EXPORTS = tuple(name for name in STEPS if name.startswith("export"))
LOADS = tuple(name for name in STEPS if name.startswith("load"))


def run(names: Sequence[str], variables: Mapping[str, str], say: Connection) -> None:
    """Carry out steps one after the other; each is announced, errors end the rest.

    say: gets (name, None) as a step begins, ("done", None) or ("failed", the error's text).
    """
    os.environ.update(variables)
    for block in (Dwh, S3, Amplitude, AppMetrica):  # a developer's .env is no part of the world
        block.model_config["env_file"] = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.disable(logging.CRITICAL)
    try:
        for name in names:
            say.send((name, None))
            STEPS[name]()
    except (DwhHelperError, OSError, KeyboardInterrupt) as error:
        say.send(("failed", f"{type(error).__name__}: {error}"))
        sys.exit(1)
    say.send(("done", None))

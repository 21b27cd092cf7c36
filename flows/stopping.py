"""Cancelling work that runs in threads: a signal reaches the main thread alone.

    with stoppable():
        ...  # Prefect's tasks that are submitted in here end soon after it is left

Work asks `demand_going_on` wherever it is between two steps, at least once a second.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from flows.errors import Stopped

#: How often work looks up that waits for something else.
LOOK_UP_S = 0.5

_left: ContextVar[threading.Event | None] = ContextVar("left", default=None)


@contextmanager
def stoppable() -> Iterator[None]:
    """Whatever ends this block, an error or a signal, stops the work that was begun within."""
    left = threading.Event()
    token = _left.set(left)
    try:
        yield
    finally:
        left.set()
        _left.reset(token)


def demand_going_on() -> None:
    """Raise Stopped where the run that this work belongs to has been cancelled."""
    left = _left.get()
    if left is not None and left.is_set():
        raise Stopped("the run was cancelled; run again: what is committed stands")


def pause(seconds: float) -> None:
    """Wait, at most until the run is cancelled: then Stopped."""
    left = _left.get()
    if left is None:
        time.sleep(seconds)
    else:
        left.wait(seconds)
        demand_going_on()

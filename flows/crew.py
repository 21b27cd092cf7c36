"""A few threads for work that waits for a network, for a process that may be told to stop.

The standard library's executors make the process wait for every thread, however it hangs. These
threads are daemons: the end of the block waits for them for some seconds, and then no longer.
"""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import ParamSpec, Self, TypeVar

from flows.stopping import LOOK_UP_S, demand_going_on

#: What hangs longer is left alone: it holds no lock, and what it writes is whole or not there.
_FAREWELL_S = 5.0

P = ParamSpec("P")
Result = TypeVar("Result")
_Job = tuple[Future[Result], Context, Callable[[], Result]]


class Crew:
    """Threads that take work in the order in which it came; used as a context manager.

    At the end of the block, work that has not begun is cancelled.
    """

    def __init__(self, size: int, name: str) -> None:
        self._jobs: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._futures: set[Future[object]] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(size)
        ]

    def submit(
        self, work: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[Result]:
        """Have some work done, within the context of the caller."""
        future: Future[Result] = Future()
        self._futures.add(future)  # type: ignore[arg-type]  # whose result nobody looks at here
        future.add_done_callback(self._futures.discard)  # type: ignore[arg-type]
        self._jobs.put((future, copy_context(), lambda: work(*args, **kwargs)))  # type: ignore[arg-type]
        return future

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        running = [future for future in tuple(self._futures) if not future.cancel()]
        for _thread in self._threads:
            self._jobs.put(None)
        wait(running, _FAREWELL_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, context, work = job
            if future.set_running_or_notify_cancel():
                _settle(future, context, work)


def _settle(future: Future[object], context: Context, work: Callable[[], object]) -> None:
    try:
        result = context.run(work)
    except BaseException as error:  # whatever it is, it belongs to whoever waits for the work
        future.set_exception(error)
    else:
        future.set_result(result)


def awaited(future: Future[Result]) -> Result:
    """What the work returns or raises; Stopped as soon as the run is cancelled."""
    while not wait_a_moment({future}):
        pass
    return future.result()


def wait_a_moment(futures: set[Future[Result]]) -> set[Future[Result]]:
    """Those that are done, perhaps none after half a second; Stopped if the run is cancelled."""
    demand_going_on()
    return wait(futures, LOOK_UP_S, FIRST_COMPLETED).done

"""A few threads for work that waits for a network, with one voice that tells how far it is."""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import TypeVar

from flows.crew import Crew, wait_a_moment

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    at_once: int,
    tell: Callable[[], None],
    stop: Callable[[], None],
) -> dict[Item, Result]:
    """What `work` returns for each item, in the order of the items.

    at_once: threads; tell: called from the caller's thread at least once a second; stop: called
    when the first error is on its way or the run is cancelled, so that work under way ends soon.
    That error, or Stopped, is raised; what has not begun is not begun.
    """
    results: dict[Item, Result] = {}
    with Crew(at_once, "side-by-side") as crew:
        running: dict[Future[Result], Item] = {crew.submit(work, item): item for item in items}
        order = list(running.values())
        try:
            while running:
                for future in wait_a_moment(set(running)):
                    results[running.pop(future)] = future.result()
                tell()
        finally:
            if running:
                stop()
    return {item: results[item] for item in order}

"""A few threads for work that waits for a network, with one voice that tells how far it is."""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

#: Progress is told at least this often while work is under way.
_TELL_EVERY_S = 1.0

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

    at_once: threads; tell: called from the caller's thread about once a second; stop: called when
    the first error is on its way, so that work under way ends soon. That error is raised; what has
    not begun is not begun.
    """
    results: dict[Item, Result] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="side-by-side") as pool:
        running: dict[Future[Result], Item] = {pool.submit(work, item): item for item in items}
        order = list(running.values())
        try:
            while running:
                done, _ = wait(running, _TELL_EVERY_S, FIRST_COMPLETED)
                for future in done:
                    results[running.pop(future)] = future.result()
                tell()
        finally:
            if running:
                stop()
                pool.shutdown(cancel_futures=True)
    return {item: results[item] for item in order}

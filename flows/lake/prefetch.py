"""Work ahead: an iterator advanced by a thread while its consumer is busy."""

from collections import deque
from collections.abc import Generator, Iterator
from typing import TypeVar

from flows.crew import Crew, awaited

T = TypeVar("T")


def prefetched(items: Iterator[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them made ahead by one thread.

    What the iterator raises is raised in its place. Close the generator to end the thread early.
    Pays where making an item waits for the network or leaves Python's lock (inflate, checksums).
    """
    end: list[T] = []
    with Crew(1, "prefetch") as crew:
        # One thread takes one item after the other, so the order stays.
        ahead = deque(crew.submit(_next, items) for _ in range(depth))
        while (found := awaited(ahead.popleft())) != end:
            ahead.append(crew.submit(_next, items))
            yield found[0]


def _next(items: Iterator[T]) -> list[T]:
    """The next item in a list, an empty list at the end."""
    for item in items:
        return [item]
    return []

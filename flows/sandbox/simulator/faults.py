"""Faults that a test or a user asks for, as a queue: how often each is still to come."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Countable(Protocol):
    """Something that happens `times` times, or for ever where that is None."""

    @property
    def times(self) -> int | None:
        """How many requests it spoils."""


F = TypeVar("F", bound=Countable)


class Faults(Generic[F]):
    """The faults still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[F, int | None]] = []
        self._lock = threading.Lock()

    def add(self, fault: F) -> None:
        """Queue a fault behind the others."""
        with self._lock:
            self._waiting.append((fault, fault.times))

    def clear(self) -> None:
        """Everything works again."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[tuple[F, int | None]]:
        """Each fault still to come, with how often (None for ever)."""
        with self._lock:
            return list(self._waiting)

    def take(self, concerns: Callable[[F], bool]) -> F | None:
        """The first fault that concerns a request; counts it as used."""
        with self._lock:
            for index, (fault, left) in enumerate(self._waiting):
                if not concerns(fault):
                    continue
                if left is not None:
                    self._waiting[index] = (fault, left - 1)
                    if left <= 1:
                        del self._waiting[index]
                return fault
        return None

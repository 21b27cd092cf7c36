"""What the simulator was asked, for tests of politeness, and how many requests run at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

#: A vendor's record of one answered request.
Seen = TypeVar("Seen")


class Presence:
    """One request among those that run; position: how many ran when it came, itself included."""

    def __init__(self, traffic: "Traffic[Any]", position: int) -> None:
        self._traffic = traffic
        self._inside = True
        self.position = position

    def leave(self) -> None:
        """Be counted out, before the last byte: with it the client may ask again at once."""
        if self._inside:
            self._inside = False
            self._traffic.left()


class Traffic(Generic[Seen]):
    """Requests seen since the start or the last reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._max_parallel = 0
        self._seen: list[Seen] = []

    @contextmanager
    def entered(self) -> Iterator[Presence]:
        """Count a request in, and out at the end at the latest."""
        with self._lock:
            self._running += 1
            self._max_parallel = max(self._max_parallel, self._running)
            presence = Presence(self, self._running)
        try:
            yield presence
        finally:
            presence.leave()

    def left(self) -> None:
        """Count a request out."""
        with self._lock:
            self._running -= 1

    def note(self, seen: Seen) -> None:
        """Remember an answer."""
        with self._lock:
            self._seen.append(seen)

    @property
    def seen(self) -> list[Seen]:
        """Every answer, in the order of answering."""
        with self._lock:
            return list(self._seen)

    @property
    def max_parallel(self) -> int:
        """Most requests that ran at once, refused ones included."""
        with self._lock:
            return self._max_parallel

    def reset(self) -> None:
        """Forget what was seen."""
        with self._lock:
            self._seen.clear()
            self._max_parallel = self._running

"""One simulator: a server in a thread, its clock, its faults, its limits, what it was asked."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from flows.errors import BadRequest
from flows.sandbox.simulator.faults import Faults
from flows.sandbox.simulator.handler import Handler, Server
from flows.sandbox.simulator.limits import Limits
from flows.sandbox.simulator.traffic import Traffic


class Simulator(ABC):
    """A vendor's API on 127.0.0.1; used as a context manager.

    port: None for a free one. now: the clock it goes by (aware), None for the real one.
    A vendor gives the handler that answers, its limits, and what a fault of it is.
    """

    name: ClassVar[str]
    handler: ClassVar[type[Handler]]
    limits: Limits
    faults: Faults[Any]
    traffic: Traffic[Any]

    def __init__(
        self, *, port: int | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        self._port = port or 0
        self._clock = now or _real_clock
        self._now = self._clock
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def fault_of(self, wish: dict[str, Any]) -> Any:
        """A fault from the control address's JSON; BadRequest where it makes no sense."""

    def obey(self, method: str, subject: str, _wish: dict[str, Any]) -> dict[str, Any]:
        """Carry out a wish that only this vendor's simulator knows."""
        raise BadRequest(f"no such control: {method} {subject}")

    @property
    def port(self) -> int:
        """The port in use; 0 before a free one was taken."""
        return int(self._server.server_address[1]) if self._server else self._port

    @property
    def base_url(self) -> str:
        """What the vendor's `…_BASE_URL` should be."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Serve in a thread of its own; returns when connections are accepted."""
        self._server = Server(("127.0.0.1", self._port), self.handler)
        self._server.simulator = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=self.name, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection; stopping twice does no harm."""
        if self._server is not None and self._thread is not None:
            self._port = self.port
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def now(self) -> datetime:
        """The moment that the simulator takes for the present."""
        return self._now()

    def set_now(self, moment: datetime | None) -> None:
        """Stop the clock at a moment; None lets the clock of the constructor run again."""
        self._now = self._clock if moment is None else lambda: moment


def _real_clock() -> datetime:
    return datetime.now(UTC)

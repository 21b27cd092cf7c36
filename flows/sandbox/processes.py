"""Servers as child processes that never outlive the process that started them."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flows.errors import DwhHelperError

LOOPBACK = "127.0.0.1"
GUARD = Path(__file__).with_name("guard.py")
# A predecessor that was killed with -9 leaves its guard to stop the server: about a second.
LOCK_PATIENCE_S = 25
START_PATIENCE_S = 60  # a fresh Prefect server takes 10 s on two free cores, more on busy ones


class SandboxFailed(DwhHelperError):
    """A server of the sandbox cannot start or stopped by itself; the message names its log."""


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user that a server runs as, where it may not run as root."""

    uid: int
    gid: int
    name: str


class GuardedProcess:
    """One server process under `guard.py`.

    directory: holds `lock` and `server.log`; made if missing. stop_signal: asks the server to stop.

        with process.claimed():
            ...  # nobody else uses the directory: a remembered port is free again, files are stale
            process.start(command)
        process.wait_until(ready)
    """

    def __init__(
        self, directory: Path, *, name: str, stop_signal: signal.Signals = signal.SIGTERM
    ) -> None:
        self.directory = directory
        self.name = name
        self.stop_signal = stop_signal
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock_fd: int | None = None

    @property
    def log(self) -> Path:
        """Everything the server prints."""
        return self.directory / "server.log"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the directory; a server started meanwhile holds it on. SandboxFailed if in use."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock_fd = _locked(self.directory / "lock", self.name)
        try:
            yield
        finally:
            os.close(self._lock_fd)
            self._lock_fd = None

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        run_as: RunAs | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start the server, within `claimed`.

        command: absolute path and arguments. environment: the whole one, by default ours.
        """
        if self._lock_fd is None:
            raise SandboxFailed(f"{self.name}: its directory is not claimed")
        uid, gid = (run_as.uid, run_as.gid) if run_as else (-1, -1)
        numbers = [str(int(number)) for number in (self.stop_signal, uid, gid, self._lock_fd)]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *numbers, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(self._lock_fd,),
                env=environment,
                cwd=cwd,
                start_new_session=True,  # a terminal's Ctrl-C reaches the owner alone
            )

    def stop(self) -> None:
        """Stop the server and wait for its end; harmless when it does not run."""
        guard, self._guard = self._guard, None
        if guard is not None:
            if guard.stdin is not None:
                guard.stdin.close()
            guard.wait()

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._guard is not None and self._guard.poll() is None

    def wait_until(self, ready: Callable[[], bool], patience_s: float = START_PATIENCE_S) -> None:
        """Wait until ready() holds; SandboxFailed with the log's end if the server ends first."""
        deadline = time.monotonic() + patience_s
        pause_s = 0.01
        while not ready():
            if not self.alive or time.monotonic() > deadline:
                state = "did not get ready" if self.alive else "ended at once"
                self.stop()
                raise SandboxFailed(f"{self.name} {state}; {self.log} ends with\n{self._log_end()}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.2)

    def _log_end(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-15:])


class SandboxServer(ABC):
    """A server that keeps its state, log and port number in a folder; used as a context manager.

    port: by default a free one, kept over restarts as long as it stays free.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.port = port
        self._process: GuardedProcess | None = None

    @abstractmethod
    def start(self) -> None:
        """Start the server and wait until it answers; SandboxFailed if it does not."""

    def stop(self) -> None:
        """Stop the server and wait for its end; harmless when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    @property
    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.alive

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _locked(path: Path, name: str) -> int:
    """The file descriptor of a locked file, waiting while a predecessor still stops."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise SandboxFailed(
                    f"{name} of {path.parent} already runs: another `make demo` or `make serve` of"
                    " this folder is at work. Stop that one first."
                ) from None
            time.sleep(0.05)
        else:
            return fd


def listens(port: int) -> bool:
    """Whether something accepts connections on a local port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def choose_port(remembered: Path) -> int:
    """The port written in a file if it is still free, else a free one, written there."""
    if remembered.exists():
        port = int(remembered.read_text())
        if _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(f"{port}\n")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True

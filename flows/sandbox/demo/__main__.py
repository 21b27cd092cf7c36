"""`python -m flows.sandbox.demo`: prepares the process, then lets `story` tell.

Prefect reads its address and home when it is imported, so they stand in the environment before.
"""

import os
import signal
import sys
from types import FrameType

from flows.sandbox.demo.screen import Screen
from flows.sandbox.place import SANDBOX
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.processes import SandboxFailed


def main() -> int:
    """Run the demo over `.sandbox/`; 0 if all went as told, 130 after Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` leaves it ignored
    signal.signal(signal.SIGTERM, _interrupt)
    screen = Screen()
    screen.line("DWH Helper: Amplitude to S3 to PostgreSQL to dbt, all on this machine")
    screen.act("Starting servers on 127.0.0.1, their state in .sandbox/")
    try:
        with PrefectServer(SANDBOX / "prefect") as server:
            _adopt(server.environment())
            from flows.sandbox.demo.story import tell
            from flows.sandbox.prefect_client import send_what_is_left

            try:
                tell(SANDBOX, server, screen)
            finally:
                send_what_is_left()
    except SandboxFailed as problem:
        screen.line(f"\nThe sandbox failed: {problem}")
        return 1
    except KeyboardInterrupt:
        screen.line("\nStopped; nothing runs any more. The next `make demo` goes on from here.")
        sys.stdout.flush()
        os._exit(130)  # whatever threads were at work need not finish
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _adopt(environment: dict[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


if __name__ == "__main__":
    sys.exit(main())

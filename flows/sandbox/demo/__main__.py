"""`python -m flows.sandbox.demo`: prepares the process, then lets `story` tell.

Prefect reads its address and home when it is imported, so they stand in the environment before.
"""

import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType

from flows.errors import BuildFailed
from flows.sandbox.demo.screen import Screen
from flows.sandbox.place import SANDBOX
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.processes import SandboxFailed


def main() -> int:
    """Run the demo over `.sandbox/`; 0 if all went as told, 130 after Ctrl-C."""
    asked_to_stop: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        asked_to_stop.append(number)
        raise KeyboardInterrupt

    # Set, not inherited: a shell's `command &` leaves SIGINT ignored.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    screen = Screen()
    screen.line("DWH Helper: both vendors to S3 to PostgreSQL to dbt, all on this machine")
    screen.act("Starting servers on 127.0.0.1, their state in .sandbox/")
    try:
        _tell(screen)
    except SandboxFailed as problem:
        screen.line(f"\nThe sandbox failed: {problem}")
        return 1
    except (KeyboardInterrupt, BuildFailed):
        if not asked_to_stop:  # dbt takes an interrupt for a failure of its own
            raise
        screen.line("\nStopped; nothing runs any more. The next `make demo` goes on from here.")
        sys.stdout.flush()
        os._exit(130)  # whatever threads were at work need not finish
    return 0


def _tell(screen: Screen) -> None:
    server = PrefectServer(SANDBOX / "prefect")
    with ExitStack() as running:
        running.callback(server.stop)
        server.launch()  # takes its 5 to 10 seconds beside what follows
        environment = server.environment()
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)

        from flows.sandbox.demo.story import tell
        from flows.sandbox.prefect_client import send_what_is_left

        try:
            tell(SANDBOX, server, screen)
        finally:
            send_what_is_left()


if __name__ == "__main__":
    sys.exit(main())

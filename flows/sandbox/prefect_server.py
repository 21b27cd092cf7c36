"""A Prefect server of its own: home folder, database and port stay in one folder.

It talks to nobody outside: https://docs.prefect.io/v3/api-ref/settings-ref
"""

import os
import signal
import sys
import urllib.error
import urllib.request

from flows.sandbox.processes import LOOPBACK, GuardedProcess, SandboxServer, choose_port

# Without these a server sends telemetry, and logs an error when it cannot.
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",  # 2 s by default: too long at a process's end
}


class PrefectServer(SandboxServer):
    """One Prefect server over a folder.

    A fresh one needs 10 s to start, a known one 5: `launch` it early, `wait` for it late.
    """

    def launch(self) -> None:
        """Start the server without waiting until it answers."""
        process = GuardedProcess(self.directory, name="Prefect server", stop_signal=signal.SIGINT)
        with process.claimed():
            self.port = self.port or choose_port(self.directory / "port")
            command = [sys.executable, "-m", "prefect", "server", "start"]
            process.start(
                [*command, "--host", LOOPBACK, "--port", str(self.port)],
                environment=self.environment(),
                cwd=self.directory,  # its folder holds no prefect.toml or .env
            )
        self._process = process

    def wait(self) -> None:
        """Wait until the server answers; SandboxFailed if it does not."""
        if self._process is not None:
            self._process.wait_until(self._answers)

    def start(self) -> None:
        """Launch and wait."""
        self.launch()
        self.wait()

    @property
    def ui_url(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def api_url(self) -> str:
        """What PREFECT_API_URL must hold."""
        return f"{self.ui_url}/api"

    def environment(self) -> dict[str, str]:
        """The whole environment of the server, and of a process that works with it."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        own = {
            "PREFECT_HOME": str(self.directory / "home"),
            "PREFECT_API_URL": self.api_url,
        }
        return {**inherited, **QUIET, **own}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.api_url}/health", timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

"""A headless Chromium over its debugging pipe: opens a file, looks at it, moves the pointer.

The protocol is JSON with a zero byte behind each message, on descriptors 3 (in) and 4 (out):
https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import Any, Self

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
#: A browser that says nothing for so long says nothing any more.
PATIENCE_S = 60


class Chromium:
    """A browser with a profile of its own; a context manager that ends it."""

    def __init__(self, program: str, profile: Path) -> None:
        self._program = program
        self._profile = profile
        self._held = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()
        # Out of the way of 3 and 4, which they become in the browser.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (from_us, to_us)]
        os.close(from_us)
        os.close(to_us)
        arguments = [self._program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        log = str(self._profile.with_suffix(".log"))
        self.pid = os.posix_spawn(
            self._program,
            arguments,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, ends[0], 3),
                (os.POSIX_SPAWN_DUP2, ends[1], 4),
                (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT, 0o600),
            ],
            setsid=True,
        )
        for end in ends:
            os.close(end)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.send("Browser.close")
        finally:
            deadline = time.monotonic() + 10
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.killpg(self.pid, signal.SIGKILL)
                time.sleep(0.02)
            os.close(self._to)
            os.close(self._from)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One command; its result. What happens meanwhile is kept in `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def wait_for(self, method: str, session: str) -> None:
        """Until this event has come."""
        while not any(
            (one["method"], one.get("sessionId")) == (method, session) for one in self.events
        ):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._from], [], [], PATIENCE_S)
            data = os.read(self._from, 1 << 20) if ready else b""
            assert data, f"Chromium is gone or hangs; its log: {self._profile.with_suffix('.log')}"
            self._held += data
        text, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message


class Tab:
    """A file in a tab, drawn; width and height in CSS pixels."""

    def __init__(
        self,
        browser: Chromium,
        file: Path,
        width: int = 1280,
        height: int = 900,
        *,
        dark: bool = False,
        scripts: bool = True,
    ) -> None:
        self._browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self._target, self._session = target, attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.prefer("dark" if dark else "light")
        if not scripts:
            self.send("Emulation.setScriptExecutionDisabled", value=True)
        self.send("Page.navigate", url=file.absolute().as_uri())
        browser.wait_for("Page.loadEventFired", self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.send("Target.closeTarget", targetId=self._target)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **parameters)

    def prefer(self, scheme: str, medium: str = "") -> None:
        """What the reader's system says: "dark" or "light"; medium: "print" for paper."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", media=medium, features=[feature])

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited where it is a promise."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def settle(self) -> None:
        """Until what was asked is drawn."""
        self.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(done), 150))")

    def screenshot(self, path: Path | None = None) -> bytes:
        """The whole page as PNG."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        image = base64.b64decode(answer["data"])
        if path is not None:
            path.write_bytes(image)
        return image

    def point_at(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Move the pointer onto an element; x, y: where within it, from 0 to 1."""
        self.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = self.evaluate(
            f"(({{left, top, width, height}}) => [left, top, width, height])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        place = {"x": box[0] + x * box[2], "y": box[1] + y * box[3]}
        # a pointer that comes from somewhere
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=place["x"] - 2, y=place["y"])
        self.send("Input.dispatchMouseEvent", type="mouseMoved", **place)
        self.settle()

    def happened(self, method: str) -> list[dict[str, Any]]:
        """What the browser told of this tab."""
        return [
            one["params"]
            for one in self._browser.events
            if (one["method"], one.get("sessionId")) == (method, self._session)
        ]

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for; pictures that the page itself holds have none."""
        asked = (one["request"]["url"] for one in self.happened("Network.requestWillBeSent"))
        return [address for address in asked if not address.startswith(("data:", "blob:"))]

    @property
    def complaints(self) -> list[Any]:
        """Exceptions, and whatever the console or the security policy had to say."""
        return [
            *(one["exceptionDetails"] for one in self.happened("Runtime.exceptionThrown")),
            *(one["args"] for one in self.happened("Runtime.consoleAPICalled")),
            *(one["entry"]["text"] for one in self.happened("Log.entryAdded")),
        ]

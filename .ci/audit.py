"""Are the versions of constraints.txt free of known vulnerabilities? Part of `make lint`.

pip-audit asks the package index's JSON interface, which not every mirror of an index has: there it
calls each package "skipped", and the whole clean. Nothing may look clean that nobody looked at, so
one package is asked first, and where that brings no answer this says so and fails nothing: the same
lint must pass where there is no network.
"""

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
PINNED = re.compile(r"(?m)^[A-Za-z0-9._-]+==\S+")


def audit(pins: list[str]) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it could not ask, or got no answer."""
    with tempfile.TemporaryDirectory() as directory:
        wanted, answer = Path(directory) / "pins.txt", Path(directory) / "answer.json"
        wanted.write_text("\n".join(pins))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(wanted)]
        command += ["--no-deps", "--disable-pip", "--timeout", "10", "--progress-spinner", "off"]
        command += ["--format", "json", "--desc", "off", "--output", str(answer)]
        subprocess.run(command, capture_output=True, check=False)
        if not answer.exists() or not answer.read_text():
            return None
        told = json.loads(answer.read_text())["dependencies"]
    answered = [package for package in told if "skip_reason" not in package]
    return answered or None


def main() -> int:
    """1 where a version has a known vulnerability, 0 otherwise."""
    if importlib.util.find_spec("pip_audit") is None:
        print("pip-audit is not installed: `make .venv/.installed`")
        return 1
    pins = PINNED.findall(CONSTRAINTS.read_text())
    told = audit(pins[:1]) and audit(pins)
    if told is None:
        print("pip-audit: NOT AUDITED, the package index here gives no vulnerability data")
        return 0
    found = [package for package in told if package["vulns"]]
    for package in found:
        names = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
        print(f"pip-audit: {package['name']} {package['version']}: {names}")
    print(f"pip-audit: {len(told)} of {len(pins)} versions looked up, {len(found)} vulnerable")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make demo` tells the whole story, and leaves nothing running however it ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.sandbox.postgres import remove
from flows.sandbox.processes import listens
from flows.settings import PROJECT


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "a sandbox"


def _start(sandbox: Path, dbt_scratch: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "flows.sandbox.demo"],
        cwd=PROJECT,
        env=os.environ | {"DWH_SANDBOX": str(sandbox), "DBT_TARGET_PATH": str(dbt_scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _still_listening(sandbox: Path) -> list[str]:
    ports = {path.parent.name: int(path.read_text()) for path in sandbox.glob("*/port")}
    return [name for name, port in ports.items() if listens(port)]


@pytest.mark.slow
def test_an_interrupted_demo_leaves_nothing_running(sandbox: Path, dbt_scratch: Path) -> None:
    """SIGINT in mid-pipeline ends the demo with status 130 and without its servers."""
    demo = _start(sandbox, dbt_scratch)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "] pipeline(" in line:
            break
    demo.send_signal(signal.SIGINT)
    said = demo.stdout.read()

    assert demo.wait() == 130, said
    assert "nothing runs any more" in said
    assert _still_listening(sandbox) == []


@pytest.mark.slow
def test_the_demo_tells_its_story(sandbox: Path, dbt_scratch: Path) -> None:
    """On what an interrupted demo left, the next one goes all the way."""
    demo = _start(sandbox, dbt_scratch)
    said, _ = demo.communicate()
    remove(sandbox / "postgres")

    assert demo.returncode == 0, said
    for sign in (
        r"amplitude/web +4 +[\d,]+ +2\d,\d\d\d\n",
        r"appmetrica/4051234/events +28 +\d+ +1\d,\d\d\d\n",
        r"\n +appmetrica +1\d,\d\d\d +\d,\d\d\d +\d+ +\d+\n",
        r"dbt build: \d+ models built, \d+ tests passed",
        r"dwh\.permanent_user_properties: \d+ rows",
        r"ehr_id +EHR-000000",
        r"reason +unknown_key\n",
        r"file_key +amplitude/web/2025_week_06\.zip\n",
        r"last_successful_line +2\n",
        r"failed_line +3\n",
        r"config: \{meta: \{keys: \[walking_aid\]\}\}",
        r"dwh\.changeable_user_properties +\d+ +(\w+) +\1 +unchanged",
        r"psql postgresql://",
        r"dbt build\n",
    ):
        assert re.search(sign, said), f"{sign} is not in\n{said}"
    assert "CHANGED" not in said
    assert _still_listening(sandbox) == []

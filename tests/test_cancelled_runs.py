"""A run that is cancelled ends within seconds, says so, and the next one goes on from there."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from killed_loads import committed
from psycopg import Copy
from raw_archives import KEY, SOURCE, lines, numbered, put, visible
from raw_loads import query

from flows.errors import Stopped
from flows.load_raw import load_archives
from flows.sandbox.amplitude.rows import make_event
from flows.settings import Dwh
from flows.stopping import stoppable
from flows.transform import build
from flows.warehouse import ledger
from flows.warehouse.connection import connect
from flows.warehouse.migrate import migrate

SECONDS = 10
COUNT = 40_000
PIPELINE = "from flows.pipeline import pipeline; pipeline('2025-01-11', '2025-01-13')"


@pytest.fixture
def url(settings_env, bucket, monkeypatch):
    """A file whose load takes a while and commits often."""
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "1")
    put(bucket, lines(COUNT), level=1)
    return settings_env["DWH_DATABASE_URL"]


def once_under_way(url, deed):
    while committed(url) < 2000:
        time.sleep(0.005)
    deed()


def assert_stopped_and_mended(url):
    assert query(url, "select file_key, status, error from raw.loads") == [
        (KEY, "failed", "stopped before its end")
    ]
    assert visible(url) == []
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows) == ("loaded", COUNT)
    assert load.lines < COUNT
    assert visible(url) == numbered((0, COUNT))


@pytest.fixture
def ctrl_c_is_heard():
    """Whoever is started in a shell's background is born deaf to it, and so are its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_a_load(url, ctrl_c_is_heard):
    """What is committed stands, and no load is left as `loading`."""
    interrupt = threading.Thread(
        target=once_under_way, args=(url, lambda: os.kill(os.getpid(), signal.SIGINT))
    )
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        load_archives(SOURCE)
    interrupt.join()
    assert_stopped_and_mended(url)


def test_ctrl_c_at_the_end_of_a_statement_stops_a_load(url, monkeypatch):
    """The session is left within its COPY, and can say nothing more."""
    finish = Copy.finish

    def interrupted(copy, error):
        if committed(url) >= 2000:
            raise KeyboardInterrupt
        finish(copy, error)

    with monkeypatch.context() as patch:
        patch.setattr(Copy, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_archives(SOURCE)
    assert_stopped_and_mended(url)


def test_a_load_in_a_thread_stops_with_its_run(url):
    """As Prefect runs tasks: signals reach the main thread alone."""
    with ThreadPoolExecutor(1) as pool:
        with stoppable():
            load = pool.submit(copy_context().run, load_archives, SOURCE)
            once_under_way(url, lambda: None)
        with pytest.raises(Stopped):
            load.result(SECONDS)
    assert_stopped_and_mended(url)


def test_a_loader_that_waits_for_another_one_can_be_stopped(url):
    """Its turn may be hours away."""
    migrate(url)
    with ThreadPoolExecutor(1) as pool, connect(url, autocommit=True) as other:
        ledger.lock_file(other, KEY, wait=True)
        with stoppable():
            load = pool.submit(copy_context().run, load_archives, SOURCE)
            time.sleep(1)
            assert not load.done()
        with pytest.raises(Stopped):
            load.result(SECONDS)


BUILD = """
import signal

class Cancelled(BaseException):
    pass

def cancel(number, frame):
    raise Cancelled

signal.signal(signal.SIGTERM, cancel)  # as Prefect does
from flows.transform import build
build()
"""
SESSIONS = (
    "select wait_event_type from pg_stat_activity"
    " where datname = current_database() and application_name = 'dwh-helper dbt'"
)


def test_a_cancelled_build_leaves_no_statement_in_the_server(flow_database_url, monkeypatch):
    """dbt ends its sessions, then the signal goes its way; the next build needs no help."""
    monkeypatch.setenv("DWH_DATABASE_URL", flow_database_url)
    migrate(flow_database_url)
    with connect(flow_database_url) as held:
        held.execute("lock table raw.loads in access exclusive mode")
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD], env=os.environ.copy(), stderr=subprocess.PIPE, text=True
        )
        try:
            while ("Lock",) not in query(flow_database_url, SESSIONS):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.05)
            process.terminate()
            said = process.communicate(timeout=SECONDS)[1]
        finally:
            process.kill()
            process.wait()
        assert "Cancelled" in said.splitlines()[-1]
        assert query(flow_database_url, SESSIONS) == []
    assert build(settings=Dwh(database_url=flow_database_url)).status == "completed"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_a_cancelled_pipeline_does_not_wait_for_its_vendor(
    settings_env, amplitude, prefect_server, ctrl_c_is_heard, number
):
    """Prefect cancels by SIGTERM; both projects' exports hang in requests then."""
    at = datetime(2025, 1, 11, 9, tzinfo=UTC)
    amplitude.add_events("web", [make_event(at)])
    amplitude.limits = replace(amplitude.limits, delay_seconds=300)
    process = subprocess.Popen(
        [sys.executable, "-c", PIPELINE], env=os.environ.copy(), stderr=subprocess.PIPE, text=True
    )
    try:
        while amplitude.traffic.max_parallel < 2:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        sent = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=60)
        assert time.monotonic() - sent < SECONDS
        assert process.returncode != 0
    finally:
        process.kill()
        process.wait()

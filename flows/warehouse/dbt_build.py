"""`dbt build` in this process, one at a time: dbtRunner is not thread-safe.

The lock of the warehouse itself is taken by dbt's own on-run-start hook (macros/build_lock.sql), so
that it also holds against people who run plain `dbt build`; here one only waits for it politely.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from flows.errors import BuildFailed, WarehouseBusy
from flows.settings import PROJECT, Dwh
from flows.stopping import pause
from flows.warehouse.connection import connect, warehouse_errors

DBT_PROJECT = PROJECT / "dbt_project"
#: The test whose failures are data's fault; every other failure is the project's or the server's.
GATE = "property_findings"
#: The model that reads every row there is: only `reconcile` builds it, not every transform.
RECONCILIATION = "reconciliation"
#: With its parts, which dbt would compile for nothing.
WITHOUT_RECONCILIATION = ("--exclude", RECONCILIATION, "path:models/intermediate/reconciliation")
#: The models of user reports: who imports no users and no telemetry has nothing to build there.
REPORTS = "tag:reports"
#: Held to the end of the transaction: a session's lock outlives a closed connection by a moment.
BUILD_LOCK = "pg_try_advisory_xact_lock(hashtext('dwh_helper build'), hashtext('dwh'))"
#: Builds take minutes; whoever waits longer than this should look at who holds the lock.
WAIT_FOR_LOCK_S = 3600.0
_POLL_S = 2.0
_BUSY = "another build holds the warehouse"
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """One model, test or hook of a build. rows: written by a model, or found by a test."""

    name: str
    kind: str
    status: str
    seconds: float
    rows: int | None
    message: str


def run_build(
    select: str | None = None,
    full_refresh: bool = False,
    *,
    settings: Dwh | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[NodeOutcome]:
    """`dbt build` of production; the outcome of every node, failed ones included.

    select: dbt's node selection, blanks between several. say: gets a line as each node ends.
    Raises WarehouseBusy after an hour behind another build, WarehouseFailed where no server
    answers, BuildFailed where dbt did not get as far as building (project, mapping).
    """
    settings = settings or Dwh.load()
    deadline = time.monotonic() + WAIT_FOR_LOCK_S
    while True:
        with _one_at_a_time:
            _wait_for_turn(settings, deadline, say)
            outcomes = _invoke(select, full_refresh, settings, say)
        # Somebody else may have been faster between the look at the lock and dbt's own try.
        if outcomes is not None:
            return outcomes


def _wait_for_turn(settings: Dwh, deadline: float, say: Callable[[str], None]) -> None:
    told = False
    url = settings.database_url.get_secret_value()
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(f"select {BUILD_LOCK}").fetchone()
            if row and row[0]:
                return
            if time.monotonic() > deadline:
                raise WarehouseBusy(f"{_BUSY} for more than {WAIT_FOR_LOCK_S:.0f} s")
            if not told:
                say(f"{_BUSY}; waiting")
                told = True
            pause(_POLL_S)


def _invoke(
    select: str | None, full_refresh: bool, settings: Dwh, say: Callable[[str], None]
) -> list[NodeOutcome] | None:
    """The outcome of every node; None where dbt's hook found the lock taken."""
    # Imported here: dbt takes more than a second to import, which only a build should pay.
    from dbt.cli.main import dbtRunner

    arguments = [
        "build",
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--target", "prod", "--exclude-resource-type", "unit_test", "exposure"),
        *("--log-level", "none", "--log-level-file", "none", "--no-use-colors"),
        # run_results.json would keep the server's messages, and with them values, on the disk.
        "--no-write-json",
        *(("--select", *select.split()) if select else ()),
        *_exclusions(select, settings),
        *(("--full-refresh",) if full_refresh else ()),
    ]
    with _settings_in_environment(settings), _sigterm_as_ctrl_c():
        say("dbt reads the project")
        answer = dbtRunner(callbacks=[_tell(say)]).invoke(arguments)
    if answer.exception is not None and not isinstance(answer.exception, Exception):
        raise answer.exception  # Ctrl-C or a cancelled run, which dbt takes for a failure
    results = getattr(answer.result, "results", None)
    if results is None and _BUSY in str(answer.exception):
        return None
    if results is None:
        raise BuildFailed(redact(f"dbt could not start: {answer.exception}"))
    return [_outcome(result) for result in results]


def _exclusions(select: str | None, settings: Dwh) -> list[str]:
    """What a build leaves out that nobody asked for, in dbt's words."""
    excluded = [] if RECONCILIATION in (select or "") else [*WITHOUT_RECONCILIATION]
    if not select and not _has_imports(settings):
        excluded.append(REPORTS)  # behind --exclude: without a choice reconciliation is left out
    return excluded


def _has_imports(settings: Dwh) -> bool:
    url = settings.database_url.get_secret_value()
    with warehouse_errors(), connect(url, autocommit=True) as connection:
        if connection.execute("select to_regclass('raw.report_imports')").fetchone() == (None,):
            return False
        row = connection.execute(
            "select exists (select from raw.report_imports where status = 'imported')"
        ).fetchone()
        return bool(row and row[0])


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """At Ctrl-C dbt ends its sessions in the server; other signals' errors only end its threads.

    Prefect cancels a run by SIGTERM, which gets to Prefect's handler once dbt has done so. Without
    a handler (plain Python) the signal ends the process at once, and its sessions with it.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        if received:
            handler(received[0], None)


@contextmanager
def _settings_in_environment(settings: Dwh) -> Iterator[None]:
    """dbt reads the environment; settings may stand in `.env` alone."""
    has_zone = "time_zone" in settings.model_fields_set
    variables = {
        "DWH_DATABASE_URL": settings.database_url.get_secret_value(),
        # Not set is not UTC: a build never goes back to UTC because a variable is missing.
        "DWH_TIME_ZONE": settings.time_zone if has_zone else "",
        "DWH_ANALYSTS_SEE_PERSONAL": str(settings.analysts_see_personal).lower(),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tell(say: Callable[[str], None]) -> Callable[[Any], None]:
    wanted = {"LogModelResult", "LogTestResult", "LogSnapshotResult", "JinjaLogWarning"}

    def callback(event: Any) -> None:
        if event.info.name in wanted:
            say(event.info.msg.strip())

    return callback


def _outcome(result: Any) -> NodeOutcome:
    rows = result.failures
    if rows is None:
        rows = (result.adapter_response or {}).get("rows_affected")
    return NodeOutcome(
        name=result.node.name,
        kind=str(result.node.resource_type),
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        rows=None if rows is None or rows < 0 else int(rows),
        message=redact(result.message or ""),
    )


#: Words before a quoted name in PostgreSQL's messages; anything else in quotes can be a value.
_NAMED = (
    "at|column|constraint|database|extension|function|host|index|language|name|relation|role|schema"
    "|sequence|server|table|tablespace|trigger|type|user|view"
)
_HIDDEN = "\\1 (not shown)\n"


def redact(message: str) -> str:
    """A message of dbt without the values that PostgreSQL quotes: they can be a patient's.

    Names of tables and columns stay. DETAIL, CONTEXT and QUERY go whole, for a value in them may
    run over many lines. What dbt says of its project holds no data and is left as it is.
    """
    if "Database Error" not in message:
        return message
    end = r"(?=^\s*(?:HINT:|LINE \d+:|compiled code at )|\Z)"
    message = re.sub(rf"(?ms)^(\s*(?:DETAIL|CONTEXT|QUERY):).*?{end}", _HIDDEN, message)
    # A value may hold quotes and line ends itself: from the first quote behind a colon to the last.
    message = re.sub(r'(?s)(: )".*"', r'\1"…"', message)
    message = re.sub(r'(?s)\bvalue ".*" is out', 'value "…" is out', message)
    return re.sub(rf'(?s)(?<!")\b(?!(?:{_NAMED})\b)(\w+ )"[^"…]+"', r'\1"…"', message).strip()

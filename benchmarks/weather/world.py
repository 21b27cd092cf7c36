"""A small world of its own: PostgreSQL, S3 behind a proxy that can fail, and both vendors.

Its present is always the same: a first part of the vendors' data is archived, loaded and built;
since then days have grown, changed and been added. What one undisturbed run makes of that is what
every disturbed run must make of it, too.
"""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from benchmarks.weather import steps
from benchmarks.weather.steps import NOW, STEPS
from flows.lake.bucket import Bucket
from flows.lake.listing import list_objects
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.appmetrica import AppMetricaSimulator
from flows.sandbox.appmetrica.limits import Limits
from flows.sandbox.faulty_s3 import FaultyS3
from flows.sandbox.postgres import Postgres
from flows.sandbox.s3 import S3Server

DATABASE, PAST, BUCKET = "weather", "weather_past", "archive"
FRIDAY = datetime(2025, 1, 10, tzinfo=UTC)
#: Rows that a build may make in another order or under another number: none but the load's own.
_VARIES = ("load_id",)

_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["benchmarks.weather.steps"])

#: (table, hash of a row) -> how often it is there.
Rows = Counter[tuple[str, str]]


class RunFailed(Exception):
    """A run that was to go through did not."""


class Run:
    """Steps in a process of their own. step: the one at work; error: what ended it, if any."""

    def __init__(self, names: Sequence[str], variables: dict[str, str]) -> None:
        self._said, say = multiprocessing.Pipe(duplex=False)
        self._process: ForkServerProcess = _forkserver.Process(
            target=steps.run, args=(tuple(names), variables, say)
        )
        self._process.start()
        say.close()
        self.began: dict[str, float] = {}
        self.error: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """A signal to the process; harmless when it has ended."""
        if self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)

    def wait_for(self, name: str) -> bool:
        """Until a step begins; False if the run ended before."""
        while name not in self.began and self._hear():
            pass
        return name in self.began

    def wait(self) -> Self:
        """Until the process has ended."""
        while self._hear():
            pass
        self._process.join()
        return self

    def succeed(self) -> Self:
        """Until the process has ended well; RunFailed if it did not."""
        self.wait()
        if "done" not in self.began:
            steps_begun = [name for name in self.began if name != "failed"]
            raise RunFailed(f"{steps_begun[-1:]}: {self.error}, exit {self._process.exitcode}")
        return self

    def seconds(self) -> dict[str, float]:
        """How long each step took."""
        return {name: self.began[later] - self.began[name] for name, later in pairwise(self.began)}

    def _hear(self) -> bool:
        try:
            name, detail = self._said.recv()
        except EOFError:
            return False
        if name == "failed":
            self.error = detail
        self.began[name] = time.monotonic()
        return True


class World:
    """Everything that a pipeline needs, and how it should end. A context manager.

    events: how many Amplitude has in a day, which decides how long there is something to disturb.
    """

    def __init__(self, events: int = 1500) -> None:
        self.events = events
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            folder = Path(
                opened.enter_context(
                    tempfile.TemporaryDirectory(prefix="weather-", ignore_cleanup_errors=True)
                )
            )
            folder.chmod(0o755)  # PostgreSQL's user must get in
            self.folder = folder
            self.postgres = opened.enter_context(Postgres(folder / "postgres"))
            self.s3 = opened.enter_context(S3Server(folder / "s3"))
            self.bucket: Bucket = self.s3.create_bucket(BUCKET)
            self.faulty = opened.enter_context(FaultyS3(self.s3.endpoint_url))
            self.amplitude = opened.enter_context(AmplitudeSimulator(now=lambda: NOW))
            self.appmetrica = opened.enter_context(
                AppMetricaSimulator(now=lambda: NOW, limits=Limits(requests_per_day=None))
            )
            self._make_past()
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def variables(self) -> dict[str, str]:
        """What leads the steps here. Each block of lines is committed by itself."""
        return self.s3.variables(BUCKET) | {
            "DWH_DATABASE_URL": self.postgres.url(DATABASE),
            "DWH_COPY_COMMIT_BYTES": "1",
            "DBT_TARGET_PATH": str(self.folder / "dbt"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "S3_ENDPOINT_URL": self.faulty.endpoint_url,
            **self.amplitude.variables,
            **self.appmetrica.variables,
            "APPMETRICA_POLL_INTERVAL_SECONDS": "0.02",
            "APPMETRICA_POLL_TIMEOUT_SECONDS": "5",
            "TMPDIR": str(self.folder),
        }

    def begin(self, names: Sequence[str] = tuple(STEPS), **variables: str) -> Run:
        """Start steps in a process of their own. variables: others than the usual ones."""
        return Run(names, self.variables() | variables)

    def reset(self, *, tablespace: str | None = None) -> None:
        """Be as it was before the undisturbed run. tablespace: where the database goes."""
        self.faulty.clear()
        self.amplitude.faults.clear()
        self.appmetrica.faults.clear()
        self.postgres.drop_database(DATABASE)
        self._copy_database(PAST, DATABASE, tablespace)
        for key in list_objects(self.bucket, "").keys() - self._objects.keys():
            self.bucket.client.delete_object(Bucket=BUCKET, Key=key)
        for key, content in self._objects.items():
            self.bucket.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def rows(self) -> Rows:
        """All marts, and the raw rows that count: table and hash of each row."""
        found: Rows = Counter()
        with self.connect() as connection:
            for table, source in self._tables(connection):
                query = sql.SQL(
                    "select md5((to_jsonb(row) - {}::text[])::text), count(*) from {} group by 1"
                ).format(list(_VARIES), source)
                for text, count in connection.execute(query):
                    found[table, text] += count
        return found

    def difference(self) -> tuple[int, int]:
        """Rows that are lost and rows that are too many, against the undisturbed run."""
        rows = self.rows()
        return (self.undisturbed - rows).total(), (rows - self.undisturbed).total()

    @contextmanager
    def connect(self, database: str = DATABASE) -> Iterator[psycopg.Connection]:
        """A session of our own, in autocommit."""
        with psycopg.connect(self.postgres.url(database), autocommit=True) as connection:
            yield connection

    def kill_postgres(self) -> None:
        """SIGKILL to the server, and to all its sessions with it."""
        os.kill(self.postgres.pid, signal.SIGKILL)
        while self.postgres.alive:
            time.sleep(0.01)

    def restart_postgres(self) -> None:
        """Start the server again, on the same port."""
        self.postgres.stop()
        self.postgres.start()

    def _make_past(self) -> None:
        self.postgres.create_database(DATABASE)
        for day in range(3):
            self._add_day(day, self.events // 2)
        self.begin().succeed()
        self._copy_database(DATABASE, PAST)
        self._objects = {
            key: self.bucket.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            for key in list_objects(self.bucket, "")
        }
        # Since then: the last day has grown (so the second week of the archive has), an event of
        # an earlier one came again with other properties (so it is different), a day was added.
        self._add_day(2, self.events // 2, first=self.events)
        self._add_day(1, 1, first=2 * self.events, hour=1)
        self._add_day(3, self.events)
        self.reset()
        run = self.begin().succeed()
        self.step_seconds = run.seconds()
        self.undisturbed = self.rows()

    def _add_day(self, day: int, count: int, *, first: int = 0, hour: int = 2) -> None:
        at = FRIDAY + timedelta(days=day, hours=hour)
        for project in ("web", "mobile"):
            self.amplitude.add_events(
                project,
                [_event(project, day, number, at) for number in range(first, first + count)],
            )
        device = {"appmetrica_device_id": str(2**63 + day), "os_name": "ios"}
        received = int(at.timestamp()) + 3600
        numbers = range(first, first + count // 2 + 1)
        self.appmetrica.add_rows(
            "events",
            [
                device
                | {
                    "event_name": f"event {number % 7}",
                    "event_timestamp": str(received - number),
                    "event_receive_timestamp": str(received),
                    "session_id": str(number % 5),
                    "event_json": f'{{"number": {number}}}',
                }
                for number in numbers
            ],
        )
        start = {"session_id": str(first), "session_start_receive_timestamp": str(received)}
        self.appmetrica.add_rows(
            "sessions_starts", [device | start | {"session_start_timestamp": str(received)}]
        )
        self.appmetrica.add_rows(
            "installations",
            [
                device
                | {"install_timestamp": str(received), "install_receive_timestamp": str(received)}
            ],
        )

    def _copy_database(self, source: str, target: str, tablespace: str | None = None) -> None:
        with self.connect("postgres") as connection:
            # A session that was just closed may be there for a moment more.
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [source],
            )
            # Copied as files, not through the log: a copied sequence that crashes before its next
            # checkpoint would give its numbers twice, which is PostgreSQL's affair, not ours.
            query = sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(target), sql.Identifier(source)
            )
            if tablespace is not None:
                query += sql.SQL(" tablespace {}").format(sql.Identifier(tablespace))
            connection.execute(query)

    @staticmethod
    def _tables(connection: psycopg.Connection) -> Iterator[tuple[str, sql.Composable]]:
        marts = connection.execute(
            "select tablename from pg_tables where schemaname = 'dwh' order by 1"
        ).fetchall()
        for (name,) in marts:
            yield name, sql.SQL("dwh.{} as row").format(sql.Identifier(name))
        raw = connection.execute(
            "select table_name from information_schema.columns where table_schema = 'raw'"
            " and column_name = 'line_number' order by 1"
        ).fetchall()
        for (name,) in raw:
            yield (
                f"raw.{name}",
                sql.SQL(
                    "(select loads.file_key, line.* from raw.{} as line inner join raw.loads"
                    " using (load_id) where loads.status = 'loaded' and loads.load_seq is not null"
                    " and loads.superseded_by is null) as row"
                ).format(sql.Identifier(name)),
            )
        yield (
            "files half-loaded",
            sql.SQL(
                "(select file_key from raw.loads where load_seq is null"
                " and status <> 'withdrawn') as row"
            ),
        )


def _event(project: str, day: int, number: int, at: datetime) -> dict[str, Any]:
    patient = number % 97
    properties: dict[str, Any] = {
        "ehr_id": f"P{patient}",
        "gender": "fm"[patient % 2],
        "city": f"City {number % 5 + day}",
    }
    return make_event(
        at + timedelta(seconds=number % 3000),
        uuid=_uuid(project, day, number % 2000),
        event_properties={"number": number, "text": "x" * 300},
        user_properties=properties if number % 10 else {},
        platform="Web" if project == "web" else "iOS",
        device_id=f"{project} {patient}",
        session_id=number % 50,
    )


def _uuid(*parts: object) -> str:
    text = hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@contextmanager
def small_disk(folder: Path, size_bytes: int, like: Path | None = None) -> Iterator[Path]:
    """A file system of that size, which only root may mount; RunFailed where it cannot be.

    like: what its owner owns.
    """
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=777", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RunFailed(f"no small disk could be mounted: {done.stderr.strip()}")
    try:
        if like is not None:
            os.chown(folder, like.stat().st_uid, like.stat().st_gid)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()

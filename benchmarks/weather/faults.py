"""What may happen to a run of the pipeline. Each fault disturbs one run; the next must mend it."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psycopg

from benchmarks.weather.steps import EXPORTS, LOADS, STEPS
from benchmarks.weather.world import DATABASE, Run, World, small_disk
from flows.sandbox import appmetrica
from flows.sandbox.amplitude import faults as amplitude_faults
from flows.sandbox.faulty_s3 import S3Fault
from flows.sandbox.postgres import data_folder

#: A run that is cancelled may take so long to end; measured on a machine that is busy otherwise.
STOPS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one try. lost, doubled: rows against the undisturbed run; recover_seconds: of the next
    run, from its start to its good end; told: what the disturbed run said, None if it went through.
    """

    lost: int
    doubled: int
    recover_seconds: float
    told: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """name: in the table; disturb: a run, in a world as it was, its error or None."""

    name: str
    disturb: Callable[[World, random.Random], str | None]
    needs_root: bool = False

    def happen(self, world: World, seed: int) -> Outcome:
        """Disturb a run, run again, and compare."""
        world.reset()
        told = self.disturb(world, random.Random(f"{self.name} {seed}"))
        world.faulty.clear()
        world.amplitude.faults.clear()
        world.appmetrica.faults.clear()
        started = time.monotonic()
        world.begin().succeed()
        seconds = time.monotonic() - started
        return Outcome(*world.difference(), seconds, told)


def at_random(
    world: World, numbers: random.Random, names: Sequence[str], strike: Callable[[Run], None]
) -> str | None:
    """Strike at a random moment of one of the steps of a run, which ends behind that step."""
    name = numbers.choice(names)
    order = tuple(STEPS)
    run = world.begin(order[: order.index(name) + 1])
    if run.wait_for(name):
        time.sleep(numbers.uniform(0, world.step_seconds[name]))
        strike(run)
    return run.wait().error


def killed(names: Sequence[str], world: World, numbers: random.Random) -> str | None:
    """kill -9 of the process."""
    return at_random(world, numbers, names, lambda run: run.send(signal.SIGKILL))


def cancelled(number: signal.Signals, world: World, numbers: random.Random) -> str | None:
    """Ctrl-C, or SIGTERM: the process must end soon, and leave no load as `loading`."""
    run_ended: list[float] = []

    def strike(run: Run) -> None:
        sent = time.monotonic()
        run.send(number)
        run.wait()
        run_ended.append(time.monotonic() - sent)

    told = at_random(world, numbers, tuple(STEPS), strike)
    if run_ended and run_ended[0] > STOPS_WITHIN_S:
        raise AssertionError(f"the run took {run_ended[0]:.1f} s to stop")
    return told


def server_killed(names: Sequence[str], world: World, numbers: random.Random) -> str | None:
    """PostgreSQL, with SIGKILL; it comes back after a while."""

    def strike(_run: Run) -> None:
        world.kill_postgres()
        time.sleep(numbers.uniform(0, 2))
        world.restart_postgres()

    return at_random(world, numbers, names, strike)


def session_killed(world: World, numbers: random.Random) -> str | None:
    """One session's process of PostgreSQL, upon which the server throws out all and recovers."""

    def strike(_run: Run) -> None:
        with world.connect("postgres") as connection:
            found = connection.execute(
                "select pid from pg_stat_activity where datname = %s", [DATABASE]
            ).fetchall()
        for (pid,) in found[:1]:
            os.kill(pid, signal.SIGKILL)
        wait_for_server(world)

    return at_random(world, numbers, LOADS, strike)


def wait_for_server(world: World) -> None:
    """Until sessions can be opened."""
    while True:
        try:
            with world.connect("postgres"):
                return
        except psycopg.OperationalError:
            time.sleep(0.05)


def s3_spoilt(kind: S3Fault | None, world: World, numbers: random.Random) -> str | None:
    """A tenth of all requests meets the fault, or with None one of all faults."""
    world.faulty.spoil_at_random(0.1, numbers.randrange(2**32), kind)
    return world.begin(EXPORTS + LOADS).wait().error


def s3_gone(world: World, numbers: random.Random) -> str | None:
    """From a random moment on S3 refuses everything."""
    return at_random(
        world,
        numbers,
        (*EXPORTS, *LOADS),
        lambda _: world.faulty.inject(S3Fault.REFUSED, times=None),
    )


def vendors_fail(world: World, numbers: random.Random) -> str | None:
    """Every fault of both simulators, mixed; a plain refusal, which ends a run, is rare."""
    for simulator, kinds in (
        (world.amplitude, list(amplitude_faults.FaultKind)),
        (world.appmetrica, list(appmetrica.FaultKind)),
    ):
        weights = [0.1 if kind in ("400", "401", "403") else 1.0 for kind in kinds]
        for kind in numbers.choices(kinds, weights, k=numbers.randint(4, 8)):
            simulator.inject(kind)
    return world.begin(EXPORTS + LOADS).wait().error


def temporary_folder_full(world: World, numbers: random.Random) -> str | None:
    """The disk of the temporary files is full in the middle of an export."""
    with small_disk(world.folder / "small", numbers.randrange(1, 40) * 4096) as folder:
        return world.begin(EXPORTS, TMPDIR=str(folder)).wait().error


def warehouse_full(world: World, numbers: random.Random) -> str | None:
    """The disk of PostgreSQL's tables is full in the middle of a load or a build."""
    with world.connect("postgres") as connection:
        row = connection.execute("select pg_database_size('weather_past')").fetchone()
    size = (row[0] if row else 0) + numbers.randrange(1, 24) * 1024**2
    data = data_folder(world.postgres.directory)
    with small_disk(data.parent / "small", size, like=data) as folder:
        try:
            with world.connect("postgres") as connection:
                connection.execute(f"create tablespace small location '{folder}'")
            world.reset(tablespace="small")
            told = world.begin().wait().error
            with world.connect("postgres") as connection:
                connection.execute(f"alter database {DATABASE} set tablespace pg_default")
        finally:
            with world.connect("postgres") as connection:
                connection.execute("drop tablespace if exists small")
    return told


def two_pipelines(world: World, _numbers: random.Random) -> str | None:
    """Two whole runs at once."""
    first, second = world.begin(), world.begin()
    errors = [run.wait().error for run in (first, second)]
    return errors[0] or errors[1]


def two_loaders(world: World, _numbers: random.Random) -> str | None:
    """Two loaders of the same files at once."""
    world.begin(EXPORTS).succeed()
    first, second = world.begin(LOADS), world.begin(LOADS)
    errors = [run.wait().error for run in (first, second)]
    return errors[0] or errors[1]


def deadlocked(world: World, _numbers: random.Random) -> str | None:
    """A session locks the load's row, then wants its table: the loader is the one that has to go.

    Like a person's session in the ledger in the middle of a load.
    """
    world.begin(EXPORTS).succeed()
    run = world.begin(LOADS)
    with world.connect() as rival:
        rival.execute("set deadlock_timeout = '1h'")
        while (
            run.alive
            and not rival.execute(
                "select from raw.loads where status = 'loading' and last_line is not null"
            ).fetchone()
        ):
            pass
        with rival.transaction():
            rival.execute("select from raw.loads where status = 'loading' for update")
            rival.execute("lock table raw.amplitude_events in access exclusive mode")
    return run.wait().error


FAULTS = (
    Fault("kill -9 in an export", partial(killed, EXPORTS)),
    Fault("kill -9 in a load", partial(killed, LOADS)),
    Fault("kill -9 in a build", partial(killed, ("build",))),
    Fault("Ctrl-C", partial(cancelled, signal.SIGINT)),
    Fault("SIGTERM", partial(cancelled, signal.SIGTERM)),
    Fault("PostgreSQL killed and restarted in mid-COPY", partial(server_killed, LOADS)),
    Fault("PostgreSQL killed and restarted in mid-build", partial(server_killed, ("build",))),
    Fault("one session of PostgreSQL crashes in mid-COPY", session_killed),
    Fault("S3 refuses connections", partial(s3_spoilt, S3Fault.REFUSED)),
    Fault("S3 is slow", partial(s3_spoilt, S3Fault.SLOW)),
    Fault("S3 cuts bodies", partial(s3_spoilt, S3Fault.CUT)),
    Fault("S3 cuts what is sent", partial(s3_spoilt, S3Fault.CUT_REQUEST)),
    Fault("S3 answers 500", partial(s3_spoilt, S3Fault.INTERNAL_ERROR)),
    Fault("S3 answers 503", partial(s3_spoilt, S3Fault.SLOW_DOWN)),
    Fault("S3's answers are lost", partial(s3_spoilt, S3Fault.LOST_ANSWER)),
    Fault("S3 loses multipart uploads", partial(s3_spoilt, S3Fault.LOST_UPLOAD)),
    Fault("S3: all of that mixed", partial(s3_spoilt, None)),
    Fault("S3 is gone from a moment on", s3_gone),
    Fault("vendors: every fault of both, mixed", vendors_fail),
    Fault("disk full: temporary folder", temporary_folder_full, needs_root=True),
    Fault("disk full: PostgreSQL", warehouse_full, needs_root=True),
    Fault("two pipelines at once", two_pipelines),
    Fault("two loaders on the same files", two_loaders),
    Fault("a deadlock", deadlocked),
)

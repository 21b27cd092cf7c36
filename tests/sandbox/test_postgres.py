"""The embedded PostgreSQL keeps its data whatever is killed, and never outlives its owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from flows.sandbox.postgres import Postgres, find_binaries, remove
from flows.sandbox.processes import SandboxFailed, listens


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("a folder with blanks") / "post gres"
    yield directory
    remove(directory)


def test_data_survives_a_killed_postmaster(folder: Path) -> None:
    """After kill -9 of the postmaster the folder starts again, on the same port, with its rows."""
    first = Postgres(folder)
    first.start()
    with psycopg.connect(first.create_database("dwh"), autocommit=True) as connection:
        connection.execute("create table kept as select 42 as answer")
        connection.execute("checkpoint")
    os.kill(first.pid, signal.SIGKILL)

    with Postgres(folder) as second:
        assert second.port == first.port
        with psycopg.connect(second.url("dwh")) as connection:
            assert connection.execute("select answer from kept").fetchall() == [(42,)]
    assert not listens(second.port or 0)


def test_server_dies_with_its_owner(folder: Path) -> None:
    """When the process that started the server is killed with -9, the server stops by itself."""
    program = (
        "import sys, time; from pathlib import Path; from flows.sandbox.postgres import Postgres\n"
        "server = Postgres(Path(sys.argv[1])); server.start(); print(server.port, flush=True)\n"
        "time.sleep(600)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    port = int(owner.stdout.readline())
    assert listens(port)
    owner.kill()
    owner.wait()

    with Postgres(folder) as server:  # waits for the lock that the dying server holds
        assert server.port == port
    assert not listens(port)


def test_a_killed_guard_takes_the_server_along(folder: Path) -> None:
    """kill -9 of the guard process stops the server too, and the folder starts again."""
    server = Postgres(folder)
    server.start()
    parent = Path(f"/proc/{server.pid}/stat")
    if not parent.exists():
        pytest.skip("only Linux tells a child of its parent's death")
    os.kill(int(parent.read_text().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listens(server.port or 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(server.port or 0)
    server.stop()
    server.start()
    server.stop()


def test_only_the_loopback_is_served(postgres_server: Postgres) -> None:
    """The server listens on 127.0.0.1, has no socket file, and keeps UTC."""
    with psycopg.connect(postgres_server.url("postgres")) as connection:
        shown = [
            connection.execute(f"show {name}").fetchone()
            for name in ("listen_addresses", "unix_socket_directories", "timezone")
        ]
    assert shown == [("127.0.0.1",), ("",), ("UTC",)]


def test_a_database_is_made_once(postgres_server: Postgres) -> None:
    """create_database keeps a database that is there, and takes any name."""
    url = postgres_server.create_database('odd "name"')
    assert url == postgres_server.create_database('odd "name"')
    postgres_server.drop_database('odd "name"')
    postgres_server.drop_database('odd "name"')


def test_wrong_binaries_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A POSTGRES_BIN without a server is an error; without the variable, 16 or newer is found."""
    assert find_binaries().version >= 16
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    with pytest.raises(SandboxFailed) as raised:
        find_binaries()
    assert str(raised.value) == f"POSTGRES_BIN={tmp_path} holds no initdb and postgres >= 16"


def test_binaries_run_from_a_copy(tmp_path: Path) -> None:
    """A copy of the binaries, for a user who cannot enter the wheel, runs with its libraries."""
    found = find_binaries()
    copy = found.copied_to(tmp_path / "a copy")
    for name in ("initdb", "postgres"):
        said = subprocess.run([copy.folder / name, "--version"], capture_output=True, check=True)
        assert f"(PostgreSQL) {found.version}".encode() in said.stdout
    assert found.copied_to(tmp_path / "a copy") == copy

"""Trouble that passes is tried again five times, and everything else stops at once."""

import threading
from contextvars import copy_context

import psycopg
import pytest

from flows import patience
from flows.errors import Stopped, WarehouseFailed
from flows.patience import passes, patiently
from flows.stopping import demand_going_on, pause, stoppable
from flows.warehouse.connection import PatientConnection, connect, warehouse_errors


def refused(text: str) -> psycopg.Error:
    return psycopg.OperationalError(f'connection to server at "db" failed: {text}')


@pytest.mark.parametrize(
    ("error", "is_passing"),
    [
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.errors.SerializationFailure(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.CannotConnectNow(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.ConnectionFailure(), True),
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (refused("Connection refused"), True),
        (refused("FATAL:  the database system is starting up"), True),
        (refused("FATAL:  sorry, too many clients already"), True),
        (refused('FATAL:  password authentication failed for user "u"'), False),
        (refused('FATAL:  database "d" does not exist'), False),
        (psycopg.errors.DiskFull(), False),
        (psycopg.errors.InsufficientPrivilege(), False),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.InterfaceError("misuse"), False),
        (ValueError("no error of the warehouse"), False),
    ],
)
def test_what_passes_by_itself(error: Exception, is_passing: bool):
    """Lost connections, restarts, deadlocks; not what a server refuses, and not a full disk."""
    assert passes(error) is is_passing


@pytest.mark.parametrize(
    ("error", "tries"),
    [(psycopg.errors.DeadlockDetected("x"), patience.TRIES), (psycopg.errors.DiskFull("x"), 1)],
)
def test_the_last_error_is_raised_as_it_is(error: Exception, tries: int):
    """Five tries of what passes, one of what does not."""
    asked = []

    def deed() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        patiently()(deed)
    assert caught.value is error
    assert len(asked) == tries


def test_a_server_that_answers_no_is_not_asked_again(postgres_server, monkeypatch):
    """A wrong database is said at once, whatever the waits would be."""
    monkeypatch.setattr(patience, "FIRST_WAIT_S", 600)
    with pytest.raises(WarehouseFailed, match="does not exist"):
        connect(postgres_server.url("nowhere"))


def test_work_goes_on_with_a_new_connection_where_one_was_lost(database_url):
    """The work is done again as a whole; an error that stays comes out as it is."""
    pids = []

    def work(connection: psycopg.Connection) -> str:
        pids.append(connection.info.backend_pid)
        if len(pids) == 1:
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", pids)
        connection.execute("select 1")
        return "done"

    with warehouse_errors(), PatientConnection(database_url) as warehouse:
        assert warehouse.repeat(work) == "done"
        assert warehouse.repeat(work) == "done"
    first, second, third = pids
    assert first != second == third
    with pytest.raises(WarehouseFailed), warehouse_errors():
        PatientConnection(database_url).repeat(lambda c: c.execute("select nonsense"))


def test_a_cancelled_run_does_not_wait_for_trouble_to_pass():
    """What was begun within ends as soon as the block is left."""
    demand_going_on()
    with stoppable():
        demand_going_on()
        waits = []

        def later() -> None:
            try:
                pause(60)
            except Stopped as error:
                waits.append(error)

        thread = threading.Thread(target=copy_context().run, args=(later,))
        thread.start()
    thread.join(5)
    assert len(waits) == 1

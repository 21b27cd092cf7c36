"""COPY of one server straight into COPY of another: bytes, never rows."""

import time
from collections.abc import Callable, Generator, Iterable
from select import select

import psycopg
from psycopg import pq
from psycopg.sql import Composable, Composed

from flows.stopping import LOOK_UP_S, demand_going_on

#: Rows are handed on in blocks of this, as the server sends each by itself. Four times as much is
#: slower by a quarter: it leaves the cache.
_BLOCK_BYTES = 32 * 1024
#: A source that lives and sends nothing for so long hangs; looking for the first row takes a while.
SILENCE_S = 900.0


def copy_out(connection: psycopg.Connection, query: Composable) -> Generator[bytes, None, int]:
    """What COPY … TO STDOUT sends, in blocks; how many rows they were, as the server says.

    The connection must be in a transaction.

    psycopg's own reader goes through its waiting loop once a row, at five times the price; this one
    asks libpq, and waits only where nothing is there. Raises psycopg.Error, Stopped.
    """
    server = connection.pgconn
    begun = server.exec_(query.as_bytes(connection))
    if begun.status != pq.ExecStatus.COPY_OUT:
        raise _error(begun)
    rows: list[memoryview] = []
    size = 0
    heard_at = time.monotonic()
    while True:
        length, row = server.get_copy_data(1)
        if length > 0:
            rows.append(row)
            size += length
            if size >= _BLOCK_BYTES:
                yield b"".join(rows)
                rows.clear()
                size = 0
                heard_at = time.monotonic()
        elif length == 0:
            demand_going_on()
            if select([server.socket], [], [], LOOK_UP_S)[0]:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENCE_S:
                raise psycopg.OperationalError(f"nothing came for {SILENCE_S:.0f} s")
            server.consume_input()
        else:
            break
    # An error in the middle of the rows is told behind them.
    sent = 0
    while (result := server.get_result()) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise _error(result)
        sent = result.command_tuples or 0
    yield b"".join(rows)
    return sent


def _error(result: pq.abc.PGresult) -> psycopg.Error:
    """Without a state no server answered: the connection is gone."""
    error = psycopg.errors.error_from_result(result)
    return error if error.sqlstate else psycopg.OperationalError(str(error))


def copy_in(
    connection: psycopg.Connection,
    query: Composed,
    blocks: Iterable[bytes],
    on_bytes: Callable[[int], None] = lambda _: None,
) -> int:
    """Write blocks by COPY … FROM STDIN; how many rows they were. on_bytes: gets each's size."""
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in blocks:
                copy.write(block)
                on_bytes(len(block))
        return cursor.rowcount

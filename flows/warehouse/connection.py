"""Connections to the warehouse, and its errors without the values that the server puts in them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from flows.errors import WarehouseFailed
from flows.patience import patiently
from flows.settings import Dwh

APPLICATION_NAME = "dwh-helper"

# SQLSTATE classes whose primary message names servers, rights and relations. The others (22 data,
# 23 integrity and so on) quote the refused value, which may be a patient's.
TELLING_CLASSES = frozenset({"08", "28", "3D", "40", "42", "53", "55", "57", "58"})


# A machine that vanishes must not leave its locks behind for the two hours of TCP's default: who
# waits for them is served within a minute. Both ends look; what the address says wins.
_LIFE_SIGNS = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
_CONNECT_TIMEOUT_S = "10"
_SESSION = """
select
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, YMD', false),
    set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false)
"""
# Also while a statement runs the server looks whether its client is still there (Linux only).
_CHECK_CLIENT = "select set_config('client_connection_check_interval', '2s', false)"

Result = TypeVar("Result")


def connect(url: str | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """Open a connection whose session runs in UTC, so that the vendors' zoneless times mean UTC.

    url: postgresql://..., by default DWH_DATABASE_URL. A server that does not answer or is just
    starting is tried again (flows/patience.py). Raises WarehouseFailed.
    """
    url = url or Dwh.load().database_url.get_secret_value()
    with warehouse_errors():
        connection = patiently()(lambda: open_session(url))
        connection.autocommit = autocommit
    return connection


def open_session(url: str) -> psycopg.Connection:
    """One try of a connection in autocommit, whose session runs in UTC. Raises psycopg.Error."""
    usual = _LIFE_SIGNS | {"connect_timeout": _CONNECT_TIMEOUT_S}
    ours = {"application_name": APPLICATION_NAME, "client_encoding": "utf8"}
    address = make_conninfo("", **usual | conninfo_to_dict(url) | ours)
    connection = psycopg.connect(address, autocommit=True)
    # Set by statements, not by the startup packet: an `options` of the address stays in force.
    connection.execute(_SESSION)
    with suppress(psycopg.errors.InvalidParameterValue):
        connection.execute(_CHECK_CLIENT)
    return connection


class PatientConnection:
    """A connection in autocommit for work that may be repeated; opened anew where it was lost.

    Used as a context manager. Wrap the whole use in `warehouse_errors`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def repeat(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """What the work returns, which is done again where trouble passes (flows/patience.py)."""
        return patiently()(lambda: work(self._opened()))

    def _opened(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, autocommit=True)
        return self._connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def warehouse_errors() -> Iterator[None]:
    """Turn any error of the server or the way to it into WarehouseFailed, free of data values."""
    try:
        yield
    except psycopg.Error as error:
        raise WarehouseFailed(describe(error), sqlstate=error.sqlstate) from None


def describe(error: psycopg.Error, server: str = "the warehouse") -> str:
    """One sentence about an error of a server that holds no value of the data."""
    if error.sqlstate is None:
        return f"{server} does not answer: {error}".strip()
    text = f"{server} refused a statement: {type(error).__name__} ({error.sqlstate})"
    if error.sqlstate[:2] in TELLING_CLASSES and error.diag.message_primary:
        text += f": {error.diag.message_primary}"
    elif error.diag.constraint_name:
        text += f": {error.diag.table_name}, {error.diag.constraint_name}"
    return text

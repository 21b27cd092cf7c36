"""Connections to the warehouse, and its errors without the values that the server puts in them."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from flows.errors import WarehouseFailed
from flows.settings import Dwh

APPLICATION_NAME = "dwh-helper"

# SQLSTATE classes whose primary message names servers, rights and relations. The others (22 data,
# 23 integrity and so on) quote the refused value, which may be a patient's.
TELLING_CLASSES = frozenset({"08", "28", "3D", "40", "42", "53", "55", "57", "58"})


def connect(url: str | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """Open a connection whose session runs in UTC, so that the vendors' zoneless times mean UTC.

    url: postgresql://..., by default DWH_DATABASE_URL. Raises psycopg.OperationalError where no
    server answers; wrap the whole use in `warehouse_errors`.
    """
    url = url or Dwh.load().database_url.get_secret_value()
    connection = psycopg.connect(
        url, autocommit=True, application_name=APPLICATION_NAME, client_encoding="utf8"
    )
    # Set by a statement, not by the startup packet: an `options` of the address stays in force.
    connection.execute(
        "select set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false)"
    )
    connection.autocommit = autocommit
    return connection


@contextmanager
def warehouse_errors() -> Iterator[None]:
    """Turn any error of the server or the way to it into WarehouseFailed, free of data values."""
    try:
        yield
    except psycopg.Error as error:
        raise WarehouseFailed(describe(error), sqlstate=error.sqlstate) from None


def describe(error: psycopg.Error) -> str:
    """One sentence about an error of the warehouse that holds no value of the data."""
    if error.sqlstate is None:
        return f"the warehouse does not answer: {error}".strip()
    text = f"the warehouse refused a statement: {type(error).__name__} ({error.sqlstate})"
    if error.sqlstate[:2] in TELLING_CLASSES and error.diag.message_primary:
        text += f": {error.diag.message_primary}"
    return text

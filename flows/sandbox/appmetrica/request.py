"""What is asked of the Logs API, understood or refused: pure decisions, no sockets.

https://appmetrica.yandex.com/docs/en/mobile-api/logs/ref/events
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl, unquote_plus

from flows.sandbox.appmetrica import texts
from flows.sandbox.appmetrica.applications import Application
from flows.sandbox.simulator import Refusal
from flows.vendors.appmetrica_tables import TABLES, Table

_EXPORT = re.compile(r"/logs/v1/export/(?P<table>\w+)\.(?P<format>csv|json)")
_ORDINARY = frozenset(
    {
        "application_id",
        "date_dimension",
        "date_since",
        "date_until",
        "fields",
        "limit",
        "part_number",
        "parts_count",
        "skip_unavailable_shards",
        "use_utf8_bom",
    }
)
_OF_PROFILES = frozenset({"version", "update_timestamp"})


@dataclass(frozen=True, slots=True)
class Export:
    """One export that makes sense.

    job: path and sorted parameters, which name the job; query: the decoded parameters as sent.
    fields: in the order asked, repeated ones repeated. since, until: Unix seconds, both inclusive,
    None without dates; by_receipt: whether they are of receipt. filters: (field, text) pairs, of
    which a row must equal all. part of parts: from 0.
    """

    job: str
    query: str
    table: Table
    format: str
    application: Application
    fields: tuple[str, ...]
    since: int | None
    until: int | None
    by_receipt: bool
    limit: int | None
    with_bom: bool
    filters: tuple[tuple[str, str], ...]
    skips_shards: bool
    parts: int
    part: int


def table_of(path: str) -> Table | None:
    """The table whose export an address is; None for other addresses."""
    match = _EXPORT.fullmatch(path)
    return TABLES.get(match["table"]) if match else None


def token_of(authorization: str | None) -> str | None:
    """The OAuth token of the header."""
    scheme, _, token = (authorization or "").partition(" ")
    return token if scheme == "OAuth" and token else None


def application_of(
    number: str, token: str, applications: Mapping[int, list[Application]]
) -> Application | Refusal:
    """The application, if the token may read it."""
    if not number.isdecimal():
        return Refusal(400, "application_id is required, as a number")
    for application in applications.get(int(number), ()):
        if application.token == token:
            return application
    return Refusal(403, texts.FORBIDDEN)


class _Wrong(Exception):
    """What a 400 says."""


def export_of(
    path: str,
    query: str,
    application: Application,
    attributes: Collection[str],
    *,
    profiles_need_dates: bool,
) -> Export | Refusal:
    """The export, or 400 that says what is wrong. attributes: custom ones of the profiles."""
    try:
        return _export(path, query, application, attributes, profiles_need_dates)
    except _Wrong as wrong:
        return Refusal(400, str(wrong))


def _export(
    path: str,
    query: str,
    application: Application,
    attributes: Collection[str],
    profiles_need_dates: bool,
) -> Export:
    pairs = parse_qsl(query, keep_blank_values=True)
    table, asked = cast(Table, table_of(path)), dict(pairs)
    known, ordinary = set(table.known_fields), _ORDINARY
    if table.name == "profiles_v2":
        known |= set(attributes)
        ordinary |= _OF_PROFILES
    fields = tuple(asked.get("fields", "").split(","))
    filters = tuple((name, value) for name, value in pairs if name not in ordinary)
    if fields == ("",):
        raise _Wrong("fields is required")
    for name in (*fields, *(name for name, _ in filters)):
        if name not in known:
            raise _Wrong(f"Unknown field: {name}")
    since, until = _window(table, asked, application, profiles_need_dates)
    parts, part = _parts(asked)
    return Export(
        f"{path}?{sorted(pairs)}",
        unquote_plus(query),
        table,
        path.rpartition(".")[2],
        application,
        fields,
        since,
        until,
        _dimension(table, asked) == "receive",
        _number(asked, "limit") if "limit" in asked else None,
        _flag(asked, "use_utf8_bom"),
        filters,
        _flag(asked, "skip_unavailable_shards"),
        parts,
        part,
    )


def _dimension(table: Table, asked: dict[str, str]) -> str:
    wish = asked.get("date_dimension", "default")
    if wish not in ("default", "receive"):
        raise _Wrong(f"date_dimension is default or receive, not {wish}")
    if "date_dimension" in asked and table.takes_dates and not table.takes_date_dimension:
        raise _Wrong(f"date_dimension is not supported by {table.name}")
    return wish


def _window(
    table: Table, asked: dict[str, str], application: Application, profiles_need_dates: bool
) -> tuple[int | None, int | None]:
    if not table.takes_dates:
        return None, None
    optional = table.name == "profiles_v2" and not profiles_need_dates
    if optional and not {"date_since", "date_until"} & set(asked):
        return None, None
    # An hour that comes twice belongs to the window whole.
    since = _moment(asked, "date_since", application, fold=0)
    until = _moment(asked, "date_until", application, fold=1)
    if until < since:
        raise _Wrong("date_until is before date_since")
    return since, until


def _moment(asked: dict[str, str], name: str, application: Application, fold: int) -> int:
    text = asked.get(name, "")
    if not text:
        raise _Wrong(f"{name} is required")
    for shape in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            local = datetime.strptime(text, shape)
        except ValueError:
            continue
        return int(local.replace(tzinfo=application.zone, fold=fold).timestamp())
    raise _Wrong(f"{name} must be yyyy-mm-dd hh:mm:ss")


def _parts(asked: dict[str, str]) -> tuple[int, int]:
    if not {"parts_count", "part_number"} & set(asked):
        return 1, 0
    parts, part = _number(asked, "parts_count"), _number(asked, "part_number")
    if not 0 <= part < parts:
        raise _Wrong("part_number must be from 0 to parts_count - 1")
    return parts, part


def _number(asked: dict[str, str], name: str) -> int:
    text = asked.get(name, "")
    if not text.isdecimal():
        raise _Wrong(f"{name} must be a number")
    return int(text)


def _flag(asked: dict[str, str], name: str) -> bool:
    text = asked.get(name, "false")
    if text not in ("true", "false"):
        raise _Wrong(f"{name} is true or false")
    return text == "true"

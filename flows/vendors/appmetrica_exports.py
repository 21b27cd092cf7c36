"""Which rows to ask for: the exports that this project makes of each table.

Days are the app's local ones; both ends of a window are inclusive seconds.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from flows.errors import BadRequest
from flows.vendors.appmetrica_tables import TABLES, Table
from flows.vendors.appmetrica_wire import Export

#: Tables without rows of a day: the vendor knows only how things stand now.
SNAPSHOTS = frozenset({"profiles_v2", "push_tokens"})

_CHOSEN_BY_THE_CLIENT = ("parts_count", "part_number")


def table_of(name: str) -> Table:
    """The table of a name; BadRequest lists the names."""
    if name not in TABLES:
        raise BadRequest(f"there is no table {name!r}: choose from {', '.join(TABLES)}")
    return TABLES[name]


def day_export(application_id: int, table: Table, day: date) -> Export:
    """What the vendor received on a day (made on that day, where the table knows no receipt)."""
    params = _params(application_id, table.fields) | window_params(day, day)
    if table.takes_date_dimension:
        params["date_dimension"] = "receive"
    return Export(table.name, tuple(params.items()), f"{table.name} {day}")


def snapshot_export(
    application_id: int, table: Table, start: date, end: date, attributes: Sequence[str] = ()
) -> Export:
    """How things stand now; of profiles, those that changed from start to end.

    end: today, else who changed yesterday and today would come in no window of days that are over.
    attributes: custom profile attributes, which come only if they are asked for by name.
    """
    params = _params(application_id, [*table.fields, *_attributes(table, attributes)])
    if table.takes_dates:
        params |= window_params(start, end)
    return Export(table.name, tuple(params.items()), f"{table.name} {start} to {end}")


def free_export(
    application_id: int,
    table: Table,
    fields: Sequence[str] | None,
    dates: Mapping[str, str],
    parameters: Mapping[str, str],
) -> Export:
    """Any export: fields (default: the documented ones), dates and further URL parameters."""
    for name in _CHOSEN_BY_THE_CLIENT:
        if name in parameters:
            raise BadRequest(f"{name} is chosen by the client, as the vendor demands")
    params = _params(application_id, fields or table.fields) | dict(dates) | dict(parameters)
    span = " to ".join(dates.values())
    return Export(table.name, tuple(params.items()), f"{table.name} {span}".rstrip())


def window_params(first: date, last: date) -> dict[str, str]:
    """Whole days, both inclusive."""
    return {"date_since": f"{first} 00:00:00", "date_until": f"{last} 23:59:59"}


def _params(application_id: int, fields: Sequence[str] | Mapping[str, object]) -> dict[str, str]:
    # A field asked for twice would come twice.
    return {"application_id": str(application_id), "fields": ",".join(dict.fromkeys(fields))}


def _attributes(table: Table, names: Sequence[str]) -> Sequence[str]:
    if names and table.name != "profiles_v2":
        return ()
    for name in names:
        if not name.strip() or "," in name:
            raise BadRequest(f"{name!r} can be no profile attribute: the request parts at commas")
    return names

"""What each product table takes from people: the columns that dbt's properties files name.

Types and columns stand there alone; here only what a file of properties cannot say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from flows.errors import BadRequest
from flows.mapping import FIELD_MAPPINGS
from flows.settings import PROJECT

#: Archives of direct rows: {PREFIX}{table}/{checksum}{SUFFIX}; further ones of the same rows have
#: {checksum}-{n}, n from 2 on.
PREFIX, SUFFIX = "direct/", ".ndjson.gz"

_EVENT_TABLES = PROJECT / "dbt_project" / "models" / "marts" / "events" / "_events__models.yml"

PERMANENT = "permanent_user_properties"
TABLES = (
    "events_part",
    "mobile_devices",
    PERMANENT,
    "technical_data",
    "tmp_event_properties",
    "tmp_user_properties",
    "user_locations",
)
#: Both hold records, and a record is one whichever of them it was put into.
RECORD_TABLES = ("tmp_user_properties", PERMANENT)

#: Columns that the models work out; of a device they follow from its row's event_time and uuid.
_WORKED_OUT = {
    "load_id",
    "line_number",
    "migrated",
    "installed_at",
    "installation_uuid",
    "first_uuid",
    "first_seen_at",
    "last_seen_at",
}
#: What a row must say.
_REQUIRED = {
    "events_part": ("event_type",),
    "mobile_devices": ("device_id",),
    PERMANENT: ("ehr_id",),
    "tmp_event_properties": ("event_properties",),
    "tmp_user_properties": ("user_properties",),
}
#: Columns that say nothing by themselves: a row of these tables needs another one.
_NO_FACTS = {
    "technical_data": {"uuid", "source", "event_time", "device_id"},
    "user_locations": {"uuid", "source", "event_time", "user_id", "device_id"},
}
_OBJECTS = ("event_properties", "user_properties")
_RANGES = {"latitude": 90, "longitude": 180}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that people may give. type: PostgreSQL's, as the properties file has it.

    is_object: its value is a JSON object. most: its value lies within -most and most; None where
    its type alone is the limit.
    """

    name: str
    type: str
    is_object: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table takes.

    columns: by name; source among them, which can only be "direct". worked_out: columns of the
    table that nobody may give. required: columns that each row has. facts: columns of which each
    row has at least one; empty where there is no such rule.
    """

    table: str
    columns: Mapping[str, Column]
    worked_out: frozenset[str]
    required: tuple[str, ...]
    facts: tuple[str, ...]


def contract_of(table: str) -> Contract:
    """The contract of a product table. Raises BadRequest where people cannot put rows into it."""
    if table not in TABLES:
        raise BadRequest(f"no rows can be put into {table!r}; tables are {', '.join(TABLES)}")
    named = dict(_named_columns(table))
    # A device's row has no such column: its time is when it was seen.
    named.setdefault("event_time", "timestamptz")
    columns = {
        name: Column(name, kind, name in _OBJECTS, _RANGES.get(name))
        for name, kind in named.items()
        if name not in _WORKED_OUT
    }
    no_facts = _NO_FACTS.get(table)
    return Contract(
        table=table,
        columns=columns,
        worked_out=frozenset(named.keys() & _WORKED_OUT),
        required=_REQUIRED.get(table, ()),
        facts=() if no_facts is None else tuple(name for name in columns if name not in no_facts),
    )


def _named_columns(table: str) -> Iterator[tuple[str, str]]:
    """Name and type of each column of the table, from its properties file."""
    file = FIELD_MAPPINGS if table == PERMANENT else _EVENT_TABLES
    models: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    (model,) = (model for model in models if model["name"] == table)
    for column in model["columns"]:
        yield column["name"], str(column["data_type"]).lower()

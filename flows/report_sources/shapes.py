"""What the tables of both databases must have: names, types that are understood, and rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.sql import SQL, Composed, Identifier

#: In place of a constraint's name, where the raw table has no partition for a row.
NO_PARTITION = ""

_WHOLE = frozenset({"smallint", "integer", "bigint"})
_NUMBER = _WHOLE | {"real", "double precision", "numeric"}
#: Any enum is a text, too.
_TEXT = frozenset({"text", "character varying", "character", "enum"})
_UUID = _TEXT | {"uuid"}
#: Without a zone it is UTC.
_MOMENT = frozenset({"timestamp with time zone", "timestamp without time zone"})
_DAY = _MOMENT | {"date"}


@dataclass(frozen=True, slots=True)
class Column:
    """name: in the source and here. accepts: types of the source; becomes: the type here."""

    name: str
    accepts: frozenset[str]
    becomes: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What the values of a column must be. holds: in SQL; says: in words, behind the column."""

    column: str
    holds: str
    says: str


@dataclass(frozen=True, slots=True)
class Shape:
    """columns: that a table must have; it may have others. key: the one that names a row.

    rules: by the name of the constraint of the raw table that holds them.
    """

    columns: tuple[Column, ...]
    key: str
    rules: Mapping[str, Rule]

    @property
    def names(self) -> list[str]:
        """Of the columns, in order."""
        return [column.name for column in self.columns]

    def selection(self) -> Composed:
        """The columns in their types here, as SQL."""
        return SQL(", ").join(
            SQL("{name}::{becomes} as {name}").format(
                name=Identifier(column.name), becomes=SQL(column.becomes)
            )
            for column in self.columns
        )


USERS = Shape(
    columns=(
        Column("user_id", _WHOLE, "integer"),
        Column("user_uuid", _UUID, "uuid"),
        Column("name", _TEXT, "text"),
        Column("email", _TEXT, "text"),
        Column("age", _WHOLE, "integer"),
        Column("gender", _TEXT, "text"),
        Column("country", _TEXT, "text"),
        Column("address", _TEXT, "text"),
        Column("phone", _TEXT, "text"),
        Column("registration_ts", _DAY, "timestamptz"),
        Column("registered_at", _DAY, "timestamptz"),
    ),
    key="user_id",
    rules={"age_is_none_or_more": Rule("age", "age >= 0", "must be 0 or more")},
)

EVENTS = Shape(
    columns=(
        Column("id", _WHOLE, "bigint"),
        Column("user_id", _WHOLE, "integer"),
        Column("prosthesis_type", _TEXT, "text"),
        Column("muscle_group", _TEXT, "text"),
        Column("signal_frequency", _NUMBER, "double precision"),
        Column("signal_duration", _WHOLE, "integer"),
        Column("signal_amplitude", _NUMBER, "double precision"),
        Column("event_timestamp", _MOMENT, "timestamptz"),
        Column("saved_ts", _MOMENT, "timestamptz"),
    ),
    key="id",
    rules={
        NO_PARTITION: Rule(
            "event_timestamp", "coalesce(isfinite(event_timestamp), false)", "must be a time"
        ),
        "prosthesis_type_is_known": Rule(
            "prosthesis_type", "prosthesis_type in ('arm', 'hand', 'leg')", "must be arm, hand, leg"
        ),
        "signal_frequency_is_finite": Rule(
            "signal_frequency",
            "signal_frequency >= 0 and signal_frequency < 'Infinity'",
            "must be a number of Hz, 0 or more",
        ),
        "signal_duration_is_none_or_more": Rule(
            "signal_duration", "signal_duration >= 0", "must be 0 ms or more"
        ),
        "signal_amplitude_is_finite": Rule(
            "signal_amplitude",
            "signal_amplitude > '-Infinity' and signal_amplitude < 'Infinity'",
            "must be a number",
        ),
    },
)

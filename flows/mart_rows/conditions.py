"""Which rows of a mart are wanted: `{"column": {"op": value}}` as SQL with parameters.

No text of a person ever becomes SQL: columns are looked up, operators are those here, values are
parameters that the server reads as the column's own type.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from flows.errors import BadRequest
from flows.mart_rows.mart import Mart

_COMPARISONS = {
    "eq": SQL("{} = %s"),
    # null is not equal to anything, so it is among them
    "ne": SQL("{} is distinct from %s"),
    "lt": SQL("{} < %s"),
    "le": SQL("{} <= %s"),
    "gt": SQL("{} > %s"),
    "ge": SQL("{} >= %s"),
}
_OF_TEXTS = {"contains": SQL("strpos({}, %s) > 0"), "starts_with": SQL("starts_with({}, %s)")}
OPERATORS = (*_COMPARISONS, "in", "is_null", *_OF_TEXTS)

#: More is a table to join, not a filter.
_MOST_VALUES = 1000

_ARE_VALID = """
select asked.place
from unnest(%s::int[], %s::text[], %s::text[]) as asked (place, value, type)
where not pg_input_is_valid(asked.value, asked.type)
order by asked.place
limit 1
"""


@dataclass(frozen=True, slots=True)
class _Condition:
    """sql: with a place for each value. values: texts, to be read as the column's type."""

    column: str
    operator: str
    sql: Composable
    values: Sequence[str] = ()


def where_clause(
    connection: psycopg.Connection, mart: Mart, where: object
) -> tuple[Composable, list[str]]:
    """The condition and its parameters; all filters hold together.

    Raises BadRequest for an unknown column or operator and for a value that the column cannot have;
    its text holds no value.
    """
    conditions = list(_conditions(mart, where))
    _demand_valid(connection, mart, conditions)
    if not conditions:
        return SQL("true"), []
    clause = SQL(" and ").join(condition.sql for condition in conditions)
    return clause, [value for condition in conditions for value in condition.values]


def _conditions(mart: Mart, where: object) -> Iterator[_Condition]:
    if where is None:
        return
    if not isinstance(where, Mapping):
        raise BadRequest('where has to be like {"column": {"eq": value}}')
    for name, filters in where.items():
        column = mart.demand_column(name, "where")
        if not isinstance(filters, Mapping) or not filters:
            raise BadRequest(f'where: {column} has to be like {{"{column}": {{"eq": value}}}}')
        for operator, value in filters.items():
            yield _condition(mart, column, operator, value)


def _condition(mart: Mart, column: str, operator: object, value: object) -> _Condition:
    place, kind = Identifier(column), mart.columns[column]
    what = f"where: {column} {operator}"
    match operator:
        case "is_null":
            if not isinstance(value, bool):
                raise BadRequest(f"{what} takes true or false")
            sql = SQL("{} is null" if value else "{} is not null").format(place)
            return _Condition(column, operator, sql)
        case "in":
            if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
                raise BadRequest(f"{what} takes a list of values")
            if len(value) > _MOST_VALUES:
                raise BadRequest(f"{what} takes at most {_MOST_VALUES} values")
            places = SQL(", ").join(SQL("%s") for _ in value)
            texts = [_text(one, kind, what) for one in value]
            return _Condition(column, operator, SQL("{} in ({})").format(place, places), texts)
        case "contains" | "starts_with":
            if kind != "text" or not isinstance(value, str):
                raise BadRequest(f"{what} is of texts, and {column} is of type {kind}")
            sql = _OF_TEXTS[operator].format(place)
            return _Condition(column, operator, sql, [_text(value, kind, what)])
        case str() if operator in _COMPARISONS:
            sql = _COMPARISONS[operator].format(place)
            return _Condition(column, operator, sql, [_text(value, kind, what)])
    raise BadRequest(f"where: unknown operator {operator!r}; known are {', '.join(OPERATORS)}")


def _text(value: Any, kind: str, what: str) -> str:
    """A value as the text that the server reads."""
    if value is None:
        raise BadRequest(f"{what} takes no null: ask with is_null")
    try:
        if kind == "jsonb":
            text = json.dumps(value)
        elif isinstance(value, bool):
            text = str(value).lower()
        elif isinstance(value, str | int | float | Decimal | UUID):
            text = str(value)
        elif isinstance(value, date):
            text = value.isoformat()
        else:
            text = "\0"
        text.encode()
    except (TypeError, ValueError):
        text = "\0"
    if "\0" in text:
        raise BadRequest(f"{what}: the value is none that a column of type {kind} can have")
    return text


def _demand_valid(
    connection: psycopg.Connection, mart: Mart, conditions: Sequence[_Condition]
) -> None:
    asked = [
        (number, value, mart.columns[condition.column])
        for number, condition in enumerate(conditions)
        for value in condition.values
    ]
    if not asked:
        return
    wrong = connection.execute(_ARE_VALID, [list(column) for column in zip(*asked, strict=True)])
    for (number,) in wrong:
        bad = conditions[number]
        raise BadRequest(
            f"where: {bad.column} {bad.operator}: the value is none that a column of type"
            f" {mart.columns[bad.column]} can have"
        )

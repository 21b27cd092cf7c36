"""Whatever value comes: PostgreSQL takes what is let through, as the very value that was sent."""

from datetime import UTC, datetime
from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.direct_rows.contracts import Column
from flows.direct_rows.tokens import row_of
from flows.direct_rows.values import Unfit, fitted

TYPES = (
    "text", "smallint", "integer", "bigint", "double precision", "numeric", "numeric(5, 2)",
    "boolean", "date", "timestamp", "timestamptz", "uuid", "jsonb",
)  # fmt: skip

numbers = st.one_of(
    st.integers(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.decimals(),
)
times = st.one_of(st.datetimes(), st.datetimes(timezones=st.just(UTC)), st.dates())
spelt = st.from_regex(
    r"\s?[+-]?[0-9]{0,4}[-.:eET ]?[0-9]{0,3}([-:. ][0-9]{1,2}){0,5}"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?\s?",
    fullmatch=True,
)
leaves = st.one_of(st.none(), st.booleans(), numbers, times, st.uuids(), st.text(), spelt,
                   numbers.map(str), times.map(str), st.uuids().map(str))  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.fixture(scope="module")
def connection(postgres_server):
    url = postgres_server.create_database("values")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
    postgres_server.drop_database("values")


@pytest.mark.parametrize("kind", TYPES)
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(value=values)
def test_postgresql_takes_what_is_let_through(connection, kind, value):
    """By the cast of staging, in any time zone; and a kept value is kept once more as it is."""
    column = Column("given", kind)
    token = row_of({"given": value})["given"]
    if isinstance(token, Unfit) or token == "null":
        return
    try:
        kept = fitted(column, token)
    except Unfit:
        return
    assert not {"\n", "\t"} & set(kept)
    assert fitted(column, kept) == kept
    connection.execute("set timezone = 'Asia/Tokyo'")
    (stored,) = connection.execute(
        f"select given from json_to_record(%s::json) as row (given {kind})",
        [f'{{"given": {kept}}}'],
    ).fetchone()
    if isinstance(value, bool):
        assert stored in (value, str(value).lower())
    elif isinstance(value, int | Decimal) and kind not in ("text", "boolean", "jsonb"):
        if kind != "double precision":
            assert stored == value
    elif isinstance(value, datetime) and kind == "timestamptz":
        assert stored == (value if value.tzinfo else value.replace(tzinfo=UTC))
    elif isinstance(value, str) and kind == "text":
        assert stored == value


@settings(max_examples=300, deadline=None)
@given(value=values)
def test_a_value_is_read_or_refused(value):
    """Nothing but Unfit comes out of any type, for any value of Python."""
    token = row_of({"given": value})["given"]
    for kind in TYPES:
        for is_object in (False, True):
            if not isinstance(token, Unfit) and token != "null":
                try:
                    fitted(Column("given", kind, is_object), token)
                except Unfit:
                    continue

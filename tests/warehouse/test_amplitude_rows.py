"""Every value of an event arrives in PostgreSQL: in its column, or as sent in unknown_fields."""

import json
import math
from datetime import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.lake.line_stream import Slab
from flows.warehouse import amplitude_rows
from flows.warehouse.amplitude_fields import FIELDS
from flows.warehouse.cells import BOOLEAN, DOUBLE, INTEGER, JSON, TEXT, TIME, UUID
from flows.warehouse.connection import connect
from flows.warehouse.copy_rows import LineRefused
from flows.warehouse.migrate import migrate


@pytest.fixture(scope="module")
def warehouse(postgres_server):
    url = postgres_server.create_database("test_amplitude_rows")
    migrate(url)
    with connect(url, autocommit=True) as connection:
        yield connection
    postgres_server.drop_database("test_amplitude_rows")


def columns(kind=None):
    return [key.removeprefix("$") for key, of in FIELDS.items() if kind in (None, of)]


SELECT = (
    "select line_number, "
    + ", ".join(
        name if name in columns(TIME) else f"{name}::text"
        for name in (*columns(), "unknown_fields")
    )
    + " from raw.amplitude_events order by line_number"
)


def loaded(
    warehouse: psycopg.Connection, data: bytes, *, careful: bool = False
) -> dict[int, dict[str, Any]]:
    """The rows of some lines as they stand in the table, columns as text, times as datetimes."""
    warehouse.execute("truncate raw.amplitude_events")
    block = amplitude_rows.make_block(Slab(0, data), 1, careful)
    assert block.refused is None
    with warehouse.cursor() as cursor, cursor.copy(amplitude_rows.COPY) as copy:
        copy.write(block.data)
    rows = warehouse.execute(SELECT).fetchall()
    assert len(rows) == block.row_count
    return {row[0]: dict(zip((*FIELDS, "unknown_fields"), row[1:], strict=True)) for row in rows}


def one(warehouse, line: bytes, *, careful: bool = False) -> dict[str, Any]:
    """What is not null in the row of one line."""
    row = loaded(warehouse, line + b"\n", careful=careful)[0]
    return {key: value for key, value in row.items() if value is not None}


def assert_survives(event: dict[str, Any], row: dict[str, Any]) -> None:
    unknown = json.loads(row["unknown_fields"] or "{}")
    for key, value in event.items():
        if key in unknown:
            assert unknown.pop(key) == value
            assert row.get(key) is None
        elif value is None:
            assert row[key] is None
        else:
            assert_holds(FIELDS[key], value, row[key])
    assert unknown == {}
    assert all(row[key] is None for key in FIELDS if key not in event)


def assert_holds(kind: str, value: Any, column: Any) -> None:
    """The column says the same as the value, and was not made of another type silently."""
    if kind == TEXT:
        assert column == value if isinstance(value, str) else json.loads(column) == value
    elif kind == JSON:
        assert json.loads(column) == value
    elif kind == TIME:
        wanted = datetime.fromisoformat(value)
        assert column.replace(tzinfo=None) == wanted.replace(tzinfo=None)
    elif kind == BOOLEAN:
        assert column == str(value).lower()
    elif kind == INTEGER:
        assert int(column) == (int(value) if isinstance(value, str) else value)
    elif kind == DOUBLE:
        assert float(column) == float(value)
    elif kind == UUID:
        assert column.replace("-", "") == value.lower().strip("{}").replace("-", "")


texts = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["", "null", "None", "\\.", "a\nb\r\nc", "\x00", "\x01\x02", "\ud800", "true", "12", "now", '"']
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
documented = {
    TIME: st.datetimes().map(lambda time: time.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")),
    TEXT: texts,
    INTEGER: st.integers(-(2**63), 2**63 - 1),
    DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    BOOLEAN: st.booleans(),
    UUID: st.uuids().map(str),
    JSON: values,
}
plain_events = st.fixed_dictionaries(
    {}, optional={key: st.none() | documented[kind] for key, kind in FIELDS.items()}
)
odd_events = st.dictionaries(st.sampled_from(list(FIELDS)) | texts, values, max_size=8)
events = st.builds(lambda plain, odd: plain | odd, plain_events, odd_events | st.just({}))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(events, min_size=1, max_size=4), ascii_only=st.booleans())
def test_any_event_survives_on_both_paths(warehouse, batch, ascii_only):
    """Whatever JSON an event holds, each value is in its column or as sent in unknown_fields."""
    lines = []
    for event in batch:
        line = json.dumps(event, ensure_ascii=ascii_only)
        try:
            lines.append(line.encode() + b"\n")
        except UnicodeEncodeError:  # half a surrogate pair has no bytes, only an escape
            lines.append(json.dumps(event).encode() + b"\n")
    data = b"".join(lines)
    try:
        rows = loaded(warehouse, data)
    except psycopg.DataError:  # then the loader goes careful
        rows = loaded(warehouse, data, careful=True)
    for number, event in enumerate(batch):
        assert_survives(event, rows[number])
    assert loaded(warehouse, data, careful=True) == rows


def test_all_columns_of_the_table_are_copied(warehouse):
    """The table has the 55 documented keys, and none that the loader does not fill."""
    names = warehouse.execute(
        "select array_agg(attname::text) from pg_attribute"
        " where attrelid = 'raw.amplitude_events'::regclass and attnum > 0 and not attisdropped"
    ).fetchone()[0]
    assert len(FIELDS) == 55
    assert set(names) == {*columns(), "load_id", "line_number", "unknown_fields"}


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'{"city":""}', {"city": ""}),
        (b'{"city":null,"data":null}', {}),
        (b"{}", {}),
        (b' \t{ "city" : "a" } \r', {"city": "a"}),
        (b'{"city":"None","country":"null"}', {"city": "None", "country": "null"}),
        (b'{"city":"a\\nb\\r\\n\\\\.\\n"}', {"city": "a\nb\r\n\\.\n"}),
        (b'{"city":"\\\\."}', {"city": "\\."}),
        (b'{"city":"\\u0001\\u0002\\u0003\\""}', {"city": '\x01\x02\x03"'}),
        (b'{"city":"a\\u0000b"}', {"unknown_fields": '{"city":"a\\u0000b"}'}),
        (b'{"city":"\\ud800"}', {"unknown_fields": '{"city":"\\ud800"}'}),
        (b'{"city":"\\ud83d\\ude00"}', {"city": "\U0001f600"}),
        (b'{"data":{"a":"\\u0000 \\ud800"}}', {"data": '{"a":"\\u0000 \\ud800"}'}),
        (b'{"data":{"a" :  1.50}}', {"data": '{"a" :  1.50}'}),
        (b'{"user_properties":"text"}', {"user_properties": '"text"'}),
        (b'{"user_id":12345678901234567890123.50}', {"user_id": "12345678901234567890123.50"}),
        (b'{"user_id":true}', {"user_id": "true"}),
        (b'{"user_id":[1]}', {"unknown_fields": '{"user_id":[1]}'}),
        (b'{"app":9223372036854775807}', {"app": "9223372036854775807"}),
        (b'{"app":9223372036854775808}', {"unknown_fields": '{"app":9223372036854775808}'}),
        (b'{"app":1e3,"event_id":7.0}', {"event_id": "7", "unknown_fields": '{"app":1e3}'}),
        (b'{"session_id":"17"}', {"session_id": "17"}),
        (b'{"session_id":" 17"}', {"unknown_fields": '{"session_id":" 17"}'}),
        (b'{"app":' + b"9" * 5000 + b"}", {"unknown_fields": '{"app":' + "9" * 5000 + "}"}),
        (b'{"location_lat":1e999}', {"unknown_fields": '{"location_lat":1e999}'}),
        (b'{"location_lat":51}', {"location_lat": "51"}),
        (b'{"paying":"(none)"}', {"unknown_fields": '{"paying":"(none)"}'}),
        (b'{"paying":"true"}', {"paying": "true"}),
        (b'{"paying":1}', {"unknown_fields": '{"paying":1}'}),
        (b'{"event_time":"now"}', {"unknown_fields": '{"event_time":"now"}'}),
        (
            b'{"event_time":"now                       "}',
            {"unknown_fields": '{"event_time":"now                       "}'},
        ),
        (b'{"event_time":""}', {"unknown_fields": '{"event_time":""}'}),
        (b'{"event_time":1752748588583}', {"unknown_fields": '{"event_time":1752748588583}'}),
        (b'{"uuid":"x"}', {"unknown_fields": '{"uuid":"x"}'}),
        (
            b'{"uuid":"{A0EEBC999C0B4EF8BB6D6BB9BD380A11}"}',
            {"uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        ),
        (b'{"city":"a","city":"b"}', {"city": "b"}),
        (b'{"app":"x","app":3}', {"app": "3"}),
        (b'{"\\u0063ity":"a"}', {"city": "a"}),
        (b'{"new":1,"new":null}', {"unknown_fields": '{"new":null}'}),
        (b'{"schema":1,"$schema":2}', {"$schema": "2", "unknown_fields": '{"schema":1}'}),
        (b'{"City":"a"}', {"unknown_fields": '{"City":"a"}'}),
        ('{"city":"Köln","ключ":"я"}'.encode(), {"city": "Köln", "unknown_fields": None}),
    ],
)
def test_each_edge_has_its_place(warehouse, line, row, careful):
    """Null is no empty text, numbers keep their digits, and no odd value is bent to fit."""
    if "unknown_fields" in row and row["unknown_fields"] is None:
        found = one(warehouse, line, careful=careful)
        assert json.loads(found.pop("unknown_fields")) == {"ключ": "я"}
        assert found == {"city": "Köln"}
    else:
        assert one(warehouse, line, careful=careful) == row


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-07-17 10:36:28.583000", "2025-07-17T10:36:28.583+00:00"),
        ("2025-07-17T10:36:28.583Z", "2025-07-17T10:36:28.583+00:00"),
        ("2025-07-17 10:36:28+05:30", "2025-07-17T05:06:28+00:00"),
        ("2025-07-17", "2025-07-17T00:00:00+00:00"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(warehouse, text, time):
    """A time without zone means UTC, whatever the server's own zone."""
    row = one(warehouse, json.dumps({"event_time": text}).encode(), careful=True)
    assert row == {"event_time": datetime.fromisoformat(time)}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"{", "malformed JSON, at character 1"),
        (b'{"a":1}{}', "malformed JSON, at character 7"),
        (b'{"a":1,}', "malformed JSON, at character 7"),
        (b'{"a":NaN}', "malformed JSON, at character 1"),
        (b'{"a":"\x01"}', "malformed JSON, at character 1"),
        (b'{"city":"\xff"}', "no valid UTF-8, at byte 9"),
        (b'{"data":{"a":"\xff"}}', "no valid UTF-8, at byte 14"),
        (b'{"data":{"a":"\xff"},"data":{}}', "no valid UTF-8, at byte 14"),
        (b'{"new":"\xff","new":1}', "no valid UTF-8, at byte 8"),
        (b'\xef\xbb\xbf{"a":1}', "no JSON object"),
        (b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep to be read"),
    ],
)
def test_a_line_that_is_no_object_is_refused_without_its_text(line, why):
    """The reason says a position, never a value; the rows before stand, those behind do not."""
    block = amplitude_rows.make_block(Slab(10, b'{"city":"a"}\n\n' + line + b"\n{}\n"), 1, False)
    refused = LineRefused(12, why)
    assert (block.row_count, block.line_count, block.refused) == (1, 2, refused)


def test_blank_lines_count_but_give_no_row(warehouse):
    """Line numbers are those of the file."""
    rows = loaded(warehouse, b'{"app":1}\n\n \t\r\n{"app":2}\n')
    assert {number: row["app"] for number, row in rows.items()} == {0: "1", 3: "2"}


def test_a_double_is_rounded_as_doubles_are(warehouse):
    """More digits than a double has are no reason to refuse a coordinate."""
    row = one(warehouse, b'{"location_lat":51.123456789012345678}')
    assert math.isclose(float(row["location_lat"]), 51.12345678901235, abs_tol=1e-14)


@pytest.mark.parametrize(
    ("data", "lines_before"),
    [
        (b'{"app":1}\n{"app":2}{"app":3}\n\n{"app":4}\n', 1),
        (b'{"app":2}{"app":3}\n{"app":\n4}\n', 0),
    ],
)
def test_lines_and_objects_are_not_counted_but_matched(data, lines_before):
    """Two objects on one line are no event, though a blank line makes their numbers agree."""
    block = amplitude_rows.make_block(Slab(0, data), 1, False)
    assert (block.row_count, block.line_count) == (lines_before, lines_before)
    assert block.refused is not None
    assert block.refused.line_number == lines_before

"""Every value of an AppMetrica row arrives in PostgreSQL: in its column, or as sent beside it."""

import hashlib
import json
import uuid
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.lake.line_stream import Slab
from flows.vendors.appmetrica_tables import TABLES, Kind
from flows.warehouse.appmetrica_rows import TYPED, table_of
from flows.warehouse.connection import connect
from flows.warehouse.copy_rows import LineRefused
from flows.warehouse.migrate import migrate

PROFILES_KEY = "appmetrica/1111/profiles_v2/2025-01-06T120000Z.ndjson.gz"


def key_of(vendor_table):
    return (
        PROFILES_KEY
        if vendor_table == "profiles_v2"
        else f"a/1/{vendor_table}/2025-01-06.ndjson.gz"
    )


@pytest.fixture(scope="module")
def warehouse(postgres_server):
    url = postgres_server.create_database("test_appmetrica_rows")
    migrate(url)
    with connect(url, autocommit=True) as connection:
        yield connection
    postgres_server.drop_database("test_appmetrica_rows")


def loaded(
    warehouse: psycopg.Connection, vendor_table: str, data: bytes, *, careful: bool = False
) -> list[dict[str, Any]]:
    """The rows of some lines as they stand in the table, all columns as text.

    Where PostgreSQL refuses a plain row, the long path is taken, as the loader does.
    """
    table = table_of(key_of(vendor_table))
    assert table is not None
    warehouse.execute(f"truncate {table.name}")
    block = table.make_block(Slab(0, data), 1, careful)
    assert block.refused is None
    try:
        with warehouse.cursor() as cursor, cursor.copy(table.copy) as copy:
            copy.write(block.data)
    except psycopg.DataError:
        assert not careful
        return loaded(warehouse, vendor_table, data, careful=True)
    columns = [
        name
        for (name,) in warehouse.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0",
            (table.name,),
        )
    ]
    rows = warehouse.execute(
        f"select {', '.join(f'{name}::text' for name in columns)} from {table.name}"
        " order by line_number"
    ).fetchall()
    assert len(rows) == block.row_count
    return [dict(zip(columns, row, strict=True)) for row in rows]


ALWAYS = ("load_id", "line_number", "content_hash", "ordinal", "snapshot_time")


def one(warehouse, vendor_table, line: bytes, *, careful: bool = False) -> dict[str, Any]:
    """What is not null in the row of one line, but for what every row has."""
    (row,) = loaded(warehouse, vendor_table, line + b"\n", careful=careful)
    return {key: value for key, value in row.items() if value is not None and key not in ALWAYS}


def md5(line: bytes) -> str:
    return str(uuid.UUID(hashlib.md5(line, usedforsecurity=False).hexdigest()))


# --- each edge


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"{}", {}),
        (
            b'{"city":"","session_id":"","event_datetime":"","appmetrica_device_id":""}',
            {"city": ""},
        ),
        (b'{"event_json":""}', {"event_json": ""}),
        (b'{"city":null,"mcc":null,"event_datetime":null}', {}),
        (b' { "city" : "a" } \r', {"city": "a"}),
        (b'{"mcc":"0","mnc":"250"}', {"mcc": "0", "mnc": "250"}),
        (b'{"mcc":0,"mnc":250}', {"mcc": "0", "mnc": "250"}),
        (b'{"mcc":"-7"}', {"mcc": "-7"}),
        (b'{"mcc":7.0,"mnc":"7.00"}', {"mcc": "7", "mnc": "7"}),
        (b'{"mcc":1e3}', {"unknown_fields": '{"mcc":1e3}'}),
        (b'{"mcc":"007"}', {"unknown_fields": '{"mcc":"007"}'}),
        (b'{"mcc":" 7"}', {"unknown_fields": '{"mcc":" 7"}'}),
        (b'{"mcc":"7_0"}', {"unknown_fields": '{"mcc":"7_0"}'}),
        (b'{"mcc":"0x7"}', {"unknown_fields": '{"mcc":"0x7"}'}),
        ('{"mcc":"٧"}'.encode(), {"unknown_fields": '{"mcc":"٧"}'}),
        (b'{"app_build_number":"1.2.3"}', {"unknown_fields": '{"app_build_number":"1.2.3"}'}),
        (b'{"session_id":"9223372036854775807"}', {"session_id": "9223372036854775807"}),
        (
            b'{"session_id":"9223372036854775808"}',
            {"unknown_fields": '{"session_id":"9223372036854775808"}'},
        ),
        (
            b'{"appmetrica_device_id":"18446744073709551615"}',
            {"appmetrica_device_id": "18446744073709551615"},
        ),
        (
            b'{"appmetrica_device_id":18446744073709551615}',
            {"appmetrica_device_id": "18446744073709551615"},
        ),
        (b'{"appmetrica_device_id":"0"}', {"appmetrica_device_id": "0"}),
        (
            b'{"appmetrica_device_id":"123456789012345678901"}',
            {"unknown_fields": '{"appmetrica_device_id":"123456789012345678901"}'},
        ),
        (
            b'{"appmetrica_device_id":1.8e19}',
            {"unknown_fields": '{"appmetrica_device_id":1.8e19}'},
        ),
        (
            b'{"event_datetime":"1970-01-01 03:00:00"}',
            {"event_datetime": "1970-01-01 03:00:00"},
        ),
        (
            b'{"event_datetime":"2025-03-30 02:30:00"}',
            {"event_datetime": "2025-03-30 02:30:00"},
        ),
        (
            b'{"event_datetime":"2025-01-06T12:00:00.25"}',
            {"event_datetime": "2025-01-06 12:00:00.25"},
        ),
        *(
            (
                f'{{"event_datetime":"{text}"}}'.encode(),
                {"unknown_fields": f'{{"event_datetime":"{text}"}}'},
            )
            for text in (
                "now",
                "2025-01-06",
                "2025-01-06 12:00:00Z",
                "2025-01-06 12:00:00+03",
                "2025-01-06 24:00:00",
                "2025-01-06 23:59:60",
                "2025-02-30 12:00:00",
                "0000-01-01 12:00:00",
                "yyyy-mm-dd hh:mm:ss",
            )
        ),
        (b'{"event_timestamp":"1556258660"}', {"event_timestamp": "1556258660"}),
        (
            b'{"event_json":"{\\"a\\":\\"\\u042f\\", \\"b\\" : 1.50}"}',
            {"event_json": '{"a":"Я", "b" : 1.50}'},
        ),
        (b'{"event_json":"{broken"}', {"event_json": "{broken"}),
        (b'{"event_json":{"a" : 1.50}}', {"event_json": '{"a" : 1.50}'}),
        (b'{"event_json":[1]}', {"event_json": "[1]"}),
        (b'{"city":12,"event_name":true}', {"city": "12", "event_name": "true"}),
        (b'{"city":["a"]}', {"unknown_fields": '{"city":["a"]}'}),
        (b'{"city":"a\\u0000b"}', {"unknown_fields": '{"city":"a\\u0000b"}'}),
        (b'{"event_json":"{\\"a\\":\\"\\\\u0000\\"}"}', {"event_json": '{"a":"\\u0000"}'}),
        (b'{"city":"\\ud800"}', {"unknown_fields": '{"city":"\\ud800"}'}),
        (b'{"city":"\\u0001\\u0002\\n\\r\\t"}', {"city": "\x01\x02\n\r\t"}),
        (b'{"city":"a","city":"b"}', {"city": "b"}),
        (b'{"mcc":"x","mcc":"250"}', {"mcc": "250"}),
        (b'{"new":"1","mcc":"2"}', {"mcc": "2", "unknown_fields": '{"new":"1"}'}),
        (b'{"City":"a"}', {"unknown_fields": '{"City":"a"}'}),
    ],
)
def test_each_edge_has_its_place(warehouse, line, row, careful):
    """Missing is null, but for texts; numbers keep their digits; no odd value is bent to fit."""
    found = one(warehouse, "events", line, careful=careful)
    if not row.get("unknown_fields", "").isascii():
        found["unknown_fields"] = json.dumps(
            json.loads(found["unknown_fields"]), ensure_ascii=False, separators=(",", ":")
        )
    assert found == row


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(
    ("token", "column", "unknown"),
    [
        (b'"true"', "true", None),
        (b'"false"', "false", None),
        (b"true", "true", None),
        (b'""', None, None),
        (b'"1"', None, '{"is_reinstallation":"1"}'),
        (b"1", None, '{"is_reinstallation":1}'),
        (b'"True"', None, '{"is_reinstallation":"True"}'),
        (b'"undefined"', None, '{"is_reinstallation":"undefined"}'),
    ],
)
def test_a_boolean_is_one_of_two_words(warehouse, token, column, unknown, careful):
    """What PostgreSQL would also take for a boolean is kept as sent."""
    line = b'{"is_reinstallation":' + token + b"}"
    (row,) = loaded(warehouse, "installations", line + b"\n", careful=careful)
    assert (row["is_reinstallation"], row["unknown_fields"]) == (column, unknown)


@pytest.mark.parametrize("vendor_table", TYPED)
def test_all_columns_of_a_table_are_copied(warehouse, vendor_table):
    """Each typed table has the vendor's fields, what every raw table has, and nothing else."""
    fields = TABLES[vendor_table].known_fields
    samples = {
        Kind.TEXT: "t",
        Kind.INTEGER: "12",
        Kind.UNSIGNED: "18446744073709551615",
        Kind.TIMESTAMP: "1556258660",
        Kind.DATETIME: "2026-02-09 16:20:55",
        Kind.BOOLEAN: "true",
        Kind.JSON: "{}",
    }
    sent = {field: samples[kind] for field, kind in fields.items()}
    line = json.dumps(sent).encode()
    (row,) = loaded(warehouse, vendor_table, line + b"\n")
    more = {"snapshot_time": "2025-01-06 12:00:00+00"} if vendor_table == "profiles_v2" else {}
    assert row == sent | more | {
        "load_id": "1",
        "line_number": "0",
        "content_hash": md5(line),
        "ordinal": "0",
        "unknown_fields": None,
    }


@pytest.mark.parametrize("vendor_table", sorted(set(TABLES) - set(TYPED)))
def test_the_other_tables_keep_their_records_whole(warehouse, vendor_table):
    """Nine tables share one raw table; each record stands there to the character."""
    lines = [
        b'{"a" : "1", "a":2, "b":"\\u0000\\ud800"} \r',
        '{"ecom_product_name":"Чай","price":1.50,"n":{"x":[null,1e5]}}'.encode(),
    ]
    rows = loaded(warehouse, vendor_table, lines[0] + b"\n \n" + lines[1] + b"\n")
    assert rows == [
        {
            "load_id": "1",
            "line_number": number,
            "table_name": vendor_table,
            "record": line.decode(),
            "content_hash": md5(line),
            "ordinal": "0",
        }
        for number, line in zip(("0", "2"), lines, strict=True)
    ]


@pytest.mark.parametrize("vendor_table", ["events", "crashes"])
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[1]", "no JSON object"),
        (b'{"a":1,}', "malformed JSON, at character 7"),
        (b'{"a":NaN}', "malformed JSON, at character 1"),
        (b'{"city":"\xff"}', "no valid UTF-8, at byte 9"),
        (b'{"new":"\xff","new":"1"}', "no valid UTF-8, at byte 8"),
    ],
)
def test_a_line_that_is_no_object_is_refused(vendor_table, line, why):
    """The reason says a position, never a value; the rows before stand, those behind do not."""
    table = table_of(key_of(vendor_table))
    block = table.make_block(Slab(10, b'{"city":"a"}\n\n' + line + b"\n{}\n"), 1, False)
    assert (block.row_count, block.line_count) == (1, 2)
    assert block.refused == LineRefused(12, why)


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("appmetrica/1111/events/2025-01-06.ndjson.gz", "raw.appmetrica_events"),
        ("a/b/1111/installations/2025-01-06.ndjson.gz", "raw.appmetrica_installations"),
        ("appmetrica/1111/sessions_starts/2025-01-06.ndjson.gz", "raw.appmetrica_sessions_starts"),
        (PROFILES_KEY, "raw.appmetrica_profiles"),
        ("appmetrica/1111/clicks/2025-01-06.ndjson.gz", "raw.appmetrica_other"),
        ("appmetrica/1111/profiles_v2/newest.ndjson.gz", None),
        ("appmetrica/1111/profiles/2025-01-06.ndjson.gz", None),
        ("appmetrica/1111/events/index.json", None),
        ("events", None),
    ],
)
def test_the_key_tells_the_table(key, table):
    """The folder is the vendor's name of the table; what lies elsewhere is of none."""
    found = table_of(key)
    assert (found and found.name) == table


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("2025-01-06T123005Z", "2025-01-06 12:30:05+00"),
        ("2025-01-06", "2025-01-06 00:00:00+00"),
    ],
)
def test_a_snapshots_name_tells_its_time(name, time):
    """To the second, or at least to the day; in UTC."""
    table = table_of(f"appmetrica/1111/profiles_v2/{name}.ndjson.gz")
    assert table.make_block(Slab(0, b"{}\n"), 7, True).data.startswith(f"{time}\x017\x010".encode())


# --- any row


texts = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["", "null", "\\.", "a\nb\r\nc", "\x00", "\x01\x02", "\ud800", "true", "12", "now", '"', "{}"]
)
digits = (st.integers(-(2**70), 2**70) | st.integers(-9, 300)).map(str)
times = st.datetimes().map(lambda time: time.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0"))
odd_times = st.from_regex(
    r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?Z?",
    fullmatch=True,
)
documented = {
    Kind.TEXT: texts,
    Kind.INTEGER: digits,
    Kind.UNSIGNED: st.integers(0, 2**64 - 1).map(str) | digits,
    Kind.TIMESTAMP: digits,
    Kind.DATETIME: times | odd_times,
    Kind.BOOLEAN: st.sampled_from(["true", "false"]),
    Kind.JSON: texts,
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts | digits | times,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)  # fmt: skip
INSTALLATIONS = TABLES["installations"].fields
plain_rows = st.fixed_dictionaries(
    {}, optional={field: st.just("") | documented[kind] for field, kind in INSTALLATIONS.items()}
)
odd_rows = st.dictionaries(st.sampled_from(list(INSTALLATIONS)) | texts, values, max_size=6)
any_rows = st.builds(lambda plain, odd: plain | odd, plain_rows, odd_rows | st.just({}))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(plain_rows | any_rows, min_size=1, max_size=4))
def test_both_paths_agree_and_nothing_is_lost(warehouse, batch):
    """Each value stands in its column as sent, or is missing, or stands in unknown_fields."""
    lines = [json.dumps(row).encode() for row in batch]
    data = b"".join(line + b"\n" for line in lines)
    careful = loaded(warehouse, "installations", data, careful=True)
    assert loaded(warehouse, "installations", data) == careful
    for number, (line, sent, row) in enumerate(zip(lines, batch, careful, strict=True)):
        assert (row["line_number"], row["content_hash"]) == (str(number), md5(line))
        unknown = json.loads(row["unknown_fields"] or "{}")
        for key, value in sent.items():
            if key in unknown:
                assert unknown.pop(key) == value
                assert row.get(key) is None
            elif value is None or (value == "" and INSTALLATIONS[key] != Kind.TEXT):
                assert row[key] is None
            else:
                assert holds(INSTALLATIONS[key], value, row[key])
        assert unknown == {}
        assert all(row[key] is None for key in INSTALLATIONS if key not in sent)


def holds(kind: Kind, value: Any, column: str) -> bool:
    """Whether a column says the same as the value that was sent."""
    if kind == Kind.DATETIME:
        return column.rstrip("0.") == value.replace("T", " ").rstrip("0.")
    if kind == Kind.BOOLEAN:
        return column == str(value).lower()
    if kind == Kind.TEXT:
        return column == value if isinstance(value, str) else json.loads(column) == value
    return int(column) == (int(float(value)) if isinstance(value, float) else int(value))

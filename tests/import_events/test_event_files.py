"""What an event file says is taken exactly, or refused by line and column, never by value."""

import csv
import io
import json
import re
import time
import uuid
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imported_files import as_csv, as_ndjson, as_parquet, event, event_id, packed

from flows.errors import Interrupted
from flows.event_files.event_archive import Examined, examine, open_events
from flows.event_files.file_name import parse_file_name
from flows.lake.local_file import open_local

#: Stands in values, and must stand in no message.
PATIENT = "Zkqwiatkowska"
HEADER = "event_id,occurred_at,user_id,event_type,properties\n"


@pytest.fixture
def opened(tmp_path):
    """Open a file of this name and content."""

    def open_file(name, content, max_rejected=0):
        path = tmp_path / name
        path.write_bytes(content)
        bucket, version = open_local(path)
        return open_events(bucket, str(path), version, max_rejected)

    return open_file


def lines_of(archive):
    """line -> event, of the lines that the loader would take."""
    lines = b"".join(archive.blocks()).split(b"\n")
    return {number: json.loads(line) for number, line in enumerate(lines) if line}


def row(number=1, **columns):
    """A record of CSV without its line end."""
    return as_csv([event(number, **columns)]).split(b"\n", 1)[1].removesuffix(b"\n")


def refusal(archive, *hidden):
    """The interruption: the same at the examination and at the load, and without values."""
    with pytest.raises(Interrupted) as examined:
        examine(archive)
    with pytest.raises(Interrupted) as loaded:
        list(archive.blocks())
    first, second = examined.value, loaded.value
    assert (first.failed_line, first.reason) == (second.failed_line, second.reason)
    assert first.error_message.startswith(second.error_message)
    for text in (PATIENT, *hidden):
        assert text not in first.error_message
    return first


TAKEN = [
    (HEADER.encode() + row(1) + b"\n" + row(2) + b"\n", [1, 2]),
    (HEADER.encode() + row(1) + b"\n" + row(2), [1, 2]),
    (HEADER.replace("\n", "\r\n").encode() + row(1) + b"\r\n" + row(2) + b"\r\n", [1, 2]),
    (b"\xef\xbb\xbf" + HEADER.encode() + row(1) + b"\n" + row(2), [1, 2]),
    (b"\n\n" + HEADER.encode() + b"\r\n" + row(1) + b"\n \n\n" + row(2) + b"\n\n", [4, 7]),
    (HEADER.encode() + row(1, user_id='a "b", c\nd\r\n') + b"\n" + row(2), [1, 4]),
    (HEADER.encode() + row(1, properties='{\n"a":\n1}') + b"\n" + row(2), [1, 4]),
]


@pytest.mark.parametrize(("content", "numbers"), TAKEN)
def test_forms_of_csv_are_taken(opened, content, numbers):
    """Line ends, marks, blank lines and breaks: each event stands at the line it begins on."""
    archive = opened("a.csv", content)
    assert examine(archive) == Examined(0, len(numbers))
    assert {line: one["event_id"] for line, one in lines_of(archive).items()} == {
        line: event_id(number) for number, line in enumerate(numbers, 1)
    }


def test_columns_may_stand_in_any_order(opened):
    """Their names tell which is which."""
    columns = ("properties", "event_type", "event_id", "user_id", "occurred_at")
    archive = opened("a.csv", as_csv([event(1)], columns))
    assert lines_of(archive) == lines_of(opened("b.csv", as_csv([event(1)])))


HEADERS = [
    ("event_id,occurred_at,user,event_type,properties,A", "missing: user_id; extra: 'user', 'A'"),
    ("event_id,occurred_at,user_id,event_type,properties,event_id", "more than once: event_id"),
    ("Event_ID,occurred_at,user_id,event_type,properties", "missing: event_id; extra: 'Event_ID'"),
    (f"event_id,{PATIENT}@example.org", "extra: one whose name is not shown"),
    (f"{event_id(1)},2025-01-06 09:00:00,{PATIENT},opened,", "the first line has to name"),
    (HEADER.strip().replace(",", ";"), "a semicolon is between the cells"),
    (HEADER.strip().replace(",", "\t"), "a tabulator is between the cells"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "why"), HEADERS)
def test_wrong_columns_are_named(opened, header, why):
    """Missing and extra ones; but not what stands in place of names."""
    error = refusal(opened("a.csv", header.encode() + b"\n" + row(1), 9))
    assert (error.reason, error.failed_line) == ("wrong_columns", 0)
    assert why in error.error_message


BAD_ROWS = [
    (row(event_id=PATIENT), "invalid_value", "column event_id is no uuid"),
    (row(event_id=""), "invalid_value", "column event_id is empty"),
    (row(event_id=event_id(1) + "0"), "invalid_value", "column event_id is no uuid"),
    (row(occurred_at=PATIENT), "invalid_value", "column occurred_at is no time"),
    (row(occurred_at=""), "invalid_value", "column occurred_at is empty"),
    (row(occurred_at="2025-01-06"), "invalid_value", "column occurred_at is no time"),
    (row(occurred_at="1736154000"), "invalid_value", "column occurred_at is no time"),
    (row(occurred_at="2025-02-30 09:00:00"), "invalid_value", "a time that does not exist"),
    (row(occurred_at="0001-01-01 00:00+14"), "invalid_value", "a time that does not exist"),
    (row(occurred_at="2025-01-06 09:00:00.1234567"), "invalid_value", "more digits"),
    (row(event_type=" "), "invalid_value", "column event_type is empty"),
    (row(user_id=f"{PATIENT}\0"), "invalid_value", "column user_id holds \\u0000"),
    (row(properties=f'{{"a": {PATIENT}}}'), "invalid_value", "column properties: malformed JSON"),
    (row(properties=f'["{PATIENT}"]'), "invalid_value", "column properties: no JSON object"),
    (row(properties='{"a": NaN}'), "invalid_value", "column properties: malformed JSON"),
    (row().partition(b',"{')[0], "ragged_row", "4 cells, where the first line names 5"),
    (row() + b"," + PATIENT.encode(), "ragged_row", "6 cells, where the first line names 5"),
    (row(user_id="\xe9").decode().encode("latin-1"), "unreadable_line", "column user_id: no valid"),
    (row() + b"x" + PATIENT.encode(), "unreadable_line", "stands behind a closing quote"),
    (row(user_id="a,b") + b"\rc", "unreadable_line", "a carriage return within the line"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "reason", "why"), BAD_ROWS)
def test_a_bad_row_is_told_by_line_and_column(opened, bad, reason, why):
    """As the first of the file or behind others; with max_rejected it is kept, with its text."""
    content = HEADER.encode() + row(2) + b"\n\n" + bad + b"\n" + row(3) + b"\n"
    error = refusal(opened("a.csv", content))
    assert (error.reason, error.failed_line, error.last_successful_line) == (reason, 3, 2)
    assert why in error.error_message
    assert error.findings == {reason: 1}
    archive = opened("a.csv", content, 1)
    assert examine(archive) == Examined(1, 2)
    lines = lines_of(archive)
    assert [line for line, one in lines.items() if "event_id" in one] == [1, 4]
    assert why in lines[3]["rejected_reason"]
    sent = bad.decode(errors="replace").replace("\0", "\ufffd")
    assert lines[3]["rejected_record"] == sent


@pytest.mark.parametrize(
    "bad",
    [
        row(1)[:-1] + b"\n" + row(2) + b"\n" + row(3),  # the last quote is missing
        row(3)[:-1],
        b'a,b,"c,opened,\n' + b'a,b,c",opened,{},a',
    ],
)
def test_an_open_quote_stops_the_file_whatever_is_allowed(opened, bad):
    """One rejected record must not hide those that it has swallowed."""
    error = refusal(opened("a.csv", HEADER.encode() + bad + b"\n", 100))
    assert (error.reason, error.failed_line) == ("unreadable_line", 1)
    assert "a quote is left open" in error.error_message


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv", (HEADER + PATIENT).encode("utf-16"), "it is UTF-16"),
        ("a.csv", packed(b"x", "gz"), "packed with gzip"),
        ("a.csv", packed(b"x", "zip"), "a workbook"),
        ("a.ndjson", as_parquet([event(1)]), "it is Parquet"),
        ("a.csv.gz", b"x" * 100, "no gzip file"),
        ("a.csv.zip", b"x" * 100, "no zip archive"),
        ("a.parquet", b"x" * 100, "no Parquet file"),
        ("a.parquet", as_parquet([event(1)])[:-20], "no Parquet file"),
        ("a.parquet.gz", packed(b"", "gz"), "no Parquet file"),
    ],
)
def test_a_file_of_another_kind_is_told(opened, name, content, why):
    """What it is, or that it is damaged."""
    with pytest.raises(Interrupted, match=why) as caught:
        examine(opened(name, content))
    assert caught.value.reason == "unreadable_file"
    assert PATIENT not in str(caught.value)


BAD_OBJECTS = [
    ({"event_id": event_id(1)}, "wrong_columns", "missing: occurred_at, event_type"),
    (event(1) | {"city": PATIENT}, "wrong_columns", "extra: 'city'"),
    (event(1, event_id=5), "invalid_value", "column event_id is no uuid"),
    (event(1, occurred_at=1736154000), "invalid_value", "column occurred_at is no time"),
    (event(1, user_id=[PATIENT]), "invalid_value", "column user_id is no text"),
    (event(1, user_id="\ud800"), "invalid_value", "column user_id holds half a surrogate pair"),
    (event(1, properties=[PATIENT]), "invalid_value", "column properties: no JSON object"),
    ([1], "unreadable_line", "no JSON object"),
]


@pytest.mark.parametrize(("bad", "reason", "why"), BAD_OBJECTS)
def test_a_bad_object_is_told_by_line_and_column(opened, bad, reason, why):
    """As a bad row of CSV is."""
    content = b"\xef\xbb\xbf" + as_ndjson([event(2)]) + b"\r\n" + json.dumps(bad).encode()
    error = refusal(opened("a.ndjson", content))
    assert (error.reason, error.failed_line) == (reason, 2)
    assert why in error.error_message
    assert list(lines_of(opened("a.jsonl", content, 1))) == [0, 2]


@pytest.mark.parametrize("bad", [b'{"a": "' + PATIENT.encode(), b'{"a": "\xff"}', b"{}{}"])
def test_a_line_that_is_no_json_is_told(opened, bad):
    """With the position, and not with its text."""
    error = refusal(opened("a.ndjson", as_ndjson([event(2)]) + bad))
    assert (error.reason, error.failed_line) == ("unreadable_line", 1)


def test_what_an_object_may_leave_out(opened):
    """user_id and properties; a number is a user's text, a text of JSON is properties."""
    some = {name: event(1)[name] for name in ("event_id", "occurred_at", "event_type")}
    content = b"".join(
        json.dumps(some | more).encode() + b"\n"
        for more in ({}, {"user_id": 17, "properties": "{}"})
    )
    found = lines_of(opened("a.json", content))
    assert [(one["user_id"], one["properties"]) for one in found.values()] == [
        (None, None),
        ("17", {}),
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Moscow"])
def test_parquet_s_own_types_are_taken(opened, unit, zone):
    """Timestamps are moments, uuids ids, numbers users, dictionaries texts; nulls are none."""
    moment = pa.array([datetime(2025, 1, 6, 9)], pa.timestamp(unit, zone))
    table = pa.table({
        "event_id": pa.array([uuid.UUID(event_id(1))], pa.uuid()),
        "occurred_at": moment,
        "user_id": pa.array([17]),
        "event_type": pa.array(["opened"]).dictionary_encode(),
        "properties": pa.array([None], pa.null()),
    })  # fmt: skip
    file = io.BytesIO()
    pq.write_table(table, file)
    archive = opened("a.parquet", file.getvalue())
    assert examine(archive).taken_as_utc == (1 if zone is None else 0)
    assert lines_of(archive) == {
        0: {
            "event_id": event_id(1),
            "occurred_at": "2025-01-06 09:00:00.000000",
            "user_id": "17",
            "event_type": "opened",
            "properties": None,
        }
    }


def test_another_type_or_column_of_parquet_is_told(opened):
    """By its name; a bad row by its number."""
    rows = [event(number) for number in range(10_000)]
    rows[9000]["occurred_at"] = PATIENT
    error = refusal(opened("a.parquet", as_parquet(rows, row_group_size=999)))
    assert (error.failed_line, error.reason) == (9000, "invalid_value")
    for column, values, why in (
        ("properties", [{"name": PATIENT}], "column properties is of type struct, not a text with"),
        ("event_id", [1], "column event_id is of type int64, not a text or uuid"),
        ("more", [1], "extra: 'more'"),
    ):
        columns = {name: [value] for name, value in event(1).items()} | {column: values}
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file)
        error = refusal(opened("a.parquet", file.getvalue(), 9))
        assert error.reason == "wrong_columns"
        assert why in error.error_message


TIMES = {
    "2025-01-06 09:05:01": "2025-01-06 09:05:01.000000",
    "2025-01-06T09:05": "2025-01-06 09:05:00.000000",
    "2025-01-06T09:05:01.25Z": "2025-01-06 09:05:01.250000",
    "2025-01-06 09:05:01.123456000": "2025-01-06 09:05:01.123456",
    "2025-01-06 09:05:01 UTC": "2025-01-06 09:05:01.000000",
    "2025-01-01 01:05:01+03:00": "2024-12-31 22:05:01.000000",
    "2025-01-06 09:05:01-0330": "2025-01-06 12:35:01.000000",
    "0999-01-06 09:05:01+01": "0999-01-06 08:05:01.000000",
}


@pytest.mark.parametrize("sent", TIMES)
def test_times_are_utc(opened, sent):
    """Without a zone they are UTC already, and that is told."""
    archive = opened("a.csv", as_csv([event(1, occurred_at=sent)]))
    (found,) = lines_of(archive).values()
    assert found["occurred_at"] == TIMES[sent]
    has_zone = re.search(r":[0-9.]+ ?(Z|UTC|[+-].+)$", sent)
    assert examine(archive).taken_as_utc == (0 if has_zone else 1)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/data/May 2025.CSV.gz", "import/May_2025-0123456789abcdef.csv.gz"),
        ("события.ndjson", "import/события-0123456789abcdef.ndjson"),
        ("..csv", "import/events-0123456789abcdef.csv"),
        ("a.b.zip", "import/a.b-0123456789abcdef.zip"),
        ("a.txt", None),
        ("a.gz", None),
        (".csv", None),
        ("a.csv.max_rejected", None),
    ],
)
def test_a_key_bears_name_and_content(path, key):
    """Plain letters of the name, a beginning of the checksum, and the ends."""
    name = parse_file_name(path)
    assert (None if name is None else name.key("0123456789abcdef" * 4)) == key


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_text_comes_through_every_format(tmp_path_factory, data):
    """Whatever a user or type is called: CSV, NDJSON and Parquet say the same of it."""
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
    sent = [
        event(
            number,
            user_id=data.draw(text.filter(str.strip)),
            event_type=data.draw(text.filter(str.strip)),
            properties=json.dumps({data.draw(text): data.draw(text)}, ensure_ascii=False),
        )
        for number in range(data.draw(st.integers(1, 4)))
    ]
    folder = tmp_path_factory.mktemp("any")
    found = []
    for form, content in (("csv", as_csv(sent, quoting=csv.QUOTE_ALL)), ("ndjson", as_ndjson(sent)),
                          ("parquet", as_parquet(sent))):  # fmt: skip
        path = folder / f"{time.monotonic_ns()}.{form}"
        path.write_bytes(content)
        bucket, version = open_local(path)
        archive = open_events(bucket, str(path), version, 0)
        assert examine(archive).rejected == 0
        found.append(list(lines_of(archive).values()))
    assert found[0] == found[1] == found[2]
    assert [(one["user_id"], one["event_type"]) for one in found[0]] == [
        (one["user_id"], one["event_type"]) for one in sent
    ]

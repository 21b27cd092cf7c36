"""Everything that is wrong with rows is told by row and column, and nothing of them is put in."""

import json

import pyarrow as pa
import pytest
from bucket_contents import keys_in
from raw_loads import query
from rows_put_in import as_csv, as_ndjson, as_parquet, event, rows_in_raw, uuid_of

from flows.direct_rows.contracts import TABLES, contract_of
from flows.errors import BadRequest, Interrupted, RowFinding, RowsRefused
from flows.load_rows import put_in_rows

#: A value that no message may hold.
VALUE = "Zkqwiatkowska"


def refused(table, *arguments, **given):
    """The error of rows that must be refused; nobody is told a value of theirs."""
    with pytest.raises(RowsRefused) as caught:
        put_in_rows(table, *arguments, **given)
    assert VALUE not in str(caught.value) + repr(vars(caught.value))
    return caught.value


def findings(table, *arguments, **given):
    return [(one.row, one.column, one.why) for one in refused(table, *arguments, **given).findings]


def test_all_findings_are_listed_and_nothing_is_written(url, bucket):
    """Unknown columns, missing ones, wrong types, values out of range: each with its row."""
    rows = [
        event(0),
        event(1, session_id=VALUE, app=2**63, client_event_time=VALUE),
        {"event_type": None, "load_id": 7, "evnt_type": VALUE},
        [VALUE],
        event(4, event_type=" ", uuid=VALUE, source="amplitude_web"),
        event(5, user_id=17, event_time="2025-02-30 10:00"),
        event(6, session_id=True, app=1.5),
        {"app": float("nan"), "appp": {1, 2}},
        {VALUE: 1},
    ]
    error = refused("events_part", rows)
    assert [(one.row, one.column) for one in error.findings] == [
        (1, "session_id"), (1, "app"), (1, "client_event_time"),
        (2, "load_id"), (2, "evnt_type"), (2, "event_type"),
        (3, None),
        (4, "uuid"), (4, "source"), (4, "event_type"),
        (5, "user_id"), (5, "event_time"),
        (6, "session_id"), (6, "app"),
        (7, "appp"), (7, "app"), (7, "event_type"),
        (8, "(a name that is not shown)"), (8, "event_type"),
    ]  # fmt: skip
    assert str(error).splitlines()[:3] == [
        "19 findings in rows for events_part, none is put in",
        "row 1: session_id is no whole number",
        "row 1: app is beyond the numbers of bigint",
    ]
    assert keys_in(bucket) == []
    assert query(url, "select to_regclass('raw.direct_rows')") == [(None,)]


def test_findings_are_counted_beyond_those_that_are_kept(url, bucket):
    """The text shows twenty, the error keeps ten thousand, the count is exact."""
    error = refused("events_part", [{"user_id": VALUE}] * 10_001)
    assert (error.count, len(error.findings)) == (10_001, 10_000)
    assert error.findings[-1] == RowFinding(9999, "event_type", "is missing")
    assert len(str(error).splitlines()) == 22
    assert str(error).endswith("and 9,981 more")


@pytest.mark.parametrize(
    ("table", "row", "column", "why"),
    [
        ("user_locations", {"latitude": 90.01}, "latitude", "lies outside of -90 to 90"),
        ("user_locations", {"longitude": "-180.5"}, "longitude", "lies outside of -180 to 180"),
        ("user_locations", {"latitude": "NaN"}, "latitude", "is no number"),
        ("user_locations", {"latitude": float("nan")}, "latitude", "is nothing that JSON can say"),
        ("user_locations", {"latitude": "1e999"}, "latitude", "is beyond the numbers of double"),
        ("user_locations", {"user_id": "u"}, None, "says none of latitude"),
        ("technical_data", {"device_id": "d"}, None, "says none of adid"),
        ("technical_data", {"os_name": "a\0b"}, "os_name", "holds \\u0000"),
        ("technical_data", {"os_name": "\ud800"}, "os_name", "holds half a surrogate pair"),
        ("mobile_devices", {"device_id": ""}, "device_id", "is missing"),
        ("mobile_devices", {"device_id": "d", "last_seen_at": "2025-01-06"}, "last_seen_at",
            "is worked out and cannot be given; give event_time"),
        ("mobile_devices", {"device_id": "d", "installed_at": None}, "installed_at", "is worked"),
        ("tmp_event_properties", {"event_properties": []}, "event_properties", "is no JSON object"),
        ("tmp_event_properties", {"event_properties": {}}, "event_properties", "is empty"),
        ("tmp_event_properties", {"event_properties": "{"}, "event_properties", "malformed JSON"),
        ("tmp_event_properties", {"event_properties": {"a": "\0"}}, "event_properties", "\\u0000"),
        ("tmp_event_properties", {"event_properties": '{"a": 1e999}'}, "event_properties",
            "holds what jsonb cannot"),
        ("tmp_user_properties", {"uuid": uuid_of(1)}, "user_properties", "is missing"),
        ("tmp_user_properties", {"user_properties": {"a": 1}, "migrated": True}, "migrated",
            "is worked out"),
        ("permanent_user_properties", {"gender": "f"}, "ehr_id", "is missing"),
        ("permanent_user_properties", {"ehr_id": " "}, "ehr_id", "is missing"),
        ("permanent_user_properties", {"ehr_id": "1", "sex": "f"}, "sex", "is unknown; columns"),
        ("permanent_user_properties", {"ehr_id": "1", "birth_date": "01/02/2024"}, "birth_date",
            "is no date"),
        ("permanent_user_properties", {"ehr_id": "1", "birth_date": "2023-02-29"}, "birth_date",
            "does not exist"),
        ("permanent_user_properties", {"ehr_id": "1", "first_clinic_id": 2**31}, "first_clinic_id",
            "is beyond the numbers of integer"),
        ("permanent_user_properties", {"ehr_id": "1", "enrolled_at": "now"}, "enrolled_at",
            "is no time"),
        ("events_part", {"event_type": "a", "event_time": "2025-01-06 24:00"}, "event_time",
            "is no time"),
        ("events_part", {"event_type": "a", "event_time": "2025-01-06 10:00:00.0000001"},
            "event_time", "has more digits than microseconds"),
        ("events_part", {"event_type": "a", "event_time": "9999-12-31 23:59-01"}, "event_time",
            "does not exist"),
        ("events_part", {"event_type": "a", "event_time": 1736150000}, "event_time", "is no time"),
    ],
)  # fmt: skip
def test_a_value_that_no_column_takes_is_named(url, bucket, table, row, column, why):
    """As PostgreSQL would refuse it, or take it for something else."""
    (found,) = findings(table, [row])
    assert found[:2] == (0, column)
    assert why in found[2]


@pytest.mark.parametrize(
    ("table", "row", "kept"),
    [
        ("events_part", {"event_type": "a", "session_id": "-1.0", "source": "direct"},
            {"session_id": -1, "event_type": "a"}),
        ("events_part", {"event_type": "ä\n", "client_event_time": "2025-01-06T12:00+03"},
            {"event_type": "ä\n", "client_event_time": "2025-01-06 09:00:00.000000+00"}),
        ("user_locations", {"latitude": -90, "longitude": "180"},
            {"latitude": -90.0, "longitude": 180.0}),
        ("permanent_user_properties", {"ehr_id": 17, "birth_date": "2024-02-29T00:00Z"},
            {"ehr_id": "17", "birth_date": "2024-02-29"}),
        ("permanent_user_properties", {"ehr_id": "P", "enrolled_at": "2025-01-06"},
            {"ehr_id": "P", "enrolled_at": "2025-01-06 00:00:00.000000+00"}),
    ],
)  # fmt: skip
def test_a_value_has_one_form_whatever_it_came_as(url, bucket, table, row, kept):
    """So that equal rows are equal."""
    put_in_rows(table, [row])
    assert [json.loads(line[4]) for line in rows_in_raw(url)] == [kept]


def test_nested_values_stand_as_they_were_sent(url, bucket, file):
    """Only blanks between their parts go; numbers keep their digits."""
    sent = '{"b" : 1.50,\r\n"a":[1, 2], "a":\t"\\u00e4"}'
    row = {"event_properties": sent}
    put_in_rows("tmp_event_properties", path=file("a.csv", as_csv([row])))
    put_in_rows(
        "tmp_event_properties", path=file("a.json", f'[{{"event_properties":{sent}}}]'.encode())
    )
    ((*_, values),) = rows_in_raw(url)
    assert values == '{"event_properties":{"b":1.50,"a":[1,2],"a":"\\u00e4"}}'


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"event_type,user_id\na,b,c\n", "row 0: has 3 cells, where the first"),
        ("a.csv", b"event_type\n\xff\n", "row 0: event_type is no valid UTF-8"),
        ("a.csv", b"event_type,evnt\na,b\n", "the columns: evnt is unknown"),
        ("a.csv", b"user_id\nb\n", "the columns: event_type is missing"),
        ("a.csv", b"event_type,event_type\nb,c\n", "the columns: a column is named twice"),
        ("a.csv", VALUE.encode() + b",b\nb,c\n", "the columns: the first line has to name"),
        ("a.ndjson", b"[1]\n{}\n", "row 0: no JSON object\nrow 1: event_type is missing"),
        ("a.ndjson", b'{"event_type": "a"}\nnonsense\n', "row 1: no JSON object"),
        ("a.ndjson", b'{"event_type": "' + VALUE.encode() + b'\xff"}\n', "row 0: no valid UTF-8"),
    ],
)  # fmt: skip
def test_a_file_s_bad_rows_are_findings(url, bucket, file, name, content, why):
    """With the number of the row, behind the names of the columns."""
    assert why in str(refused("events_part", path=file(name, content)))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b'event_type\n"open\nb\n', "line 1 .*a quote is left open"),
        ("a.csv", "event_type\na\n".encode("utf-16"), "it is UTF-16"),
        ("a.json", b'{"event_type": "a"}', r"stands where \[ must"),
        ("a.json", b'[{"event_type": "a"}', "its end stands where"),
        ("a.json", b'[{"event_type": "a"}] x', "more behind the end"),
        ("a.json", b'[{"event_type": NaN}]', "a row is cut or damaged"),
        ("a.parquet", b"PAR1 nonsense", "no Parquet file"),
        ("a.parquet", as_parquet([event(1)])[:-9], "no Parquet file"),
        ("a.csv.gz", b"event_type\na\n", "no gzip file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused(url, bucket, file, name, content, why):
    """Cut, damaged or of another kind: nothing is put in."""
    with pytest.raises(Interrupted, match=why):
        put_in_rows("events_part", path=file(name, content))
    assert keys_in(bucket) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "give data, path"),
        ({"data": [{}], "path": "a.csv"}, "one of them"),
        ({"data": []}, "there is no row to put into events_part"),
        ({"data": "event"}, "has to be a list"),
        ({"data": {"event_type": "a"}}, "has to be a list"),
        ({"data": [{}], "format": "csv"}, "format is of a file"),
        ({"path": "/nowhere/a.csv"}, "there is no file /nowhere/a.csv"),
        ({"key": "a.csv"}, "there is no object 'a.csv'"),
        ({"path": __file__}, "does not tell its format"),
        ({"path": __file__, "format": "xml"}, "unknown format 'xml'; known are ndjson, json, csv"),
        ({"table": "sessions", "data": [{}]}, "no rows can be put into 'sessions'"),
    ],
)
def test_bad_arguments_are_told(url, bucket, arguments, why):
    """Nothing is read or written, and the sentence says what to change."""
    with pytest.raises(BadRequest, match=why):
        put_in_rows(**({"table": "events_part"} | arguments))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("a.csv", b"event_type\n\n"), ("a.ndjson", b"\n \n"), ("a.json", b" [ ] "),
     ("a.parquet", as_parquet([event(1)][:0]))],
)  # fmt: skip
def test_a_file_without_a_row_is_an_error(url, bucket, file, name, content):
    """An export that came out empty is noticed."""
    with pytest.raises(BadRequest, match="there is no row"):
        put_in_rows("events_part", path=file(name, content))


def test_parquet_s_own_types_are_taken(url, bucket, file):
    """Timestamps, numbers, uuids, structs and nulls."""
    when = pa.array([1_736_150_000_123_456, None], pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "uuid": pa.array([bytes(15) + b"\1", None], pa.binary(16)),
            "event_time": when,
            "event_type": pa.array(["a", "b"]).dictionary_encode(),
            "event_properties": [{"n": 1, "at": [1.5]}, {"n": 2, "at": None}],
        }
    )
    import io

    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(table, written)
    result = put_in_rows("tmp_event_properties", path=file("a.parquet", written.getvalue()))
    assert result.inserted_ids[0] == uuid_of(1)
    first, second = rows_in_raw(url)
    assert first[3] == "2025-01-06 07:53:20.123456+00"
    assert json.loads(second[4])["event_properties"] == {"n": 2, "at": None}


def test_contracts_are_those_of_the_properties_files():
    """Every column of a table is to be given, worked out or the source; times of devices, too."""
    for table in TABLES:
        contract = contract_of(table)
        assert {"uuid", "event_time", "source"} <= contract.columns.keys()
        assert not contract.columns.keys() & contract.worked_out
        assert set(contract.required) <= contract.columns.keys()
    assert contract_of("user_locations").columns["latitude"].most == 90
    assert "gender" in contract_of("permanent_user_properties").columns


def test_a_long_row_beyond_the_limit_is_refused(url, bucket, file, monkeypatch):
    """DWH_LINE_MAX_BYTES bounds the memory that a row may need."""
    monkeypatch.setenv("DWH_LINE_MAX_BYTES", str(1024 * 1024))
    rows = [event(0), event(1, user_id="x" * 4_000_000)]
    for name, content in (("a.ndjson", as_ndjson(rows)), ("a.csv", as_csv(rows))):
        with pytest.raises(Interrupted, match="longer than"):
            put_in_rows("events_part", path=file(name, content))

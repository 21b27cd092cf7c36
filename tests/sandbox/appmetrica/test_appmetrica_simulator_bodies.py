"""A body has the vendor's own form, as JSON or CSV, whole or in parts."""

import gzip

import httpx
import pytest
from appmetrica_requests import MONDAY, NOON, get, named, names_of, rows_of, texts_of, wait

from flows.errors import BadRequest
from flows.sandbox.appmetrica import AppMetricaSimulator, Limits, texts
from flows.sandbox.appmetrica.hostile import hostile_rows


def test_json_is_a_row_a_line_of_texts(vendor: AppMetricaSimulator) -> None:
    """The layout of the real answer, byte for byte: all values are strings, "" where missing."""
    vendor.add_rows(
        "events",
        [
            {
                "event_json": '{"Место": "ДОМ", "a": [1, {"b": "\\""}]}',
                "event_timestamp": NOON,
                "mcc": 250,
                "appmetrica_device_id": 2**64 - 1,
                "session_id": None,
            }
        ],
    )
    fields = "mcc,event_json,appmetrica_device_id,session_id,city,application_id,event_datetime"
    assert wait(vendor, fields=fields).content.decode() == (
        '{\n"data" :\n[\n{"mcc":"250",'
        '"event_json":"{\\"Место\\": \\"ДОМ\\", \\"a\\": [1, {\\"b\\": \\"\\\\\\"\\"}]}"'
        ',"appmetrica_device_id":"18446744073709551615","session_id":"","city":""'
        ',"application_id":"4051234","event_datetime":"2025-01-06 12:00:00"}\n'
        "]\n}"
    )


def test_csv_is_quoted_and_ends_without_a_newline(vendor: AppMetricaSimulator) -> None:
    """LF, RFC 4180 quotes, cells of several lines; the header alone where nothing is."""
    answer = wait(vendor, form="csv", fields="event_name,event_json,mcc")
    assert answer.content == b"event_name,event_json,mcc\n"
    row = {"event_name": "a,b", "event_json": '{"a": "ж"}\nlast', "event_timestamp": NOON}
    vendor.add_rows("events", [row])
    vendor.limits = Limits(steps=0)
    answer = get(vendor, form="csv", fields="event_name,event_json,mcc", limit=9)
    assert answer.content.decode() == ('event_name,event_json,mcc\n"a,b","{""a"": ""ж""}\nlast",')


def test_an_empty_json_is_an_empty_list(vendor: AppMetricaSimulator) -> None:
    """No rows are no error."""
    assert wait(vendor).json() == {"data": []}


def test_a_field_asked_twice_comes_twice(vendor: AppMetricaSimulator) -> None:
    """Duplicate keys of a row, as the real service sends them."""
    vendor.add_rows("events", named("a"))
    assert (
        b'{"event_name":"a","event_name":"a"}'
        in wait(vendor, fields="event_name,event_name").content
    )


def test_a_bom_comes_if_asked_for(vendor: AppMetricaSimulator) -> None:
    """Only with use_utf8_bom=true."""
    vendor.limits = Limits(steps=0)
    bodies = [
        get(vendor, form="csv", use_utf8_bom=wish).content for wish in (None, "false", "true")
    ]
    assert bodies == [b"event_name\n", b"event_name\n", b"\xef\xbb\xbfevent_name\n"]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_body_is_gzipped_if_asked_for(vendor: AppMetricaSimulator, form: str) -> None:
    """The same bytes with Accept-Encoding: gzip as without."""
    vendor.add_rows("events", named(*map(str, range(500))))
    plain = wait(vendor, form=form, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    headers = dict(plain.request.headers) | {"accept-encoding": "gzip"}
    with httpx.stream("GET", plain.url, headers=headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content


def test_rows_come_in_no_order(vendor: AppMetricaSimulator) -> None:
    """Neither as they came nor as another export of the same rows gives them."""
    vendor.add_rows("events", named(*(f"{number:04d}" for number in range(3000))))
    vendor.limits = Limits(steps=0)
    first, second = (
        [row["event_name"] for row in rows_of(get(vendor, limit=limit))] for limit in (3000, 4000)
    )
    assert sorted(first) == sorted(second) == [f"{number:04d}" for number in range(3000)]
    assert first != sorted(first)
    assert first != second


def test_filters_and_limit(vendor: AppMetricaSimulator) -> None:
    """<field>=<value> keeps equal rows only, all of several; limit cuts."""
    vendor.add_rows("events", named("a", "a", "b"))
    vendor.limits = Limits(steps=0)
    assert names_of(get(vendor, event_name="a")) == ["a", "a"]
    assert names_of(get(vendor, event_name="a", mcc="250")) == []
    assert len(rows_of(get(vendor, limit=2))) == 2


def test_bare_values_travel_as_they_are(vendor: AppMetricaSimulator) -> None:
    """One page of the vendor shows numbers and nested values: rows can be sent so."""
    row = {"ecom_product_payload": {"full_screen": True}, "ecom_product_sku": 12}
    vendor.add_rows("ecommerce_events", [row | {"event_timestamp": NOON}], bare=True)
    assert rows_of(wait(vendor, "ecommerce_events", fields=",".join(row))) == [row]


def test_hostile_texts_arrive_whole(vendor: AppMetricaSimulator) -> None:
    """NUL, half surrogate pairs, what looks like the body's end: all are in the JSON as given."""
    rows = list(hostile_rows(MONDAY))
    vendor.add_rows("events", rows)
    found = rows_of(wait(vendor, fields="event_name,event_json"))
    assert {row["event_name"]: row["event_json"] for row in found} == {
        row["event_name"]: row["event_json"] for row in rows
    }
    lines = wait(vendor, fields="event_name,event_json").content.split(b"\n")
    assert len(lines) == len(rows) + 5


def test_a_row_of_another_table_is_refused(vendor: AppMetricaSimulator) -> None:
    """add_rows names a table or a field that there is not."""
    with pytest.raises(BadRequest, match="users"):
        vendor.add_rows("users", [])
    with pytest.raises(BadRequest, match="click_id"):
        vendor.add_rows("events", [{"click_id": "x"}])


def test_too_many_rows_want_more_parts(vendor: AppMetricaSimulator) -> None:
    """Above the cap comes the text that asks for parts; all parts together are the whole."""
    names = [f"{number:02d}" for number in range(60)]
    vendor.add_rows("events", named(*names))
    vendor.limits = Limits(max_rows=20)
    answers = [get(vendor) for _ in range(4)]
    assert texts_of(answers) == [texts.ADDED, texts.progress(50), 400, 400]
    assert "Try to use more parts." in answers[2].text
    assert wait(vendor, parts_count=2, part_number=0).status_code == 400
    parts = [wait(vendor, parts_count=4, part_number=part) for part in range(4)]
    assert sorted(name for part in parts for name in names_of(part)) == names


def test_each_part_of_a_csv_has_the_header(vendor: AppMetricaSimulator) -> None:
    """Parts must not be glued as bytes."""
    vendor.add_rows("events", named("a", "b"))
    parts = [wait(vendor, form="csv", parts_count=2, part_number=part) for part in (0, 1)]
    assert [part.text.splitlines()[0] for part in parts] == ["event_name"] * 2

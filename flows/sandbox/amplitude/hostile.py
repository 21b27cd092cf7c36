r"""Rows as ugly as the vendor's documents and other people's exports allow, each with a name.

All are well-formed JSON objects with an upload time; others come from the fault "malformed".
A strict build must stop at several of them, so they are never part of the demo's own data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flows.sandbox.amplitude.clock import vendor_text
from flows.sandbox.amplitude.fields import OLD_KEYS, Row
from flows.sandbox.amplitude.projects import PROJECT_IDS
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.amplitude.store import encode_row

#: Larger than what a double holds exactly, and than what bigint holds.
_PAST_DOUBLE = 2**53 + 1
_PAST_BIGINT = 2**63
_LONG_TEXT = "🦿ä" * 50_000
_PATIENT = {"ehr_id": "EHR-HOSTILE"}


@dataclass(frozen=True, slots=True)
class HostileLine:
    """One ugly line; name says what is ugly about it."""

    name: str
    line: bytes


def hostile_lines(project: str, day: date) -> Iterator[HostileLine]:
    """About forty ugly lines uploaded one minute after another on a day."""
    moment = datetime.combine(day, time(10), UTC)
    for name, columns in _COLUMNS.items():
        moment += timedelta(minutes=1)
        yield HostileLine(name, encode_row(_row(project, moment, columns)))
    for name, change in _TEXT_CHANGES.items():
        moment += timedelta(minutes=1)
        row = _row(project, moment, {"event_properties": {"note": "HERE"}})
        yield HostileLine(name, encode_row(row).replace(*change))
    moment += timedelta(minutes=1)
    yield HostileLine("event_time_30_days_ago", encode_row(_late(project, moment)))
    twin = _row(project, moment, {"event_type": "accepted twice"})
    yield HostileLine("first_of_two", encode_row(twin))
    again = twin | {"server_upload_time": vendor_text(moment + timedelta(hours=2))}
    again["uuid"] = "7d0f7a1c-3a3c-4f6a-9d55-0c7a2c9d2f11"
    yield HostileLine("same_event_with_new_uuid", encode_row(again))
    old = _row(project, moment, {"$schema": 12})
    old_row = {key: old[key] for key in OLD_KEYS} | {"reference_time": vendor_text(moment)}
    yield HostileLine("old_row_with_reference_time", encode_row(old_row))


def _row(project: str, moment: datetime, columns: dict[str, Any]) -> Row:
    return make_event(
        moment, **{"app": PROJECT_IDS[project], "platform": _PLATFORM[project]} | columns
    )


def _late(project: str, moment: datetime) -> Row:
    occurred = vendor_text(moment - timedelta(days=30))
    return _row(
        project,
        moment,
        {"event_time": occurred, "client_event_time": occurred, "user_properties": _PATIENT},
    )


_PLATFORM = {"web": "Web", "mobile": "iOS"}

#: name -> the columns that make a row ugly.
_COLUMNS: dict[str, dict[str, Any]] = {
    "nul_in_event_property": {"event_properties": {"note": "a\0b", "k\0ey": 1}},
    "nul_in_user_property": {"user_properties": _PATIENT | {"city": "Ber\0lin"}},
    "nul_in_text_column": {"event_type": "tap\0tap"},
    "integer_past_double": {"event_properties": {"id": _PAST_DOUBLE}, "session_id": _PAST_DOUBLE},
    "integer_past_bigint": {"event_properties": {"id": 2**64 - 1}, "amplitude_id": _PAST_BIGINT},
    "long_text_in_property": {"event_properties": {"note": _LONG_TEXT}},
    "long_text_in_column": {"event_type": _LONG_TEXT},
    "long_key": {"event_properties": {_LONG_TEXT[:4000]: True}},
    "unknown_top_level_key": {"ingestion_region": "eu-1", "Platform": {"name": "x"}},
    "number_for_text": {"os_version": 17.4, "version_name": 5, "user_id": 1234567},
    "text_for_number": {"event_id": "one", "location_lat": "north", "$schema": "13"},
    "number_text_for_number": {"event_id": "17", "location_lng": "23.5"},
    "text_for_boolean": {"paying": "(none)", "is_attribution_event": "true"},
    "fraction_for_integer": {"event_id": 1.5, "session_id": 1.0},
    "object_for_text": {"city": {"name": "Sofia"}, "device_type": ["Mac"]},
    "text_for_object": {"event_properties": "none", "groups": [], "data": None},
    "text_for_time": {"client_event_time": "yesterday", "processed_time": ""},
    "impossible_time": {"event_time": "2025-02-30 10:00:00.000000"},
    "iso_time": {"client_event_time": "2025-01-06T10:00:00.5+02:00"},
    "no_event_time": {"event_time": None},
    "no_uuid": {"uuid": None},
    "uuid_that_is_none": {"uuid": "not-a-uuid"},
    "case_twins": {"user_properties": _PATIENT | {"city": "Sofia", "City": "София"}},
    "unknown_user_property": {"user_properties": _PATIENT | {"favourite_colour": "grün"}},
    "nested_user_property": {"user_properties": _PATIENT | {"city": {"name": "Sofia"}}},
    "array_user_property": {"user_properties": _PATIENT | {"language": ["de", "en"]}},
    "unparseable_user_property": {"user_properties": _PATIENT | {"doctor_id": "Dr. House"}},
    "integer_overflow": {"user_properties": _PATIENT | {"clinic_id": 2**31}},
    "impossible_date": {"user_properties": _PATIENT | {"birth_date": "1990-02-30"}},
    "value_outside_the_map": {"user_properties": _PATIENT | {"gender": "x"}},
    "wrong_age": {"user_properties": _PATIENT | {"age": "unknown"}},
    "number_as_ehr_id": {"user_properties": {"ehr_id": 4711, "city": "Sofia"}},
    "blank_ehr_id": {"user_properties": {"ehr_id": "  ", "city": "Sofia"}},
    "user_properties_text": {"user_properties": "none"},
    "user_properties_array": {"user_properties": [_PATIENT]},
    "user_properties_null": {"user_properties": None},
    "identify_operators": {
        "event_type": "$identify",
        "user_properties": {"$set": {"city": "Sofia"}, "$unset": {"age": "-"}},
    },
    "several_types_of_one_property": {"event_properties": {"Drop Id": [1, "5", 10.0, None, {}]}},
    "blank_device": {"device_id": "", "user_id": " "},
    "deep_nesting": {"event_properties": {"a": {"b": {"c": {"d": [[[[{"e": 1}]]]]}}}}},
}

#: name -> (text, replacement): what an encoder would never write.
_TEXT_CHANGES = {
    "lone_surrogate": (b'"HERE"', rb'"\ud83e"'),
    "same_key_twice": (b'"note":', b'"note":1,"note":'),
    "blanks_between": (b'":', b'" : '),
    "integer_of_forty_digits": (b'"HERE"', b"1234567890" * 4),
    "exponent_number": (b'"HERE"', b"1E+2"),
    "escaped_key": (b'"event_type":', rb'"event\u005ftype":'),
}

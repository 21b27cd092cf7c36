"""An archive holds what the vendor has of a day or snapshot, row by row unchanged."""

import json
from datetime import timedelta

import pytest
from appmetrica_exports import ALL, APP, DAY, INDEX, KEY, NEXT, NOW, PREFIX, Exporter, event

from flows.errors import BadRequest
from flows.export_appmetrica import ExportedArchive, ExportResult
from flows.sandbox.appmetrica import AppMetricaSimulator, Limits
from flows.vendors.appmetrica_tables import TABLES


def test_a_day_of_receipt_becomes_one_archive(export: Exporter) -> None:
    """The local day's first and last second are in it, late events too, equal rows both."""
    result = export("2025-01-06", 20250106)
    head = export.bucket.client.head_object(Bucket=export.bucket.name, Key=KEY)
    lines = export.lines()
    assert result == ExportResult(
        1111,
        "Asia/Yekaterinburg",
        (
            ExportedArchive(
                table="events",
                key=KEY,
                day=DAY,
                asked_at=NOW,
                rows=6,
                ndjson_bytes=sum(len(line) + 1 for line in lines),
                bytes=head["ContentLength"],
                etag=head["ETag"].strip('"'),
                confirmed=False,
                asked=True,
                written=True,
            ),
        ),
    )
    assert result.rows == 6
    assert export.names() == ALL
    assert lines == sorted(lines)
    assert export.stored() == [KEY, INDEX]
    entry = export.indexed()
    assert entry is not None
    assert (entry.rows, entry.bytes, entry.asked_at, entry.confirmed) == (
        6,
        result.archives[0].ndjson_bytes,
        NOW,
        False,
    )
    (asked,) = {tuple(one.parameters.items()) for one in export.vendor.traffic.seen}
    assert dict(asked) == {
        "application_id": "1111",
        "fields": ",".join(TABLES["events"].fields),
        "date_since": "2025-01-06 00:00:00",
        "date_until": "2025-01-06 23:59:59",
        "date_dimension": "receive",
    }
    assert export.asked() == [(202, "no-cache"), (202, None), (200, None)]


def test_rows_stand_as_the_vendor_sent_them(export: Exporter) -> None:
    """Escapes, forms of numbers, ids above 2^63 and nested values are not touched."""
    with AppMetricaSimulator([APP], now=lambda: NOW) as vendor:
        odd = {"event_json": '{"a": 1, "a": "\ud83d", "n": "\u0000"}', "session_id": 1.50}
        vendor.add_rows("events", [event("odd", **odd, appmetrica_device_id=2**64 - 1)], bare=True)
        export.vendor = vendor
        export.settings["base_url"] = vendor.base_url
        export()
    (line,) = export.lines()
    assert b'"appmetrica_device_id":18446744073709551615,' in line
    assert b'"event_json":"{\\"a\\": 1, \\"a\\": \\"\\ud83d\\", \\"n\\": \\"\\u0000\\"}"' in line


def test_the_same_rows_give_the_same_bytes(export: Exporter) -> None:
    """The vendor's order, its parts and the day of asking leave no trace in the archive."""
    export()
    first = export.object()
    export.bucket.client.delete_object(Bucket=export.bucket.name, Key=KEY)
    export.vendor.limits = Limits(max_rows=2)
    export.vendor.set_now(NOW + timedelta(days=3))
    export()
    assert export.object() == first


def test_each_table_has_its_archives(export: Exporter) -> None:
    """All 13 tables by name; an empty day is an archive without rows, a snapshot has its time."""
    result = export(DAY, NEXT, tuple(TABLES))
    days = ("2025-01-06", "2025-01-07")
    assert [archive.key for archive in result.archives] == [
        f"{PREFIX}{table}/{name}.ndjson.gz"
        for table in TABLES
        for name in (("2025-02-01T120000Z",) if table in ("profiles_v2", "push_tokens") else days)
    ]
    assert {archive.key: archive.rows for archive in result.archives if archive.rows} == {
        KEY: 6,
        f"{PREFIX}events/2025-01-07.ndjson.gz": 1,
    }
    assert export.lines(f"{PREFIX}crashes/2025-01-06.ndjson.gz") == []


def test_profiles_are_snapshots(export: Exporter) -> None:
    """Each export has a file of its own, even twice a second; nothing replaces it."""
    export.vendor.add_rows("profiles_v2", [{"profile_id": "p", "ehr_id": "7", "at": NOW}])
    attributes = ["ehr_id", "profile_id"]
    for _ in range(2):
        (archive,) = export(tables=("profiles_v2",), profile_attributes=attributes).archives
        assert (archive.day, archive.rows, archive.confirmed) == (None, 1, True)
    keys = [f"{PREFIX}profiles_v2/2025-02-01T12000{n}Z.ndjson.gz" for n in (0, 1)]
    assert [key for key in export.stored() if key.endswith(".gz")] == keys
    for key in keys:
        (line,) = export.lines(key)
        assert list(json.loads(line)) == [*TABLES["profiles_v2"].fields, "ehr_id"]
        assert json.loads(line)["ehr_id"] == "7"


def test_a_snapshot_that_was_stored_by_a_killed_run_is_not_taken_twice(export: Exporter) -> None:
    """Its job is still in the index: the next run fetches it again, and finds its own archive."""
    export.vendor.add_rows("profiles_v2", [{"profile_id": "p", "at": NOW}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.appmetrica_exporter.Exporter._remember", killed)
        with pytest.raises(InterruptedError):
            export(tables=("profiles_v2",), profile_attributes=["profile_id"])
    export.vendor.set_now(NOW + timedelta(minutes=5))
    (archive,) = export(tables=("profiles_v2",), profile_attributes=["profile_id"]).archives
    key = f"{PREFIX}profiles_v2/2025-02-01T120000Z.ndjson.gz"
    assert (archive.key, archive.written) == (key, False)
    assert [key for key in export.stored() if key.endswith(".gz")] == [archive.key]


def killed(*_: object) -> None:
    raise InterruptedError


def test_an_attribute_that_the_vendor_does_not_know_is_named(export: Exporter) -> None:
    """The vendor's sentence names it; a name that would split the list is refused before."""
    with pytest.raises(BadRequest, match="no_such_attribute"):
        export(tables=("profiles_v2",), profile_attributes=["no_such_attribute"])
    asked = len(export.asked())
    with pytest.raises(BadRequest, match="'a,b'"):
        export(tables=("profiles_v2",), profile_attributes=["a,b"])
    assert len(export.asked()) == asked

"""One export is fetched ad hoc, stored where it was wished, and leaves the archive alone."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.errors import BadRequest, VendorFailed
from flows.fetch_export import FetchedExport, fetch, fetch_export
from flows.lake.bucket import Bucket
from flows.lake.keys import parse_day_key
from flows.lake.listing import list_objects
from flows.sandbox.appmetrica import Application, AppMetricaSimulator, FaultKind, Limits
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import AppMetrica
from flows.vendors.appmetrica_tables import TABLES
from flows.vendors.retries import Retries

APP = Application(1111, "the-token", "Europe/Moscow")
NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)
DEFAULT_KEY = "fetched/appmetrica/1111/events/2025-02-01T120000Z.ndjson.gz"


@pytest.fixture
def vendor() -> Iterator[AppMetricaSimulator]:
    with AppMetricaSimulator([APP], now=lambda: NOW) as simulator:
        simulator.add_rows(
            "events",
            [
                {"event_name": name, "event_datetime": f"2025-01-0{day} 12:00:00"}
                for name in ("b", "a")
                for day in (5, 6, 7)
            ],
        )
        yield simulator


def fetch_from(vendor: AppMetricaSimulator, bucket: Bucket, **more: Any) -> FetchedExport:
    settings = {"base_url": vendor.base_url, "api_key": APP.token, "application_id": 1111}
    patience = {"poll_interval_seconds": 0, "poll_timeout_seconds": 5} | more
    return fetch(
        "events",
        settings=AppMetrica.model_validate(settings),
        bucket=bucket,
        retries=Retries(tries=2, first_wait_s=0),
        now=vendor.now,
        **patience,
    )


def rows(bucket: Bucket, key: str) -> list[dict[str, str]]:
    body = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def test_an_export_is_stored_beside_the_archive(
    vendor: AppMetricaSimulator, bucket: Bucket
) -> None:
    """All documented fields, whole days, and a key that no loader takes for an archive."""
    result = fetch_from(vendor, bucket, date_since="2025-01-05", date_until="20250106")
    (version,) = list_objects(bucket, "").values()
    found = rows(bucket, DEFAULT_KEY)
    assert result == FetchedExport(
        key=DEFAULT_KEY,
        rows=4,
        ndjson_bytes=result.ndjson_bytes,
        bytes=version.size_bytes,
        etag=version.etag,
    )
    assert [row["event_name"] for row in found] == ["a", "b", "a", "b"]
    assert [list(row) for row in found] == [list(TABLES["events"].fields)] * 4
    assert not DEFAULT_KEY.startswith("appmetrica/")
    sent = vendor.traffic.seen[0].parameters
    assert (sent["date_since"], sent["date_until"]) == (
        "2025-01-05 00:00:00",
        "2025-01-06 23:59:59",
    )


def test_fields_dates_parameters_and_key_are_as_wished(
    vendor: AppMetricaSimulator, bucket: Bucket
) -> None:
    """Seconds are seconds, any URL parameter goes through, and the file stands where it should."""
    for _ in range(2):  # once more in its own place
        result = fetch_from(
            vendor,
            bucket,
            date_since="2025-01-05 12:00:00",
            date_until="2025-01-06 11:59:59",
            fields=["event_name", "event_datetime"],
            parameters={"event_name": "a", "date_dimension": "default"},
            key="some/where.ndjson.gz",
        )
        assert (result.key, result.rows) == ("some/where.ndjson.gz", 1)
    assert list(list_objects(bucket, "")) == ["some/where.ndjson.gz"]
    assert rows(bucket, result.key) == [
        {"event_name": "a", "event_datetime": "2025-01-05 12:00:00"}
    ]


def test_a_job_that_was_not_ready_can_be_resumed(
    vendor: AppMetricaSimulator, bucket: Bucket
) -> None:
    """Its own time-out ends the wait; resume asks for the same job and does not begin it anew."""
    vendor.limits = Limits(max_rows=4)
    dates = {"date_since": "2025-01-05", "date_until": "2025-01-07"}
    vendor.inject(FaultKind.STALL, times=None, contains="part_number=1", percent=96)
    with pytest.raises(VendorFailed, match=r"part 1 of 2 not ready after 0 s, last progress: 96 %"):
        fetch_from(vendor, bucket, **dates, poll_interval_seconds=0.01, poll_timeout_seconds=0.1)
    assert list_objects(bucket, "") == {}
    vendor.faults.clear()
    vendor.traffic.reset()
    assert fetch_from(vendor, bucket, **dates, resume=True).rows == 6
    assert {one.cache_control for one in vendor.traffic.seen} == {None}


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"date_since": "6 January"}, "YYYY-MM-DD"),
        ({"parameters": {"parts_count": "2"}}, "parts_count is chosen by the client"),
        ({"poll_interval_seconds": -1}, "seconds cannot be negative"),
    ],
)
def test_bad_input_is_refused_before_any_request(
    vendor: AppMetricaSimulator, bucket: Bucket, wish: dict[str, Any], message: str
) -> None:
    """The error says what is wrong."""
    with pytest.raises(BadRequest, match=message):
        fetch_from(vendor, bucket, **wish)
    assert vendor.traffic.seen == []


def test_what_the_vendor_refuses_is_said_in_its_words(
    vendor: AppMetricaSimulator, bucket: Bucket
) -> None:
    """An unknown field, and missing dates."""
    dates = {"date_since": "2025-01-05", "date_until": "2025-01-07"}
    with pytest.raises(BadRequest, match="no_such_field"):
        fetch_from(vendor, bucket, **dates, fields=["event_name", "no_such_field"])
    with pytest.raises(BadRequest, match="date_since"):
        fetch_from(vendor, bucket)


def test_the_flow_fetches_with_settings_from_the_environment(
    appmetrica: AppMetricaSimulator,
    settings_env: dict[str, str],
    bucket: Bucket,
    prefect_server: PrefectServer,
) -> None:
    """Called as a plain function, with an artifact of its progress."""
    from prefect.artifacts import Artifact

    appmetrica.add_rows("push_tokens", [{"token": "t"}])
    result = fetch_export("push_tokens")
    assert rows(bucket, result.key)[0]["token"] == "t"
    told = parse_day_key(result.key)
    assert told is not None
    assert (told.application_id, told.table) == (1111, "push_tokens")
    artifact = Artifact.get("fetch-export")
    assert artifact is not None
    assert (artifact.data, artifact.description) == (100.0, "1 of 1 archives, 0.0 MB, 1 rows")

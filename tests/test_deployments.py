"""prefect.yaml deploys as it stands, and a worker runs what it deploys."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from flows.direct_rows.contracts import TABLES as DIRECT_TABLES
from flows.direct_rows.row_source import FORMATS
from flows.import_events import SOURCES
from flows.lake.bucket import Bucket
from flows.lake.listing import list_objects
from flows.marts import marts
from flows.pipeline import EXPORTS
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.clock import parse_vendor_text
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.deployments import Worker, deploy_all, run_prefect, work_pools
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.processes import SandboxFailed
from flows.settings import PROJECT
from flows.vendors.appmetrica_tables import TABLES
from flows.warehouse.landing import LANDINGS

DEPLOYMENTS = {
    "export-amplitude/web",
    "export-amplitude/mobile",
    "export-appmetrica/daily",
    "fetch-export/ad-hoc",
    "import-events/ad-hoc",
    "load-rows/ad-hoc",
    "read-rows/ad-hoc",
    "import-reports/nightly",
    "report-user/adhoc",
    "report-users/monthly",
    "load-raw/amplitude",
    "load-raw/appmetrica",
    "transform/dbt",
    "withdraw-load/manual",
    "reconcile/daily",
    "report-dau/ad-hoc",
    "report-top-events/ad-hoc",
    "report-retention/ad-hoc",
    "report-product/weekly",
    "report-product/ad-hoc",
    "pipeline/daily",
}


@pytest.fixture(scope="module")
def deployed(prefect_server: PrefectServer) -> dict[str, dict[str, Any]]:
    """The server after `prefect deploy --all`: what it holds of each flow/deployment."""
    deploy_all(prefect_server.environment())
    flows = httpx.post(f"{prefect_server.api_url}/flows/filter", json={}).json()
    names = {flow["id"]: flow["name"] for flow in flows}
    found = httpx.post(f"{prefect_server.api_url}/deployments/filter", json={}).json()
    return {f"{names[one['flow_id']]}/{one['name']}": one for one in found}


def test_all_deployments_stand_as_prefect_yaml_says(deployed) -> None:
    """Entrypoint, parameters, tags, pool and limits of each are on the server."""
    assert deployed.keys() == DEPLOYMENTS
    written = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
    by_place = {(one["entrypoint"], one["name"]): one for one in written}
    assert len(by_place) == len(written) == len(DEPLOYMENTS)
    for name, one in deployed.items():
        wish = by_place[one["entrypoint"], one["name"]]
        assert one["parameters"] == wish.get("parameters", {}), name
        assert sorted(one["tags"]) == sorted(wish["tags"]), name
        assert one["description"] == wish["description"], name
        assert one["work_pool_name"] == "dwh", name
        assert one["enforce_parameter_schema"] is True, name
    limits = {name: one["global_concurrency_limit"]["limit"] for name, one in deployed.items()}
    assert limits == dict.fromkeys(DEPLOYMENTS, 1)
    assert {
        name: one["concurrency_options"]["collision_strategy"] for name, one in deployed.items()
    } == dict.fromkeys(DEPLOYMENTS, "ENQUEUE") | {"pipeline/daily": "CANCEL_NEW"}


def test_what_runs_by_itself_is_scheduled(deployed) -> None:
    """Telemetry, then the pipeline half an hour after Amplitude has the day; all in UTC."""
    assert {
        name: sorted(
            (one["schedule"]["cron"], one["schedule"]["timezone"], one["slug"], one["active"])
            for one in deployment["schedules"]
        )
        for name, deployment in deployed.items()
        if deployment["schedules"]
    } == {
        "pipeline/daily": [
            ("30 14 * * *", "UTC", "afternoon", True),
            ("30 2 * * *", "UTC", "daily", True),
        ],
        "reconcile/daily": [("30 16 * * *", "UTC", "daily", True)],
        "report-product/weekly": [("0 6 * * 1", "UTC", "weekly", True)],
        "import-reports/nightly": [("30 1 * * *", "UTC", "nightly", True)],
        "report-users/monthly": [("0 5 1 * *", "UTC", "monthly", True)],
    }


def test_every_parameter_is_explained(deployed) -> None:
    """The form of the UI shows a description for each field, and the sources as a choice."""
    shown = {name: one["parameter_openapi_schema"]["properties"] for name, one in deployed.items()}
    assert {name: list(fields) for name, fields in shown.items()} == {
        "export-amplitude/web": ["start", "end", "source", "directory", "refresh"],
        "export-amplitude/mobile": ["start", "end", "source", "directory", "refresh"],
        "export-appmetrica/daily": [
            "start",
            "end",
            "tables",
            "directory",
            "profile_attributes",
            "refresh",
        ],
        "fetch-export/ad-hoc": [
            "table",
            "date_since",
            "date_until",
            "fields",
            "parameters",
            "poll_interval_seconds",
            "poll_timeout_seconds",
            "key",
            "resume",
        ],
        "import-events/ad-hoc": ["path", "key", "source", "max_rejected"],
        "load-rows/ad-hoc": ["table", "data", "path", "key", "format"],
        "read-rows/ad-hoc": ["table", "limit", "offset", "where", "order_by", "show_personal"],
        "import-reports/nightly": [
            "telemetry_start",
            "telemetry_end",
            "incremental",
            "build_models",
        ],
        "report-user/adhoc": ["user_id", "start", "end", "show_personal"],
        "report-users/monthly": ["start", "end", "key"],
        "load-raw/amplitude": ["source", "prefix", "key", "start_after"],
        "load-raw/appmetrica": ["source", "prefix", "key", "start_after"],
        "transform/dbt": ["select", "full_refresh"],
        "withdraw-load/manual": ["load_id", "reason"],
        "reconcile/daily": ["start", "end"],
        "report-dau/ad-hoc": ["start", "end"],
        "report-top-events/ad-hoc": ["start", "end", "limit"],
        "report-retention/ad-hoc": ["start", "window"],
        "report-product/weekly": ["start", "end"],
        "report-product/ad-hoc": ["start", "end"],
        "pipeline/daily": ["start", "end", "sources"],
    }
    for name, fields in shown.items():
        for field, schema in fields.items():
            assert len(schema.get("description", "")) > 10, (name, field)
    assert shown["export-amplitude/web"]["source"]["enum"] == ["web", "mobile"]
    assert shown["export-appmetrica/daily"]["tables"]["items"]["enum"] == list(TABLES)
    assert shown["fetch-export/ad-hoc"]["table"]["enum"] == list(TABLES)
    assert shown["import-events/ad-hoc"]["source"]["enum"] == list(SOURCES)
    assert shown["load-raw/amplitude"]["source"]["enum"] == list(LANDINGS)
    assert shown["load-rows/ad-hoc"]["table"]["enum"] == list(DIRECT_TABLES)
    assert shown["load-rows/ad-hoc"]["format"]["anyOf"][0]["enum"] == list(FORMATS)
    assert shown["read-rows/ad-hoc"]["table"]["enum"] == sorted(marts())
    assert shown["pipeline/daily"]["sources"]["anyOf"][0]["items"]["enum"] == list(EXPORTS)


def test_a_source_that_does_not_exist_is_refused_at_once(deployed, prefect_server) -> None:
    """The server knows the choices, so that no run has to start to find out."""
    run = ("deployment", "run", "load-raw/amplitude", "-p", "source=web")
    with pytest.raises(SandboxFailed, match="'web' is not one of"):
        run_prefect(prefect_server.environment(), *run)


@pytest.mark.usefixtures("settings_env")
def test_a_worker_runs_a_deployment(
    deployed,
    prefect_server: PrefectServer,
    amplitude: AmplitudeSimulator,
    bucket: Bucket,
    tmp_path: Path,
) -> None:
    """A day, written as a number and as a text, is exported into S3; the command ends with 0."""
    amplitude.add_events("web", [make_event(parse_vendor_text("2025-01-06 09:05:01.250000"))])
    variables = {name: os.environ[name] for name in os.environ if not name.startswith("PREFECT_")}
    environment = prefect_server.environment() | variables
    (pool,) = work_pools()
    worker = Worker(pool, tmp_path / "worker")
    worker.start(environment)
    days = ("-p", "start=20250106", "-p", "end=2025-01-06")
    try:
        run_prefect(environment, "deployment", "run", "export-amplitude/web", "--watch", *days)
    finally:
        worker.stop()
    assert list(list_objects(bucket, "")) == ["amplitude/web/2025_week_02.zip"]
    asked = [(seen.project, seen.start, seen.end, seen.status) for seen in amplitude.traffic.seen]
    assert asked == [("web", "20250106T00", "20250106T23", 200)]

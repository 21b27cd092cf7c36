"""prefect.yaml deploys, and a worker runs what it deploys."""

import os
from pathlib import Path

import httpx
import pytest

from flows.lake.bucket import Bucket
from flows.lake.listing import list_objects
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude.clock import parse_vendor_text
from flows.sandbox.amplitude.rows import make_event
from flows.sandbox.deployments import Worker, deploy_all, run_prefect, work_pools
from flows.sandbox.prefect_server import PrefectServer


@pytest.mark.usefixtures("settings_env")
def test_a_worker_runs_a_deployment(
    prefect_server: PrefectServer, amplitude: AmplitudeSimulator, bucket: Bucket, tmp_path: Path
) -> None:
    """All deployments stand on the server after deploy --all, and one exports a day into S3."""
    amplitude.add_events("web", [make_event(parse_vendor_text("2025-01-06 09:05:01.250000"))])
    variables = {name: os.environ[name] for name in os.environ if not name.startswith("PREFECT_")}
    environment = prefect_server.environment() | variables
    deploy_all(environment)
    (pool,) = work_pools()
    worker = Worker(pool, tmp_path / "worker")
    worker.start(environment)
    try:
        days = ("-p", "start=2025-01-06", "-p", "end=2025-01-06")
        run_prefect(environment, "deployment", "run", "export-amplitude/web", "--watch", *days)
    finally:
        worker.stop()

    assert list(list_objects(bucket, "")) == ["amplitude/web/2025_week_02.zip"]
    assert _deployments(prefect_server) >= {
        "export-amplitude/web",
        "export-amplitude/mobile",
        "load-raw/amplitude",
        "transform/dbt",
        "pipeline/daily",
    }


def _deployments(server: PrefectServer) -> set[str]:
    flows = httpx.post(f"{server.api_url}/flows/filter", json={}).json()
    names = {flow["id"]: flow["name"] for flow in flows}
    deployments = httpx.post(f"{server.api_url}/deployments/filter", json={}).json()
    return {f"{names[found['flow_id']]}/{found['name']}" for found in deployments}

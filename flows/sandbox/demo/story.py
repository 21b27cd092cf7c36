"""The acts of the demo, in order: servers, pipeline, summary, user reports, strictness."""

import os
from pathlib import Path

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.errors import Interrupted
from flows.export_appmetrica import CORE_TABLES
from flows.pipeline import PipelineResult, pipeline
from flows.sandbox.amplitude.dataset import DEMO_END, DEMO_START
from flows.sandbox.demo import prostheses, strictness, summary
from flows.sandbox.demo.flow_log import show_flow_logs
from flows.sandbox.demo.screen import Screen
from flows.sandbox.postgres import find_binaries
from flows.sandbox.prefect_server import PrefectServer
from flows.sandbox.servers import BUCKET, Servers


def tell(directory: Path, prefect: PrefectServer, screen: Screen) -> None:
    """Run the demo over a folder; prefect is launched, and answers when everything else is up."""
    with Servers(directory) as servers:
        _start(servers, prefect, screen)
        show_flow_logs(screen)
        # Prefect's heartbeat thread makes each flow run a second longer.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            screen.act(f"pipeline(start={DEMO_START}, end={DEMO_END}): export, load, transform")
            result = _run_pipeline(screen)
            url = servers.postgres.url()
            summary.show(screen, url, result)
            prostheses.show(screen)
            strictness.show(screen, url, servers.amplitude_data)
        summary.show_where_to_look(screen, url, prefect.ui_url)


def _start(servers: Servers, prefect: PrefectServer, screen: Screen) -> None:
    servers.start_storage()
    screen.step(f"PostgreSQL {find_binaries().version}: {servers.postgres.url()}")
    screen.step(f"S3 (rclone): {servers.s3.endpoint_url}, bucket {BUCKET}")
    sent, reported = servers.start_vendors()
    servers.adopt_variables()
    counts = ", ".join(f"{project} {count:,}" for project, count in sent.items())
    screen.step(f"Amplitude (simulator): {os.environ['AMPLITUDE_BASE_URL']}, events: {counts}")
    counts = ", ".join(f"{table} {reported[table]:,}" for table in CORE_TABLES)
    screen.step(f"AppMetrica (simulator): {os.environ['APPMETRICA_BASE_URL']}, rows: {counts}")
    users, events = servers.start_report_sources()
    screen.step(f"CRM: {users:,} users; telemetry: {events:,} events (databases beside the first)")
    prefect.wait()
    screen.step(f"Prefect: {prefect.ui_url}")


def _run_pipeline(screen: Screen) -> PipelineResult:
    try:
        return pipeline(start=str(DEMO_START), end=str(DEMO_END))
    except Interrupted as interruption:
        if not strictness.is_own(interruption.file_key):
            raise
        screen.step("the last demo ended in the middle of its last act: its load is withdrawn")
        strictness.withdraw_own_loads()
        return pipeline(start=str(DEMO_START), end=str(DEMO_END))

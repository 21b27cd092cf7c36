"""A call is refused before any request if it makes no sense, and tells how far it is."""

import pytest
from appmetrica_exports import APP, DAY, Exporter, local

from flows.errors import BadRequest, Forbidden, MissingSetting, VendorFailed
from flows.export_appmetrica import export_appmetrica, export_tables
from flows.jobs_progress import JobsProgress
from flows.lake.bucket import Bucket
from flows.mapping import property_keys
from flows.sandbox.appmetrica import AppMetricaSimulator, Limits
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import AppMetrica
from flows.vendors import appmetrica as client
from flows.vendors.appmetrica_wire import Waiting


@pytest.mark.parametrize(
    ("start", "end", "tables", "message"),
    [
        ("2025-01-07", "2025-01-06", ("events",), "before start"),
        ("2025-01-06", "2025-02-02", ("events",), r"in the future.*Asia/Yekaterinburg"),
        ("2025-01-06", "2025-01-06", ("clicks", "taps"), "no table 'taps': choose from events"),
        ("2025-01-06", "2025-01-06", (), "no table is named"),
        ("06.01.2025", "2025-01-06", ("events",), "YYYY-MM-DD"),
    ],
)
def test_bad_input_is_refused_before_any_request(
    export: Exporter, start: str, end: str, tables: tuple[str, ...], message: str
) -> None:
    """The error says what is wrong; the vendor and S3 hear nothing."""
    with pytest.raises(BadRequest, match=message):
        export(start, end, tables)
    with pytest.raises(BadRequest, match="no folder"):
        export(directory="a//b")
    assert export.asked() == []
    assert export.stored() == []


def test_a_missing_setting_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the vendor and of S3."""
    monkeypatch.setenv("APPMETRICA_API_KEY", APP.token)
    monkeypatch.setenv("APPMETRICA_APPLICATION_ID", "1111")
    for name in ("APPMETRICA_API_KEY", "S3_BUCKET_NAME"):
        with monkeypatch.context() as context:
            context.delenv(name)
            with pytest.raises(MissingSetting, match=f"{name} is missing"):
                export_tables(DAY, DAY)


def test_progress_is_what_the_vendor_says(export: Exporter) -> None:
    """Archives done, bytes and rows grow; a job's own percent counts as far as it is."""
    progress = JobsProgress(4, 1, 2_500_000, 12_345, (("events 2025-01-06", Waiting(50)),))
    assert progress.percent == 37.5
    assert str(progress) == ("1 of 4 archives, 2.5 MB, 12,345 rows; events 2025-01-06: 50 %")
    assert str(Waiting()) == "queued"
    export()
    last = export.told[-1]
    assert (last.archives, last.archives_done, last.rows, last.percent) == (1, 1, 6, 100.0)
    assert last.received_bytes > sum(map(len, export.lines()))


def test_ping_needs_one_request(vendor: AppMetricaSimulator) -> None:
    """Silent when all is well; else it says what is wrong."""
    settings = AppMetrica.model_validate(
        {"base_url": vendor.base_url, "api_key": APP.token, "application_id": 1111}
    )
    client.ping(settings)
    assert [(one.table, one.status) for one in vendor.traffic.seen] == [("management", 200)]
    vendor.limits = Limits(enabled=False)
    with pytest.raises(VendorFailed, match="'disabled'"):
        client.ping(settings)
    with pytest.raises(Forbidden):
        client.ping(AppMetrica.model_validate(settings.model_dump() | {"api_key": "wrong"}))
    vendor.inject("502", table="management")
    with pytest.raises(VendorFailed, match="1 tries, the last met status 502"):
        client.ping(settings)


def test_the_flow_exports_with_settings_from_the_environment(
    appmetrica: AppMetricaSimulator,
    settings_env: dict[str, str],
    bucket: Bucket,
    prefect_server: PrefectServer,
) -> None:
    """Called as a plain function, the flow does what export_tables does, and leaves an artifact."""
    from prefect.artifacts import Artifact

    appmetrica.add_rows("events", [{"event_timestamp": local(DAY)}])
    appmetrica.declare_attributes(property_keys("appmetrica"))
    result = export_appmetrica("2025-01-06", "2025-01-06")
    assert [(archive.table, archive.rows) for archive in result.archives] == [
        ("events", 1),
        ("installations", 0),
        ("profiles_v2", 0),
        ("sessions_starts", 0),
    ]
    artifact = Artifact.get("export-appmetrica")
    assert artifact is not None
    assert artifact.data == 100.0
    assert artifact.description == "4 of 4 archives, 0.0 MB, 1 rows"

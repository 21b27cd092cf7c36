"""A call is refused before any request if it makes no sense, and tells how far it is."""

import pytest
from amplitude_exports import KEY, MONDAY, WITH_DATA, Exporter, assert_whole, rows

from flows.errors import BadRequest, MissingSetting
from flows.export_amplitude import export_amplitude, export_days
from flows.export_progress import ExportProgress
from flows.sandbox.amplitude import WEB
from flows.sandbox.prefect_server import PrefectServer


@pytest.mark.parametrize(
    ("start", "end", "source", "message"),
    [
        ("2025-01-07", "2025-01-06", "web", "before start"),
        ("2025-01-06", "2025-02-02", "web", "in the future"),
        ("2025-01-06", "2025-01-06", "tv", "one of web, mobile"),
        ("2025-01-06", "2025-01-06", "amplitude_web", "one of web, mobile"),
        ("06.01.2025", "2025-01-06", "web", "YYYY-MM-DD"),
    ],
)
def test_bad_input_is_refused_before_any_request(
    export: Exporter, start: str, end: str, source: str, message: str
) -> None:
    """The error says what is wrong; the vendor and S3 hear nothing."""
    with pytest.raises(BadRequest, match=message):
        export(start, end, source)
    assert export.asked() == []
    assert export.keys() == []


def test_a_missing_secret_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which variable is missing, and the cure."""
    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.delenv("AMPLITUDE_WEB_SECRET_KEY")
    with pytest.raises(MissingSetting, match="AMPLITUDE_WEB_SECRET_KEY missing"):
        export_days(MONDAY, MONDAY, "web")
    assert export.asked() == []


def test_a_missing_s3_setting_is_named_before_any_request(
    export: Exporter, settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side's settings are read before the vendor is asked, too."""
    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.delenv("S3_BUCKET_NAME")
    with pytest.raises(MissingSetting, match="S3_BUCKET_NAME"):
        export_days(MONDAY, MONDAY, "web")
    assert export.asked() == []


def test_progress_counts_days_bytes_and_events(export: Exporter) -> None:
    """What is told only grows, and ends with everything done."""
    export()
    assert export.told == sorted(export.told, key=lambda told: (told.days_done, told.ndjson_bytes))
    last = export.told[-1]
    assert last == ExportProgress(7, 7, sum(len(e) + 1 for d in WITH_DATA for e in rows(d)), 60)
    assert str(last) == "7 of 7 days, 0.0 MB, 60 events"


def test_the_flow_exports_with_settings_from_the_environment(
    export: Exporter,
    settings_env: dict[str, str],
    prefect_server: PrefectServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Called as a plain function, the flow does what export_days does, and leaves an artifact."""
    from prefect.artifacts import Artifact

    monkeypatch.setenv("AMPLITUDE_BASE_URL", export.vendor.base_url)
    monkeypatch.setenv("AMPLITUDE_WEB_CLIENT_ID", WEB.client_id)
    monkeypatch.setenv("AMPLITUDE_WEB_SECRET_KEY", WEB.secret_key)
    export.vendor.set_now(None)
    result = export_amplitude("2025-01-06", "2025-01-12", "web")
    assert [(week.key, week.event_count, week.written) for week in result.archives] == [
        (KEY, 60, True)
    ]
    assert_whole(export, WITH_DATA)
    artifact = Artifact.get("export-amplitude-web")
    assert artifact is not None
    assert artifact.data == 100.0
    assert artifact.description == "7 of 7 days, 0.0 MB, 60 events"
    with pytest.raises(BadRequest, match="before start"):
        export_amplitude("2025-01-06", "2025-01-05", "web")

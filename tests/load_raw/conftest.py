"""The warehouse that the tests here load into."""

import pytest


@pytest.fixture
def url(settings_env):
    return settings_env["DWH_DATABASE_URL"]


@pytest.fixture
def small_commits(monkeypatch, settings_env):
    """Commit each 64 KB block by itself."""
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "1")

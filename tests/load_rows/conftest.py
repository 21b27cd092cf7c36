"""The warehouse that the tests here import into, and files on the disk."""

import pytest


@pytest.fixture
def url(settings_env):
    return settings_env["DWH_DATABASE_URL"]


@pytest.fixture
def file(tmp_path):
    """Write a file; returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write

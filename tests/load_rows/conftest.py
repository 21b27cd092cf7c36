"""The warehouse that the tests here write into."""

import pytest


@pytest.fixture
def url(settings_env):
    return settings_env["DWH_DATABASE_URL"]

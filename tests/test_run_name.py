"""A run bears the days that it looks at as its name."""

import pytest
from prefect import flow
from prefect.runtime import flow_run

from flows.run_name import named_by_days
from flows.sandbox.prefect_server import PrefectServer


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ("2025-01-06", "2025-01-12", "2025-01-06 to 2025-01-12"),
        ("2025-01-06", None, "since 2025-01-06"),
        (None, 20250112, "up to 20250112"),
        (None, None, "all days"),
    ],
)
def test_a_run_is_named_by_its_days(
    prefect_server: PrefectServer, start: str | None, end: str | int | None, name: str
) -> None:
    """Also where nobody gave any."""

    @flow(flow_run_name=named_by_days("all days"))
    def named(start: str | None = None, end: str | int | None = None) -> str | None:
        return flow_run.name

    assert named(start, end) == name

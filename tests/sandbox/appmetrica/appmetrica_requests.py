"""Requests to the simulated Logs API, as its tests send and read them."""

from datetime import UTC, datetime
from typing import Any

import httpx

from flows.sandbox.appmetrica import APPLICATION, AppMetricaSimulator

MONDAY = datetime(2025, 1, 6, 9, tzinfo=UTC)
NOON = int(MONDAY.timestamp())
DAY = {"date_since": "2025-01-06 00:00:00", "date_until": "2025-01-06 23:59:59"}
#: Making one takes longer than most answers.
CLIENT = httpx.Client()


def get(
    vendor: AppMetricaSimulator,
    table: str = "events",
    form: str = "json",
    *,
    headers: dict[str, str] | None = None,
    token: str = APPLICATION.token,
    **parameters: Any,
) -> httpx.Response:
    """One request; a parameter that is None is left out."""
    every = {"application_id": APPLICATION.application_id, "fields": "event_name"} | DAY
    every |= parameters
    return CLIENT.get(
        f"{vendor.base_url}/logs/v1/export/{table}.{form}",
        params={name: value for name, value in every.items() if value is not None},
        headers={"Authorization": f"OAuth {token}"} | (headers or {}),
    )


def wait(vendor: AppMetricaSimulator, *arguments: Any, **options: Any) -> httpx.Response:
    """The same request until it is answered with something else than 202."""
    for _ in range(50):
        answer = get(vendor, *arguments, **options)
        if answer.status_code != 202:
            return answer
    raise AssertionError("it never finishes")


def rows_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def names_of(answer: httpx.Response) -> list[str]:
    return sorted(row["event_name"] for row in rows_of(answer))


def texts_of(answers: list[httpx.Response]) -> list[str | int]:
    return [a.text if a.status_code == 202 else a.status_code for a in answers]


def named(*names: str, at: int = NOON) -> list[dict[str, Any]]:
    return [{"event_name": name, "event_timestamp": at} for name in names]

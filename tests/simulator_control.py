"""Wishes at the control address that both vendors' simulators have."""

from typing import Any

import httpx

from flows.sandbox.simulator.base import Simulator


def control(vendor: Simulator, method: str, path: str, **body: Any) -> Any:
    return httpx.request(method, f"{vendor.base_url}/control/{path}", json=body or None).json()

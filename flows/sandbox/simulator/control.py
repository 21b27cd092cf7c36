"""The control address that every simulator has: faults, limits, the clock, what was seen.

JSON in and out. A vendor's own wishes are told in its `control.py`.

POST   /control/faults    {"fault": "502", "times": 2, …}
GET    /control/faults    what is still to come        DELETE  everything works again
POST   /control/limits    {"delay_seconds": 1}         GET     the limits in force
POST   /control/clock     {"now": "2025-02-03T04:00:00Z"}  or null for the real clock
GET    /control/requests  {"max_parallel": 3, "requests": […]}   DELETE  forget them
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import BadRequest

if TYPE_CHECKING:
    from flows.sandbox.simulator.base import Simulator

PREFIX = "/control/"


def obey(simulator: "Simulator", method: str, path: str, body: bytes) -> dict[str, Any]:
    """Carry out one wish and say what is now true; BadRequest for a wish that makes no sense."""
    try:
        wish = json.loads(body) if body else {}
    except json.JSONDecodeError as problem:
        raise BadRequest(f"the body is no JSON: {problem}") from problem
    if not isinstance(wish, dict):
        raise BadRequest("the body must be a JSON object")
    match method, path.removeprefix(PREFIX):
        case "POST", "faults":
            simulator.faults.add(simulator.fault_of(wish))
            return _faults(simulator)
        case "GET", "faults":
            return _faults(simulator)
        case "DELETE", "faults":
            simulator.faults.clear()
            return _faults(simulator)
        case "POST", "limits":
            simulator.limits = simulator.limits.changed(wish)
            return asdict(simulator.limits)
        case "GET", "limits":
            return asdict(simulator.limits)
        case "POST", "clock":
            simulator.set_now(_moment(wish.get("now")))
            return {"now": simulator.now().isoformat()}
        case "GET", "requests":
            return {
                "max_parallel": simulator.traffic.max_parallel,
                "requests": [asdict(seen) for seen in simulator.traffic.seen],
            }
        case "DELETE", "requests":
            simulator.traffic.reset()
            return {"max_parallel": 0, "requests": []}
    return simulator.obey(method, path.removeprefix(PREFIX), wish)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError as problem:
        raise BadRequest(f"{text!r} is no time") from problem
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _faults(simulator: "Simulator") -> dict[str, Any]:
    return {
        "faults": [
            {"fault": str(fault.kind), "left": left} | fault.whom()
            for fault, left in simulator.faults.waiting()
        ]
    }

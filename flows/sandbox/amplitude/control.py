"""The simulator's control address: faults, limits, new events, what was seen. JSON in and out.

POST   /control/faults    {"fault": "502", "times": 2, "project": "web", "start": "20250106T00"}
GET    /control/faults    what is still to come        DELETE  everything works again
POST   /control/events    {"project": "web", "rows": [{…}], "late": false}
POST   /control/limits    {"size_cap_bytes": 100000}   GET     the limits in force
POST   /control/late      {"share": 0.1}               rows that show from the second pull on
POST   /control/clock     {"now": "2025-02-03T04:00:00Z"}  or null for the real clock
GET    /control/requests  {"max_parallel": 3, "requests": […]}   DELETE  forget them
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.errors import BadRequest
from flows.sandbox.amplitude.clock import parse_vendor_text
from flows.sandbox.amplitude.faults import Fault

if TYPE_CHECKING:
    from flows.sandbox.amplitude.server import AmplitudeSimulator

PREFIX = "/control/"


def obey(simulator: "AmplitudeSimulator", method: str, path: str, body: bytes) -> dict[str, Any]:
    """Carry out one wish and say what is now true; BadRequest for a wish that makes no sense."""
    try:
        wish = json.loads(body) if body else {}
    except json.JSONDecodeError as problem:
        raise BadRequest(f"the body is no JSON: {problem}") from problem
    if not isinstance(wish, dict):
        raise BadRequest("the body must be a JSON object")
    match method, path.removeprefix(PREFIX):
        case "POST", "faults":
            simulator.faults.add(Fault.of(wish))
            return _faults(simulator)
        case "GET", "faults":
            return _faults(simulator)
        case "DELETE", "faults":
            simulator.faults.clear()
            return _faults(simulator)
        case "POST", "events":
            project, rows = wish.get("project"), wish.get("rows")
            if not isinstance(project, str) or not isinstance(rows, list):
                raise BadRequest('events needs "project" and "rows"')
            return {"added": simulator.add_events(project, rows, late=bool(wish.get("late")))}
        case "POST", "limits":
            simulator.limits = simulator.limits.changed(wish)
            return asdict(simulator.limits)
        case "GET", "limits":
            return asdict(simulator.limits)
        case "POST", "late":
            simulator.store.late_share = float(wish.get("share", 0))
            return {"share": simulator.store.late_share}
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
    raise BadRequest(f"no such control: {method} {path}")


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_vendor_text(text)
    except ValueError as problem:
        raise BadRequest(f"{text!r} is no time") from problem


def _faults(simulator: "AmplitudeSimulator") -> dict[str, Any]:
    return {
        "faults": [
            {"fault": str(fault.kind), "left": left, "project": fault.project}
            for fault, left in simulator.faults.waiting()
        ]
    }

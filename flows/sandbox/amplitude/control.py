"""What only this simulator can be told, beside `simulator/control.py`: new events, late rows.

POST   /control/faults    {"fault": "502", "times": 2, "project": "web", "start": "20250106T00"}
POST   /control/events    {"project": "web", "rows": [{…}], "late": false}
POST   /control/late      {"share": 0.1}               rows that show from the second pull on
"""

from typing import TYPE_CHECKING, Any

from flows.errors import BadRequest

if TYPE_CHECKING:
    from flows.sandbox.amplitude.server import AmplitudeSimulator


def obey(
    simulator: "AmplitudeSimulator", method: str, subject: str, wish: dict[str, Any]
) -> dict[str, Any]:
    """Carry out one wish and say what is now true; BadRequest for a wish that makes no sense."""
    match method, subject:
        case "POST", "events":
            project, rows = wish.get("project"), wish.get("rows")
            if not isinstance(project, str) or not isinstance(rows, list):
                raise BadRequest('events needs "project" and "rows"')
            return {"added": simulator.add_events(project, rows, late=bool(wish.get("late")))}
        case "POST", "late":
            simulator.store.late_share = float(wish.get("share", 0))
            return {"share": simulator.store.late_share}
    raise BadRequest(f"no such control: {method} {subject}")

"""What only this simulator can be told, beside `simulator/control.py`: rows and attributes.

POST   /control/faults      {"fault": "502", "times": 2, "table": "events", "phase": "poll"}
POST   /control/rows        {"table": "events", "rows": [{…}]}
POST   /control/attributes  {"names": ["ehr_id"]}   custom profile attributes without a value yet
"""

from typing import TYPE_CHECKING, Any

from flows.errors import BadRequest

if TYPE_CHECKING:
    from flows.sandbox.appmetrica.server import AppMetricaSimulator


def obey(
    simulator: "AppMetricaSimulator", method: str, subject: str, wish: dict[str, Any]
) -> dict[str, Any]:
    """Carry out one wish and say what is now true; BadRequest for a wish that makes no sense."""
    match method, subject:
        case "POST", "rows":
            table, rows = wish.get("table"), wish.get("rows")
            if not isinstance(table, str) or not isinstance(rows, list):
                raise BadRequest('rows needs "table" and "rows"')
            return {"added": simulator.add_rows(table, rows, wish.get("application_id"))}
        case "POST", "attributes":
            simulator.declare_attributes(wish.get("names", []), wish.get("application_id"))
            return {"names": sorted(simulator.attributes(wish.get("application_id")))}
    raise BadRequest(f"no such control: {method} {subject}")

"""Parameters of a flow that Prefect's database is not told.

They reach the flow as they are. Who runs a deployment has given them to the server already.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from prefect import Flow

AnyFlow = TypeVar("AnyFlow", bound=Flow[..., Any])


def private(*names: str) -> Callable[[AnyFlow], AnyFlow]:
    """Have a flow that is called from Python tell the server "(not shown)" for these."""

    def decorate(decorated: AnyFlow) -> AnyFlow:
        serialize = decorated.serialize_parameters

        def without_values(parameters: dict[str, Any]) -> dict[str, Any]:
            hidden = {name for name in names if parameters.get(name) is not None}
            return serialize(parameters | dict.fromkeys(hidden, "(not shown)"))

        decorated.serialize_parameters = without_values  # type: ignore[method-assign]
        return decorated

    return decorate

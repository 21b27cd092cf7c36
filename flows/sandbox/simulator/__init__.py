"""What simulators of vendors are made of: a real HTTP server, faults, limits, clock, controls."""

from flows.sandbox.simulator.base import Simulator
from flows.sandbox.simulator.faults import Faults
from flows.sandbox.simulator.handler import Handler
from flows.sandbox.simulator.limits import Limits
from flows.sandbox.simulator.refusal import Refusal
from flows.sandbox.simulator.traffic import Presence, Traffic

__all__ = ["Faults", "Handler", "Limits", "Presence", "Refusal", "Simulator", "Traffic"]

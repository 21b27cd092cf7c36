"""The Amplitude Export API, simulated: server, faults, generated and given data.

`python -m flows.sandbox.amplitude --data FOLDER` serves; `control.py` lists the control address.
"""

from flows.sandbox.amplitude.faults import Fault, FaultKind
from flows.sandbox.amplitude.limits import Limits
from flows.sandbox.amplitude.projects import MOBILE, WEB, Project
from flows.sandbox.amplitude.server import AmplitudeSimulator

__all__ = ["MOBILE", "WEB", "AmplitudeSimulator", "Fault", "FaultKind", "Limits", "Project"]

"""AppMetrica's Logs API, simulated: server, jobs, faults, generated and given data.

`python -m flows.sandbox.appmetrica --data FOLDER` serves; `control.py` lists the control address.
"""

from flows.sandbox.appmetrica.applications import APPLICATION, Application
from flows.sandbox.appmetrica.faults import Fault, FaultKind, Phase
from flows.sandbox.appmetrica.limits import Limits
from flows.sandbox.appmetrica.server import AppMetricaSimulator

__all__ = [
    "APPLICATION",
    "AppMetricaSimulator",
    "Application",
    "Fault",
    "FaultKind",
    "Limits",
    "Phase",
]

"""Where the sandbox keeps its state: `.sandbox/`, or the folder that $DWH_SANDBOX names."""

import os
from pathlib import Path

from flows.settings import PROJECT

SANDBOX = Path(os.environ.get("DWH_SANDBOX") or PROJECT / ".sandbox").absolute()

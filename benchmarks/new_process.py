"""Work in a process of its own, so that its peak memory is of nothing else."""

import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def in_new_process(work: Callable[..., T], *arguments: object) -> T:
    """What `work` returns in a fresh interpreter, which has this one's environment variables.

    It imports the module of `work` first: what should not count is imported inside functions.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss would count its parent's before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

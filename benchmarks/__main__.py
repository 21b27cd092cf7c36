"""`make bench`: every benchmark in turn, each in a process and with a peak memory of its own."""

import subprocess
import sys

BENCHMARKS = ("archive", "appmetrica", "load", "transform")

for name in BENCHMARKS:
    print(f"\n== {name} ==", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)

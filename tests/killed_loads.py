"""Loads that are killed half-way, and how far they came."""

import subprocess
import time

import psycopg
from raw_loads import query


def committed(url: str) -> int:
    """How many lines of the file are committed, seen by dbt or not."""
    try:
        return query(url, "select coalesce(max(last_line), -1) + 1 from raw.loads")[0][0]
    except psycopg.errors.UndefinedTable:
        return 0


def kill_behind(process: subprocess.Popen[bytes], url: str, line_count: int) -> int:
    """kill -9 a loader once so many lines are committed; returns how many are in the end."""
    while process.poll() is None and committed(url) < line_count:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    return committed(url)

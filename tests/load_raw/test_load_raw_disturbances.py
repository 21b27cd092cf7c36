"""However roughly a load is disturbed, the next one resumes, and each line stands in raw once."""

import os
import subprocess
import sys
import threading
import time

from killed_loads import committed, kill_behind
from raw_archives import PREFIX, SOURCE, lines, numbered, put, visible
from raw_loads import query

from flows.errors import WarehouseFailed
from flows.load_raw import load_archives

LOAD = "from flows.load_raw import load_archives; load_archives('amplitude_web')"


def loader_process():
    return subprocess.Popen(
        [sys.executable, "-c", LOAD], env=os.environ.copy(), stderr=subprocess.PIPE
    )


def test_a_killed_load_resumes_and_equals_an_undisturbed_one(url, bucket, small_commits):
    """kill -9 loses no committed line, doubles none, and shows nothing half-done."""
    count = 60_000
    put(bucket, lines(count), level=1)
    for _ in range(2):
        done = kill_behind(loader_process(), url, committed(url) + 2001)
        assert visible(url) == []
    assert 0 < done < count
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows, load.lines) == ("loaded", count, count - done)
    assert visible(url) == numbered((0, count))
    put(bucket, lines(count), f"{PREFIX}undisturbed.zip", level=1)
    load_archives(SOURCE)
    assert query(url, "select count(distinct checksum), count(*) from raw.loads") == [(1, 2)]


def test_two_loaders_at_once_load_each_file_once(url, bucket):
    """The second waits for the first, then sees that the work is done."""
    for number in range(4):
        put(bucket, lines(3000, 10_000 * number), f"{PREFIX}{number}.zip")
    processes = [loader_process() for _ in range(2)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert query(
        url,
        "select count(*), count(distinct event_id), count(distinct load_id)"
        " from raw.amplitude_events",
    ) == [(12_000, 12_000, 4)]
    assert query(url, "select array_agg(load_seq order by load_seq) from raw.loads") == [
        ([1, 2, 3, 4],)
    ]


def test_a_lost_connection_is_taken_up_again_by_the_same_run(url, bucket, small_commits):
    """The load goes on behind its last commit, on a connection of its own."""
    put(bucket, lines(40_000), level=1)
    ends = disturbed(url, "pg_terminate_backend", times=1)
    assert [(load.status, load.rows, load.lines) for load in ends] == [("loaded", 40_000, 40_000)]
    assert visible(url) == numbered((0, 40_000))


def test_trouble_that_stays_is_told_once_and_running_again_resumes(url, bucket, small_commits):
    """A cancelled statement is nothing that passes: the load stops, and its row says why."""
    put(bucket, lines(40_000), level=1)
    (error,) = disturbed(url, "pg_cancel_backend")
    assert isinstance(error, WarehouseFailed)
    assert error.__suppress_context__
    assert error.sqlstate == "57014"
    assert query(url, "select status, error from raw.loads") == [("failed", error.message)]
    assert visible(url) == []
    (loaded,) = load_archives(SOURCE).loads
    assert loaded.lines < 40_000
    assert visible(url) == numbered((0, 40_000))


def disturbed(url, deed, times=None):
    """What a load ends in, once some lines are committed, whose COPY meets with a deed.

    times: how often; else until the load ends, as a COPY may be done before it is hit.
    """
    ends = []

    def load():
        try:
            ends.extend(load_archives(SOURCE).loads)
        except WarehouseFailed as error:
            ends.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    while committed(url) < 2000:
        time.sleep(0.005)
    while thread.is_alive() and times != 0:
        hit = query(
            url,
            f"select {deed}(pid) from pg_stat_activity where state = 'active'"
            " and query ilike 'copy%' and datname = current_database()"
            " and application_name = 'dwh-helper'",
        )
        if hit and times is not None:
            times -= 1
    thread.join()
    return ends

"""Archives of S3 stand in raw exactly once, however often and however roughly they are loaded."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import psycopg
import pytest
from prefect.client.orchestration import get_client

from flows.errors import BadRequest, Interrupted, WarehouseFailed
from flows.load_raw import load_archives, load_raw
from flows.warehouse.file_loader import FileLoad

SOURCE = "amplitude_web"
PREFIX = "amplitude/web/"
KEY = "amplitude/web/2025_week_02.zip"


def lines(count, start=0, **more):
    """NDJSON of events with numbers from start on, one line each."""
    return b"".join(
        json.dumps({"event_id": number, "event_type": "a", "data": {"n": number}, **more}).encode()
        + b"\n"
        for number in range(start, start + count)
    )


def put(bucket, ndjson, key=KEY, level=6):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("w.ndjson", (1980, 1, 1, 0, 0, 0))
        archive.writestr(info, ndjson, zipfile.ZIP_DEFLATED, level)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=file.getvalue())


def query(url, text):
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def visible(url):
    """(event_id, line) of rows of loads that dbt may see and that no later load supersedes."""
    return query(
        url,
        "select event_id, line_number from raw.amplitude_events join raw.loads using (load_id)"
        " where load_seq is not null and superseded_by is null and status = 'loaded'"
        " order by line_number, event_id",
    )


def numbered(*spans):
    """(event_id, line) of events whose number is that of their line, for (first, count) each."""
    return [(number, number) for first, count in spans for number in range(first, first + count)]


def ledger_rows(url):
    return query(
        url,
        "select load_id, status, row_count, first_line, last_line, load_seq, superseded_by"
        " from raw.loads order by load_id",
    )


@pytest.fixture
def url(settings_env):
    return settings_env["DWH_DATABASE_URL"]


@pytest.fixture
def small_commits(monkeypatch, settings_env):
    """Commit each 64 KB block by itself."""
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "1")


def test_each_archive_is_loaded_once_in_order_of_names(url, bucket):
    """A first run loads all, a second one reads nothing; what is no archive is listed."""
    put(bucket, lines(3, 3), f"{PREFIX}b.zip")
    put(bucket, lines(3) + b"\n \r\n", f"{PREFIX}a.zip")
    put(bucket, b"", f"{PREFIX}c.zip")
    put(bucket, lines(9), "amplitude/mobile/a.zip")
    bucket.client.put_object(Bucket=bucket.name, Key=f"{PREFIX}note.txt", Body=b"x")
    first = load_archives(SOURCE)
    size = len(lines(3))
    assert [
        (load.file_key, load.status, load.rows, load.lines, load.bytes, load.last_line)
        for load in first.loads
    ] == [
        (f"{PREFIX}a.zip", "loaded", 3, 5, size + 4, 4),
        (f"{PREFIX}b.zip", "loaded", 3, 3, size, 2),
        (f"{PREFIX}c.zip", "loaded", 0, 0, 0, None),
    ]
    assert (first.rows, first.ignored) == (6, (f"{PREFIX}note.txt",))
    second = load_archives(SOURCE)
    assert [(load.load_id, load.status, load.rows, load.lines) for load in second.loads] == [
        (load.load_id, "already loaded", load.rows, 0) for load in first.loads
    ]
    assert second.rows == 0
    assert ledger_rows(url) == [
        (1, "loaded", 3, 0, 4, 1, None),
        (2, "loaded", 3, 0, 2, 2, None),
        (3, "loaded", 0, 0, None, 3, None),
    ]
    assert [load.file_key for load in load_archives("amplitude_mobile").loads] == [
        "amplitude/mobile/a.zip"
    ]


def test_the_flow_loads_and_shows_its_progress(url, bucket, prefect_server):
    """As a flow it does the same, and people see how far it is."""
    put(bucket, lines(3))
    result = load_raw(SOURCE)
    assert (result.rows, visible(url)) == (3, numbered((0, 3)))
    with get_client(sync_client=True) as client:
        artifacts = client.request(
            "POST",
            "/artifacts/filter",
            json={"artifacts": {"key": {"any_": ["load-raw-amplitude-web"]}}},
        ).json()
    assert [(artifact["data"], artifact["description"]) for artifact in artifacts] == [
        (100.0, f"{KEY}: 3 rows, 0.0 MB, 100 %")
    ]


def test_a_grown_file_continues_behind_its_old_end(url, bucket):
    """The new lines are a load of their own; the old rows are not touched."""
    for count in (0, 2, 5, 5000):
        put(bucket, lines(count))
        load_archives(SOURCE)
    assert visible(url) == numbered((0, 5000))
    assert ledger_rows(url) == [
        (1, "loaded", 0, 0, None, 1, None),
        (2, "loaded", 2, 0, 1, 2, None),
        (3, "loaded", 3, 2, 4, 3, None),
        (4, "loaded", 4995, 5, 4999, 4, None),
    ]


def test_a_last_line_without_newline_may_grow(url, bucket):
    """A file cut off between two lines, without the newline, is a beginning like any other."""
    put(bucket, lines(3)[:-1])
    load_archives(SOURCE)
    put(bucket, lines(5))
    assert [load.status for load in load_archives(SOURCE).loads] == ["grown"]
    assert visible(url) == numbered((0, 5))


@pytest.mark.parametrize("content", [lines(4, 100), lines(2), b"", lines(2) + lines(5, 50)])
def test_different_content_supersedes(url, bucket, content):
    """Changed, shortened or emptied: the new load stands for the file, old rows wait for dbt."""
    put(bucket, lines(2))
    load_archives(SOURCE)
    put(bucket, lines(3))
    load_archives(SOURCE)
    put(bucket, content)
    (load,) = load_archives(SOURCE).loads
    rows = content.count(b"\n")
    last = rows - 1 if rows else None
    assert (load.status, load.rows, load.last_line) == ("superseding", rows, last)
    assert ledger_rows(url) == [
        (1, "loaded", 2, 0, 1, 1, 3),
        (2, "loaded", 1, 2, 2, 2, 3),
        (3, "loaded", rows, 0, last, 3, None),
    ]
    assert query(url, "select count(*) from raw.amplitude_events") == [(3 + rows,)]
    assert len(visible(url)) == rows


def test_the_same_lines_under_another_etag_load_nothing(url, bucket):
    """The checksum of the lines decides; the new etag is remembered for the next run."""
    put(bucket, lines(3), level=1)
    load_archives(SOURCE)
    before = query(url, "select etag, size_bytes from raw.loads")
    put(bucket, lines(3), level=0)
    (load,) = load_archives(SOURCE).loads
    assert (load.load_id, load.status, load.lines) == (1, "already loaded", 0)
    after = query(url, "select etag, size_bytes from raw.loads")
    assert len(after) == 1
    assert after != before


def test_withdrawn_content_is_never_loaded_again(url, bucket):
    """A person took it out; new lines behind it are loaded, another content supersedes it."""
    put(bucket, lines(3))
    load_archives(SOURCE)
    with psycopg.connect(url) as connection:
        connection.execute("update raw.loads set status = 'withdrawn'")
    assert [load.status for load in load_archives(SOURCE).loads] == ["withdrawn"]
    put(bucket, lines(3), level=0)
    assert [load.status for load in load_archives(SOURCE).loads] == ["withdrawn"]
    put(bucket, lines(5))
    assert [load.status for load in load_archives(SOURCE).loads] == ["grown"]
    assert visible(url) == numbered((3, 2))
    put(bucket, lines(2))
    assert [load.status for load in load_archives(SOURCE).loads] == ["superseding"]
    assert visible(url) == numbered((0, 2))


def test_a_bad_line_interrupts_and_a_better_file_goes_on(url, bucket, small_commits):
    """The lines before it are committed but unseen; the mended file resumes at the mended line."""
    put(bucket, lines(2000) + b'{"secret": nonsense}\n' + lines(10, 2001))
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    error = caught.value
    assert vars(error) == {
        "error_message": f"{KEY}, line 2000: malformed JSON, at character 1",
        "reason": "unreadable_line",
        "file_key": KEY,
        "failed_line": 2000,
        "last_successful_line": 1999,
        "findings": {"unreadable_line": 1},
    }
    assert ledger_rows(url) == [(1, "failed", 2000, 0, 1999, None, None)]
    assert query(url, "select error from raw.loads") == [(error.error_message,)]
    assert visible(url) == []
    put(bucket, lines(2011))
    (load,) = load_archives(SOURCE, key=KEY, start_after=1999).loads
    assert (load.load_id, load.status, load.rows, load.lines) == (1, "loaded", 2011, 11)
    assert visible(url) == numbered((0, 2011))
    assert query(url, "select error from raw.loads") == [(None,)]


def test_a_bad_first_line_has_no_line_before_it(url, bucket):
    """last_successful_line is None where nothing was read before."""
    put(bucket, b"nonsense\n" + lines(3))
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    assert (caught.value.failed_line, caught.value.last_successful_line) == (0, None)
    put(bucket, lines(4))
    assert [load.status for load in load_archives(SOURCE).loads] == ["loaded"]
    assert visible(url) == numbered((0, 4))


def test_other_content_after_a_failure_begins_anew(url, bucket, small_commits):
    """Half-loaded rows of content that is no more are deleted."""
    put(bucket, lines(5))
    load_archives(SOURCE)
    put(bucket, lines(3000, 100) + b"nonsense\n")
    with pytest.raises(Interrupted):
        load_archives(SOURCE)
    put(bucket, lines(3000, 7000))
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows, load.first_line) == ("superseding", 3000, 0)
    assert query(url, "select count(*) from raw.amplitude_events") == [(3005,)]
    assert [event for event, _ in visible(url)] == list(range(7000, 10000))


def test_a_file_that_returns_to_what_is_loaded_drops_the_failed_attempt(url, bucket):
    """The old content counts as before, and no half-loaded rows stay behind."""
    put(bucket, lines(5))
    load_archives(SOURCE)
    put(bucket, lines(7) + b"nonsense\n")
    with pytest.raises(Interrupted):
        load_archives(SOURCE)
    put(bucket, lines(5))
    assert [load.status for load in load_archives(SOURCE).loads] == ["already loaded"]
    assert ledger_rows(url) == [(1, "loaded", 5, 0, 4, 1, None)]
    assert query(url, "select count(*) from raw.amplitude_events") == [(5,)]


def test_one_bad_file_does_not_stop_the_others(url, bucket):
    """The rest is loaded; the error is of the first bad file and says how many there are."""
    put(bucket, lines(1), f"{PREFIX}a.zip")
    bucket.client.put_object(Bucket=bucket.name, Key=f"{PREFIX}b.zip", Body=b"no zip")
    put(bucket, b"nonsense\n", f"{PREFIX}c.zip")
    put(bucket, lines(1, 1), f"{PREFIX}d.zip")
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    assert (caught.value.reason, caught.value.file_key) == ("unreadable_file", f"{PREFIX}b.zip")
    assert caught.value.error_message.endswith("(2 of 4 archives failed)")
    assert query(url, "select file_key, status from raw.loads order by 1") == [
        (f"{PREFIX}a.zip", "loaded"),
        (f"{PREFIX}b.zip", "failed"),
        (f"{PREFIX}c.zip", "failed"),
        (f"{PREFIX}d.zip", "loaded"),
    ]
    assert len(visible(url)) == 2


def test_a_damaged_member_is_never_visible(url, bucket, small_commits):
    """The CRC is known at the end only: until then nothing counts."""
    put(bucket, lines(3000))
    body = bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()
    central = body.rindex(b"PK\1\2") + 16
    spoilt = body[:central] + b"\0\0\0\0" + body[central + 4 :]
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=spoilt)
    with pytest.raises(Interrupted, match="CRC"):
        load_archives(SOURCE)
    assert visible(url) == []
    put(bucket, lines(3000))
    load_archives(SOURCE)
    assert visible(url) == numbered((0, 3000))


def test_a_value_that_postgresql_refuses_is_found_with_care(url, bucket, small_commits):
    """The plain path trusts the server; refused, each value is checked and the odd one kept."""
    odd = b'{"event_id":2000,"uuid":"zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"}\n'
    put(bucket, lines(2000) + odd + lines(500, 2001))
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows, load.lines) == ("loaded", 2501, 2501)
    assert visible(url) == numbered((0, 2501))
    assert query(
        url,
        "select line_number, unknown_fields::text from raw.amplitude_events"
        " where unknown_fields is not null",
    ) == [(2000, '{"uuid":"zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"}')]


def test_what_even_care_does_not_see_names_line_and_column(url, bucket):
    """A row that the table itself refuses is told by its line, and never by its text."""
    put(bucket, lines(1))
    load_archives(SOURCE)
    with psycopg.connect(url) as connection:
        connection.execute(
            "alter table raw.amplitude_events add check (city is distinct from 'Pskov')"
        )
    put(bucket, lines(1) + lines(2, 1, city="a\\nb\n\n") + lines(1, 3, city="Pskov"))
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    error = caught.value
    assert (error.reason, error.failed_line, error.last_successful_line) == (
        "unreadable_line",
        3,
        2,
    )
    assert "23514" in error.error_message
    assert "Pskov" not in error.error_message
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_line_of_50_megabytes_is_loaded(url, bucket):
    """Long lines are slow but whole."""
    text = "я" * 25_000_000
    event = {"event_id": 1, "event_properties": {"text": text}}
    big = json.dumps(event, ensure_ascii=False).encode()
    put(bucket, lines(1) + big + b"\n" + lines(1, 2), level=1)
    load_archives(SOURCE)
    assert query(
        url,
        "select event_id, length(event_properties->>'text') from raw.amplitude_events order by 1",
    ) == [(0, None), (1, 25_000_000), (2, None)]


def test_a_line_beyond_the_limit_interrupts(url, bucket, monkeypatch):
    """A line that PostgreSQL could not hold is refused by its number."""
    monkeypatch.setenv("DWH_LINE_MAX_BYTES", "2000000")
    put(bucket, lines(3) + lines(1, 3, city="x" * 3_000_000))
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    assert (caught.value.reason, caught.value.failed_line) == ("unreadable_line", 3)
    assert ledger_rows(url) == [(1, "failed", 3, 0, 2, None, None)]


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
        process = loader_process()
        before = committed(url)
        while process.poll() is None and committed(url) <= before + 2000:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert visible(url) == []
    done = committed(url)
    assert 0 < done < count
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows, load.lines) == ("loaded", count, count - done)
    assert visible(url) == numbered((0, count))
    put(bucket, lines(count), f"{PREFIX}undisturbed.zip", level=1)
    load_archives(SOURCE)
    assert query(url, "select count(distinct checksum), count(*) from raw.loads") == [(1, 2)]


def committed(url):
    try:
        return query(url, "select coalesce(max(last_line), -1) + 1 from raw.loads")[0][0]
    except psycopg.errors.UndefinedTable:
        return 0


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
    ends = disturbed(url, "select pg_terminate_backend(pid) from pg_stat_activity where")
    assert [(load.status, load.rows, load.lines) for load in ends] == [("loaded", 40_000, 40_000)]
    assert visible(url) == numbered((0, 40_000))


def test_trouble_that_stays_is_told_once_and_running_again_resumes(url, bucket, small_commits):
    """A cancelled statement is nothing that passes: the load stops, and its row says why."""
    put(bucket, lines(40_000), level=1)
    (error,) = disturbed(url, "select pg_cancel_backend(pid) from pg_stat_activity where")
    assert isinstance(error, WarehouseFailed)
    assert error.__suppress_context__
    assert error.sqlstate == "57014"
    assert query(url, "select status, error from raw.loads") == [("failed", error.message)]
    assert visible(url) == []
    (loaded,) = load_archives(SOURCE).loads
    assert loaded.lines < 40_000
    assert visible(url) == numbered((0, 40_000))


def disturbed(url, statement):
    """What a load ends in whose sessions meet with a statement once some lines are committed."""
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
    query(
        url,
        f"{statement} pid <> pg_backend_pid()"
        " and datname = current_database() and application_name = 'dwh-helper'",
    )
    thread.join()
    return ends


def test_start_after_may_not_skip_a_line(url, bucket):
    """It is accepted up to the last committed line of this very content, else it says how far."""
    put(bucket, lines(5))
    with pytest.raises(BadRequest, match="holds no line"):
        load_archives(SOURCE, key=KEY, start_after=0)
    load_archives(SOURCE)
    assert [x.status for x in load_archives(SOURCE, key=KEY, start_after=4).loads] == [
        "already loaded"
    ]
    with pytest.raises(BadRequest, match="lines 0 to 4"):
        load_archives(SOURCE, key=KEY, start_after=5)
    put(bucket, lines(9))
    with pytest.raises(BadRequest, match="lines 0 to 4"):
        load_archives(SOURCE, key=KEY, start_after=6)
    assert [x.rows for x in load_archives(SOURCE, key=KEY, start_after=2).loads] == [4]
    put(bucket, lines(9, 1))
    with pytest.raises(BadRequest, match="holds no line of this content"):
        load_archives(SOURCE, key=KEY, start_after=2)
    assert visible(url) == numbered((0, 9))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"source": "web"}, "unknown source 'web'; known are amplitude_web, amplitude_mobile"),
        ({"source": SOURCE, "prefix": "a/", "key": KEY}, "give prefix or key, not both"),
        ({"source": SOURCE, "start_after": 1}, "its key"),
        ({"source": SOURCE, "key": KEY, "start_after": -1}, "0-based"),
        ({"source": SOURCE, "key": "none.zip"}, "there is no object 'none.zip'"),
    ],
)
def test_bad_arguments_are_told(settings_env, arguments, why):
    """Nothing is loaded, and the sentence says what to change."""
    with pytest.raises(BadRequest, match=why):
        load_archives(**arguments)


def test_a_file_belongs_to_one_source(url, bucket):
    """Loading an archive of the web project as mobile would double its events."""
    put(bucket, lines(1))
    load_archives(SOURCE)
    put(bucket, lines(2))
    with pytest.raises(BadRequest, match="belongs to source amplitude_web"):
        load_archives("amplitude_mobile", key=KEY)


def test_a_prefix_without_archives_is_no_error(url):
    """Nothing exported yet: nothing to load."""
    assert load_archives(SOURCE, "nothing/").loads == ()


def test_the_result_is_plain_data(url, bucket):
    """Callers get values, not handles."""
    put(bucket, lines(1))
    (load,) = load_archives(SOURCE).loads
    assert load == FileLoad(1, KEY, "loaded", 0, 0, 1, 1, len(lines(1)), load.seconds)

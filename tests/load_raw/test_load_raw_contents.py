"""Each content stands in raw once: a file that grew goes on, one that changed supersedes."""

import json

import psycopg
import pytest
from prefect.artifacts import Artifact
from raw_archives import KEY, PREFIX, SOURCE, ledger_rows, lines, numbered, put, visible
from raw_loads import query

from flows.load_raw import load_archives, load_raw


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
    artifact = Artifact.get("load-raw-amplitude-web")
    assert artifact is not None
    assert (artifact.data, artifact.description) == (100.0, f"{KEY}: 3 rows, 0.0 MB, 100 %")


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

"""What cannot be read is named by file and line, shows nothing, and a better file goes on."""

import psycopg
import pytest
from raw_archives import KEY, PREFIX, SOURCE, ledger_rows, lines, numbered, put, visible
from raw_loads import query

from flows.errors import Interrupted
from flows.load_raw import load_archives


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


def test_a_line_beyond_the_limit_interrupts(url, bucket, monkeypatch):
    """A line that PostgreSQL could not hold is refused by its number."""
    monkeypatch.setenv("DWH_LINE_MAX_BYTES", "2000000")
    put(bucket, lines(3) + lines(1, 3, city="x" * 3_000_000))
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    assert (caught.value.reason, caught.value.failed_line) == ("unreadable_line", 3)
    assert ledger_rows(url) == [(1, "failed", 3, 0, 2, None, None)]

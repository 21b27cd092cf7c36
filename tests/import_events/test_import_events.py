"""A file is archived, loaded and counted; what it holds stands in raw once, and is told again."""

import json
import os
import subprocess
import sys

import pytest
from bucket_contents import body_of, keys_in
from imported_files import (
    FORMATS,
    as_csv,
    as_format,
    as_ndjson,
    as_parquet,
    event,
    event_id,
    events_in_raw,
    expected,
    packed,
)
from killed_loads import kill_behind
from raw_loads import query

from flows.errors import BadRequest, Interrupted
from flows.import_events import import_events, import_file
from flows.load_raw import load_archives
from flows.withdraw_load import withdraw

EVENTS = [event(number) for number in range(5)]


def told(result):
    return result.rows, result.inserted, result.duplicates, result.rejected


@pytest.mark.parametrize("packing", [None, "gz", "zip"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_packing_lands_alike(url, bucket, file, form, packing):
    """CSV, NDJSON and Parquet, packed or not: the same rows, and the bytes as they were in S3."""
    name = f"May 2025.{form}" + (f".{packing}" if packing else "")
    content = packed(as_format(form, EVENTS), packing)
    result = import_file(file(name, content))
    assert told(result) == (5, 5, 0, 0)
    assert result.file_key.startswith("import/May_2025-")
    assert result.file_key.endswith(name[len("May 2025") :])
    assert body_of(bucket, result.file_key) == content
    assert events_in_raw(url) == expected(EVENTS, 1 if form == "csv" else 0)


def test_the_same_event_has_the_same_hash_in_every_format(url, bucket, file):
    """Spelling of ids and times, zone and format do not count."""
    spelt = [
        event(1, event_id="{" + event_id(1).replace("-", "") + "}",
              occurred_at="2025-01-06T12:00:01.000+03:00"),
    ]  # fmt: skip
    for form, events in (("csv", spelt), ("ndjson", [event(1)]), ("parquet", [event(1)])):
        import_file(file(f"a.{form}", as_format(form, events)))
    assert query(url, "select count(*), count(distinct content_hash) from raw.import_events") == [
        (3, 1)
    ]


def test_a_zip_may_name_its_format_inside(url, file):
    """What the member is called counts where the zip's own name tells nothing."""
    result = import_file(file("all.zip", packed(as_parquet(EVENTS), "zip", "e.parquet")))
    assert told(result) == (5, 5, 0, 0)
    with pytest.raises(Interrupted, match=r"ends neither in \.csv"):
        import_file(file("b.zip", packed(b"x", "zip", "e.txt")))


def test_the_same_file_again_inserts_nothing(url, bucket, file):
    """It is the same object, nothing is loaded, and all of its rows are told as duplicates."""
    path = file("a.csv", as_csv(EVENTS))
    first, again = import_file(path), import_file(path)
    assert (told(first), first.duplicate_ids) == ((5, 5, 0, 0), ())
    assert told(again) == (5, 0, 5, 0)
    assert again.duplicate_ids == tuple(event_id(number) for number in range(5))
    assert (again.file_key, again.load_id) == (first.file_key, first.load_id)
    assert keys_in(bucket) == [first.file_key]
    assert query(url, "select count(*) from raw.import_events") == [(5,)]


def test_known_ids_are_told(url, file):
    """Ids of other files that count, and ids that the file itself repeats; the first 1,000."""
    import_file(file("a.csv", as_csv([event(number) for number in range(1100)])))
    new = [event(number, event_type="else") for number in (*range(1098, -1, -1), 2000, 2000)]
    result = import_file(file("b.ndjson", as_ndjson(new)))
    assert told(result) == (1101, 1, 1100, 0)
    assert result.duplicate_ids == tuple(event_id(number) for number in range(1098, 98, -1))
    assert told(import_file(file("b.ndjson", as_ndjson(new)))) == (1101, 0, 1101, 0)


def test_a_file_that_changes_under_its_key_is_told_whole(url, bucket):
    """Grown: the rows from before are duplicates; other content: the ids that it had, too."""

    def put(events):
        bucket.client.put_object(Bucket=bucket.name, Key="import/a.csv", Body=as_csv(events))
        return import_file(key="import/a.csv")

    assert told(put(EVENTS[:2])) == (2, 2, 0, 0)
    grown = put(EVENTS[:4])
    assert told(grown) == (4, 2, 2, 0)
    assert grown.duplicate_ids == (event_id(0), event_id(1))
    assert told(import_file(key="import/a.csv")) == (4, 0, 4, 0)
    other = put([event(9), event(3, user_id="else")])
    assert told(other) == (2, 1, 1, 0)
    assert other.duplicate_ids == (event_id(3),)


def test_times_without_a_zone_are_told(url, file):
    """By their number, in the result and in its sentence."""
    rows = [event(0), event(1, occurred_at="2025-01-06 09:00:00+03"), event(2, event_id="x")]
    result = import_file(file("a.csv", as_csv(rows)), max_rejected=1)
    assert result.taken_as_utc == 1
    assert str(result).endswith("1 rejected; 1 times without a zone are taken as UTC")
    result = import_file(file("b.csv", as_csv(rows[1:2])))
    assert str(result).endswith("0 rejected")


def test_ids_of_loads_that_do_not_count_are_not_known(url, file):
    """A withdrawn load's ids are new again; its own content is never taken in again."""
    first = import_file(file("a.csv", as_csv(EVENTS)))
    withdraw(first.load_id, "a test's")
    assert told(import_file(file("b.csv", as_csv(EVENTS[:2])))) == (2, 2, 0, 0)
    with pytest.raises(BadRequest, match="withdraw_load"):
        import_file(file("a.csv", as_csv(EVENTS)))


def test_an_object_of_s3_is_taken_too(url, bucket, file):
    """One that lies elsewhere is copied into the archive, one that lies there stays as it is."""
    for key in ("inbox/a.csv", "import/b.csv"):
        body = as_csv([event(0 if key.startswith("inbox") else 1)])
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
        result = import_file(key=key)
        assert told(result) == (1, 1, 0, 0)
        assert (result.file_key == key) == key.startswith("import/")
    assert len(keys_in(bucket)) == 3


def test_load_raw_takes_every_archive(url, bucket, file, postgres_server):
    """From S3 alone: the same rows, those let pass as rejected, too; nothing else is an archive."""
    bad = as_csv([*EVENTS, event(5, event_id="x")])
    import_file(file("a.csv", bad), max_rejected=3)
    import_file(file("b.parquet", as_parquet(EVENTS)))
    everything = "select load_id, line_number, content_hash, rejected_reason from raw.import_events"
    before = query(url, everything)
    assert [load.status for load in load_archives("import").loads] == ["already loaded"] * 2
    query(url, "truncate raw.loads, raw.import_events restart identity cascade")
    result = load_archives("import")
    assert [(load.status, load.rows) for load in result.loads] == [("loaded", 6), ("loaded", 5)]
    assert [key.endswith(".csv.max_rejected") for key in result.ignored] == [True]
    assert query(url, everything) == before


def test_bad_rows_within_max_rejected_are_kept_with_reasons(url, bucket, file):
    """They are counted, stand in a view with reason and text, and the others are events."""
    rows = as_csv([event(0), event(1, event_id="x"), event(2), event(3, occurred_at="now")])
    rows += b"only,three,cells\n"
    with pytest.raises(Interrupted, match=r"3 bad rows in all, at 2, 4, 5; max_rejected allows 2"):
        import_file(file("a.csv", rows), max_rejected=2)
    assert keys_in(bucket) == []
    result = import_file(file("a.csv", rows), max_rejected=3)
    assert told(result) == (5, 2, 0, 3)
    assert [row[0] for row in events_in_raw(url)] == [1, 3]
    assert query(
        url,
        "select file_key, load_id, line_number, reason, left(record, 5)"
        " from raw.rejected_import_records order by line_number",
    ) == [
        (result.file_key, 1, 2, "column event_id is no uuid", "x,202"),
        (
            *(result.file_key, 1, 4),
            "column occurred_at is no time such as 2025-01-06 09:05:01.25+03:00",
            "00000",
        ),
        (result.file_key, 1, 5, "3 cells, where the first line names 5", "only,"),
    ]
    assert told(import_file(file("a.csv", rows), max_rejected=3)) == (5, 0, 2, 3)


def test_a_bad_file_leaves_nothing(url, bucket, file):
    """Nothing in S3, nothing in the ledger; the mended file goes in."""
    with pytest.raises(Interrupted) as caught:
        import_file(path := file("a.csv", as_csv([event(0), event(1, properties="{")])))
    assert vars(caught.value) == {
        "error_message": f"{path}, line 2 (0-based): column properties: malformed JSON, at"
        " character 1. 1 bad rows in all, at 2; max_rejected allows 0",
        "reason": "invalid_value",
        "file_key": str(path),
        "failed_line": 2,
        "last_successful_line": 1,
        "findings": {"invalid_value": 1},
    }
    assert keys_in(bucket) == []
    assert told(import_file(file("a.csv", as_csv(EVENTS)))) == (5, 5, 0, 0)


def test_a_bad_archive_put_by_hand_is_told_by_its_line(url, bucket):
    """load_raw stops at it, with the lines before it committed, unseen; a better one goes on."""
    events = [event(number) for number in range(3000)]
    body = as_csv([*events, event(1, user_id="Zkqw", properties="[1]"), event(2)])
    bucket.client.put_object(Bucket=bucket.name, Key="import/a.csv", Body=body)
    with pytest.raises(
        Interrupted, match=r"line 3001 .*column properties: no JSON object"
    ) as caught:
        load_archives("import")
    assert (caught.value.failed_line, caught.value.file_key) == (3001, "import/a.csv")
    assert "Zkqw" not in str(query(url, "select error from raw.loads"))
    assert query(url, "select last_line, load_seq from raw.loads") == [(3000, None)]
    bucket.client.put_object(Bucket=bucket.name, Key="import/a.csv", Body=as_csv(events))
    assert [load.status for load in load_archives("import").loads] == ["loaded"]
    assert events_in_raw(url) == expected(events, 1)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "give path"),
        ({"path": "a.csv", "key": "a.csv"}, "one of them"),
        ({"path": "/nowhere/a.csv"}, "there is no file /nowhere/a.csv"),
        ({"key": "a.csv"}, "there is no object 'a.csv'"),
        ({"path": __file__}, r"has to end in \.csv"),
        ({"key": "a.csv", "source": "appmetrica"}, "unknown source 'appmetrica'; known are import"),
        ({"key": "a.csv", "max_rejected": -1}, "-1 is none"),
    ],
)
def test_bad_arguments_are_told(url, arguments, why):
    """Nothing is read or written, and the sentence says what to change."""
    with pytest.raises(BadRequest, match=why):
        import_file(**arguments)


def test_the_flow_does_the_same(url, file, prefect_server, caplog):
    """As a flow it returns the same, and its log tells counts and no value."""
    path = file("a.csv", as_csv([event(0, user_id="Zkqw", properties='{"name": "Zkqw"}')]))
    assert told(import_events(str(path))) == (1, 1, 0, 0)
    assert "Zkqw" not in caplog.text


IMPORT = "import sys; from flows.import_events import import_file; import_file(sys.argv[1])"


@pytest.mark.parametrize("form", FORMATS)
def test_a_killed_import_goes_on(url, bucket, file, monkeypatch, form):
    """kill -9 between two commits: the next run loads the rest, and each row stands there once."""
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "1")
    events = [event(number) for number in range(30_000)]
    path = file(f"a.{form}", as_format(form, events))
    process = subprocess.Popen([sys.executable, "-c", IMPORT, path], env=os.environ.copy())
    assert 0 < kill_behind(process, url, 2000) < len(events)
    assert events_in_raw(url) == []
    assert told(import_file(path)) == (30_000, 30_000, 0, 0)
    assert events_in_raw(url) == expected(events, 1 if form == "csv" else 0)


PEAK = "; print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"


def test_memory_stays_constant(url, bucket, file):
    """Ten times the rows take no more memory, but for the parts of an upload on their way."""
    peaks = []
    for count in (20_000, 200_000):
        path = file(f"{count}.csv", as_csv(event(number) for number in range(count)))
        answer = subprocess.run(
            [sys.executable, "-c", IMPORT + PEAK, path],
            env=os.environ.copy(),
            check=True,
            capture_output=True,
        )
        peaks.append(int(answer.stdout) // 1024)
    assert peaks[1] < peaks[0] + 64, peaks


def test_properties_stand_as_sent(url, file):
    """Text of JSON is not parsed and written anew; breaks between its parts become blanks."""
    sent = '{"b": 1.50,\r\n "a":\t[1, 2], "c": "\\u0000", "a": 2}'
    for form in ("csv", "parquet"):
        import_file(file(f"a.{form}", as_format(form, [event(0, properties=sent)])))
    stored = {row[5] for row in events_in_raw(url)}
    assert stored == {sent.replace("\r\n", "  ")}
    assert json.loads(stored.pop())["a"] == 2

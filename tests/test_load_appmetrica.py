"""AppMetrica's archives stand in raw exactly once; equal rows stay apart and keep their numbers."""

import gzip
import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from uuid import UUID

import psycopg
import pytest
from killed_loads import kill_behind
from raw_loads import add_appmetrica_load

from flows.errors import BadRequest, Interrupted
from flows.load_raw import load_archives
from flows.vendors.appmetrica_tables import TABLES

SOURCE = "appmetrica"
PREFIX = "appmetrica/1111/"
KEY = f"{PREFIX}installations/2025-01-06.ndjson.gz"


def key_of(vendor_table, name="2025-01-06"):
    return f"{PREFIX}{vendor_table}/{name}.ndjson.gz"


def line(**row):
    return json.dumps(row, ensure_ascii=False).encode()


def put(bucket, lines, key=KEY, level=6):
    """A file of these lines, in this order."""
    body = gzip.compress(b"".join(one + b"\n" for one in lines), level, mtime=0)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)


def query(url, text):
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def numbered(url, table="raw.appmetrica_installations"):
    """(line, content hash, ordinal) of rows that dbt may see and no later load supersedes."""
    return query(
        url,
        f"select line_number, content_hash, ordinal from {table} join raw.loads using (load_id)"
        " where load_seq is not null and superseded_by is null and status = 'loaded'"
        " order by line_number",
    )


def expected(lines):
    """What `numbered` says of a file of these lines."""
    seen: Counter[bytes] = Counter()
    rows = []
    for number, one in enumerate(lines):
        rows.append((number, UUID(hashlib.md5(one).hexdigest()), seen[one]))
        seen[one] += 1
    return rows


@pytest.fixture
def url(settings_env):
    return settings_env["DWH_DATABASE_URL"]


@pytest.fixture
def small_commits(monkeypatch, settings_env):
    """Commit each 64 KB block by itself."""
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "1")


def test_each_table_lands_where_its_key_says(url, bucket):
    """All 13 tables under one prefix: four in typed tables, nine in one; the index is left out."""
    for number, vendor_table in enumerate(TABLES):
        name = "2025-01-06T120000Z" if vendor_table == "profiles_v2" else "2025-01-06"
        put(bucket, [line(application_id="1111", n=str(number))], key_of(vendor_table, name))
    for other in ("events/index.json", "events/2025-01-06.csv", "clocks/2025-01-06.ndjson.gz"):
        bucket.client.put_object(Bucket=bucket.name, Key=f"{PREFIX}{other}", Body=b"{}")
    result = load_archives(SOURCE)
    assert result.ignored == (
        f"{PREFIX}clocks/2025-01-06.ndjson.gz",
        f"{PREFIX}events/2025-01-06.csv",
        f"{PREFIX}events/index.json",
    )
    assert [(load.status, load.rows) for load in result.loads] == [("loaded", 1)] * 13
    assert load_archives(SOURCE).rows == 0
    assert query(url, "select distinct source from raw.loads") == [(SOURCE,)]
    for table in ("events", "installations", "profiles", "sessions_starts"):
        assert query(
            url,
            "select file_key like '%/' || case %L when 'profiles' then 'profiles_v2' else %L end"
            f" || '/%', line_number, ordinal from raw.appmetrica_{table}"
            " join raw.loads using (load_id)".replace("%L", f"'{table}'"),
        ) == [(True, 0, 0)]
    assert query(
        url,
        "select table_name, record->>'application_id' from raw.appmetrica_other order by 1",
    ) == [
        (name, "1111")
        for name in sorted(
            set(TABLES) - {"events", "installations", "profiles_v2", "sessions_starts"}
        )
    ]
    assert query(url, "select snapshot_time::text from raw.appmetrica_profiles") == [
        ("2025-01-06 12:00:00+00",)
    ]


def installation_rows(count, draw):
    """Rows of six fields: about half of the ids above 2^63, as the vendor's are."""
    rows = []
    for number in range(count):
        device = draw.randrange(2**63, 2**64) if draw.random() < 0.51 else draw.randrange(2**63)
        rows.append(
            {
                "install_datetime": f"2025-01-06 {number // 3600:02d}:{number // 60 % 60:02d}:00",
                "appmetrica_device_id": str(device),
                "google_aid": str(UUID(int=draw.getrandbits(128))) if draw.random() < 0.7 else "",
                "country_iso_code": draw.choice(("RU", "KZ", "DE")),
                "tracker_name": draw.choice(("", "Реклама 1", "Ads")),
                "match_type": draw.choice(("", "referrer")),
            }
        )
    return rows


def test_every_installation_arrives_and_no_id_changes(url, bucket):
    """8,597 rows, half of the ids above 2^63, four exact copies: all there, to the digit."""
    draw = random.Random(8597)
    rows = installation_rows(8593, draw)
    rows += draw.sample(rows, 4)
    draw.shuffle(rows)
    rows[17]["appmetrica_device_id"] = str(2**64 - 1)
    rows[18]["appmetrica_device_id"] = "1234567890123456"
    assert sum(int(row["appmetrica_device_id"]) >= 2**63 for row in rows) > 0.49 * len(rows)
    lines = [line(**row) for row in rows]
    put(bucket, lines)
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows) == ("loaded", 8597)
    stored = query(
        url,
        "select install_datetime::text, appmetrica_device_id::text, google_aid, country_iso_code,"
        " tracker_name, match_type, unknown_fields from raw.appmetrica_installations"
        " order by line_number",
    )
    assert stored == [(*row.values(), None) for row in rows]
    assert numbered(url) == expected(lines)
    assert query(
        url,
        "select count(*) filter (where ordinal > 0), count(distinct (content_hash, ordinal))"
        " from raw.appmetrica_installations",
    ) == [(4, 8597)]


A, B, C = (line(city=city) for city in "abc")


@pytest.mark.parametrize(
    "lines",
    [
        [A, A],
        [A, A, A, B],
        [A, B, A, C, B, A],
        [A, *(line(n=str(number)) for number in range(5000)), A],
        [],
    ],
)
def test_equal_rows_stay_apart(url, bucket, lines):
    """Adjacent or far apart, in any order: each of them bears its number among its equals."""
    put(bucket, lines)
    load_archives(SOURCE)
    assert numbered(url) == expected(lines)


@pytest.mark.parametrize("vendor_table", ["events", "clicks", "profiles_v2", "sessions_starts"])
def test_equal_rows_stay_apart_in_every_table(url, bucket, vendor_table):
    """What lands in the other tables is numbered too."""
    lines = [A, B, A]
    put(bucket, lines, key_of(vendor_table))
    load_archives(SOURCE)
    table = {"clicks": "other", "profiles_v2": "profiles"}.get(vendor_table, vendor_table)
    assert numbered(url, f"raw.appmetrica_{table}") == expected(lines)


def test_a_file_that_grows_goes_on_counting(url, bucket):
    """A new part that repeats old rows numbers them behind the old ones; those do not change."""
    for lines in ([], [A], [A, B, A], [A, B, A, A, C, B], [A, B, A, A, C, B, A]):
        put(bucket, lines)
        load_archives(SOURCE)
        assert numbered(url) == expected(lines)
    assert query(url, "select row_count from raw.loads order by load_id") == [
        (0,),
        (1,),
        (2,),
        (3,),
        (1,),
    ]


def test_another_file_begins_anew(url, bucket):
    """Ordinals are of a file: the same rows in another file bear the same numbers."""
    put(bucket, [A, A])
    put(bucket, [A, B, A], key_of("installations", "2025-01-07"))
    load_archives(SOURCE)
    assert query(
        url, "select line_number, ordinal from raw.appmetrica_installations order by load_id, 1"
    ) == [(0, 0), (1, 1), (0, 0), (1, 0), (2, 1)]


def test_a_day_asked_again_has_the_same_numbers(url, bucket):
    """Superseded by one with a row more: hash and ordinal of the old rows are the same again."""
    put(bucket, [A, A, C])
    load_archives(SOURCE)
    before = {row[1:] for row in numbered(url)}
    put(bucket, [A, A, B, B, C])
    assert [load.status for load in load_archives(SOURCE).loads] == ["superseding"]
    after = numbered(url)
    assert after == expected([A, A, B, B, C])
    assert {row[1:] for row in after} == before | {row[1:] for row in expected([B, B])}


def test_a_withdrawn_part_still_counts_its_rows(url, bucket):
    """An ordinal follows from the file alone, whether a person took its beginning out or not."""
    put(bucket, [A, B])
    load_archives(SOURCE)
    with psycopg.connect(url) as connection:
        connection.execute("update raw.loads set status = 'withdrawn'")
    put(bucket, [A, B, A])
    load_archives(SOURCE)
    assert numbered(url) == expected([A, B, A])[2:]


def test_snapshots_stand_beside_each_other(url, bucket):
    """A profile of two snapshots is two rows; none supersedes the other."""
    row = line(profile_id="p", ehr_id="42", appmetrica_device_id=str(2**64 - 1))
    put(bucket, [row], key_of("profiles_v2", "2025-01-06T000000Z"))
    load_archives(SOURCE)
    put(bucket, [row], key_of("profiles_v2", "2025-01-07T000000Z"))
    assert [load.status for load in load_archives(SOURCE).loads] == ["already loaded", "loaded"]
    assert query(
        url,
        "select snapshot_time::text, profile_id, appmetrica_device_id::text, unknown_fields::text,"
        " ordinal from raw.appmetrica_profiles join raw.loads using (load_id)"
        " where superseded_by is null order by 1",
    ) == [
        (f"2025-01-0{day} 00:00:00+00", "p", str(2**64 - 1), '{"ehr_id":"42"}', 0) for day in (6, 7)
    ]


def test_retired_rows_leave_every_table(url, bucket):
    """raw.retire_loads deletes the rows of its loads wherever they stand, and no others."""
    for vendor_table in TABLES:
        put(bucket, [A, B, A], key_of(vendor_table))
        put(bucket, [A], key_of(vendor_table, "2025-01-07"))
    load_archives(SOURCE)
    tables = ("events", "installations", "profiles", "sessions_starts", "other")
    with psycopg.connect(url) as connection:
        connection.execute("update raw.loads set superseded_by = load_id where row_count = 3")
        assert connection.execute(
            "select raw.retire_loads(array(select load_id from raw.loads where row_count = 3))"
        ).fetchone() == (39,)
    left = [query(url, f"select count(*) from raw.appmetrica_{name}")[0][0] for name in tables]
    assert left == [1, 1, 1, 1, 9]
    assert query(
        url, "select row_count, status, count(*) from raw.loads group by 1, 2 order by 1"
    ) == [
        (1, "loaded", 13),
        (3, "superseded", 13),
    ]


ODD_LINES = [
    b'{"city":"a\\u0000b","google_aid":"\\ud800","mcc":250}',
    b'{"city":"a","city":"b","mcc":"x","mcc":"1"}',
    b'{"click_datetime":"1970-01-01 03:00:00","tracking_id":"0","publisher_id":""}',
    b'{"appmetrica_device_id":18446744073709551615,"is_reinstallation":true}',
    b'{"click_datetime":"2025-02-30 03:00:00"}',  # the server refuses it: the rest goes with care
]


def test_odd_values_arrive(url, bucket):
    """NUL, half a surrogate pair, repeated keys, bare numbers, the epoch, a day that is none."""
    put(bucket, [A, *ODD_LINES, B])
    load_archives(SOURCE)
    assert query(
        url,
        "select city, mcc, click_datetime::text, tracking_id::text, publisher_id,"
        " appmetrica_device_id::text, is_reinstallation, unknown_fields::text"
        " from raw.appmetrica_installations order by line_number",
    ) == [
        ("a", None, None, None, None, None, None, None),
        (None, 250, None, None, None, None, None, '{"city":"a\\u0000b","google_aid":"\\ud800"}'),
        ("b", 1, None, None, None, None, None, None),
        (None, None, "1970-01-01 03:00:00", "0", None, None, None, None),
        (None, None, None, None, None, "18446744073709551615", True, None),
        (*[None] * 7, '{"click_datetime":"2025-02-30 03:00:00"}'),
        ("b", None, None, None, None, None, None, None),
    ]
    assert numbered(url) == expected([A, *ODD_LINES, B])


def test_a_bad_line_interrupts_and_a_better_file_goes_on(url, bucket):
    """Nothing counts until the file can be read; then the numbers are those of the whole file."""
    put(bucket, [A, A, b'{"secret": nonsense}', A])
    with pytest.raises(Interrupted) as caught:
        load_archives(SOURCE)
    assert (caught.value.failed_line, caught.value.file_key) == (2, KEY)
    assert numbered(url) == []
    put(bucket, [A, A, B, A])
    assert [load.status for load in load_archives(SOURCE).loads] == ["loaded"]
    assert numbered(url) == expected([A, A, B, A])


def test_other_content_after_a_failure_begins_anew(url, bucket, small_commits):
    """Half-loaded rows of content that is no more leave the table that they are in."""
    half = [line(n=str(number)) for number in range(5000)]
    put(bucket, [*half, b"nonsense"], key_of("clicks"))
    with pytest.raises(Interrupted):
        load_archives(SOURCE)
    assert query(url, "select count(*) from raw.appmetrica_other") == [(5000,)]
    put(bucket, [A, A], key_of("clicks"))
    load_archives(SOURCE)
    assert query(url, "select count(*) from raw.appmetrica_other") == [(2,)]
    assert numbered(url, "raw.appmetrica_other") == expected([A, A])


def test_rows_put_in_without_s3_are_the_same(url, bucket):
    """The helper for tests of the models leaves what load_raw leaves."""
    rows = [{"city": "a"}, {"mcc": "250", "event_json": '{"a":1}'}, {"city": "a"}]
    key = key_of("events")
    put(bucket, [line(**row) for row in rows], key)
    load_archives(SOURCE)
    add_appmetrica_load(url, key, rows, supersedes=True)
    assert query(
        url,
        "select count(*), count(distinct to_jsonb(line) - 'load_id')"
        " from raw.appmetrica_events as line",
    ) == [(6, 3)]
    assert query(
        url,
        "select status, row_count, last_line, load_seq, superseded_by from raw.loads order by 4",
    ) == [("loaded", 3, 2, 1, 2), ("loaded", 3, 2, 2, None)]


def test_a_damaged_file_is_told(url, bucket):
    """What is no gzip file, or a cut one, interrupts with its key."""
    put(bucket, [line(n=str(number)) for number in range(1000)])
    body = bucket.client.get_object(Bucket=bucket.name, Key=KEY)["Body"].read()
    for spoilt in (b"no gzip file at all", b"", body[:-20], body[:-5] + b"\0" + body[-4:]):
        bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=spoilt)
        with pytest.raises(Interrupted) as caught:
            load_archives(SOURCE)
        assert (caught.value.reason, caught.value.file_key) == ("unreadable_file", KEY)
    assert numbered(url) == []


def test_a_key_that_names_no_table_is_refused(url, bucket):
    """An object beside the tables is no archive, even where it is asked for by name."""
    put(bucket, [A], f"{PREFIX}clocks/2025-01-06.ndjson.gz")
    with pytest.raises(BadRequest, match="which table of appmetrica"):
        load_archives(SOURCE, key=f"{PREFIX}clocks/2025-01-06.ndjson.gz")


LOAD = "from flows.load_raw import load_archives; load_archives('appmetrica')"


def test_a_killed_load_resumes_and_numbers_the_whole_file(url, bucket, small_commits):
    """kill -9 between two commits: the equal rows of both halves are told apart."""
    lines = [line(city=str(number % 25_000), mcc="250") for number in range(50_000)]
    put(bucket, lines, level=1)
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD], env=os.environ.copy(), stderr=subprocess.PIPE
    )
    done = kill_behind(process, url, 5000)
    assert 0 < done < len(lines)
    assert numbered(url) == []
    (load,) = load_archives(SOURCE).loads
    assert (load.status, load.rows, load.lines) == ("loaded", len(lines), len(lines) - done)
    assert numbered(url) == expected(lines)

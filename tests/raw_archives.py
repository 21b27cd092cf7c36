"""Archives of Amplitude put into the bucket, and what raw holds of them once they are loaded."""

import io
import json
import zipfile

from raw_loads import query

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

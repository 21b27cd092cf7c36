"""Event files for tests: events in each format and packing, and what raw holds of them."""

import csv
import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
from raw_loads import query

COLUMNS = ("event_id", "occurred_at", "user_id", "event_type", "properties")
FORMATS = ("csv", "ndjson", "parquet")


def event_id(number):
    return f"00000000-0000-0000-0000-{number:012d}"


def event(number, **columns):
    """Event number n: n seconds after nine, its id made of n."""
    return {
        "event_id": event_id(number),
        "occurred_at": f"2025-01-06 09:{number // 60 % 60:02d}:{number % 60:02d}",
        "user_id": f"user {number % 3}",
        "event_type": "opened",
        "properties": json.dumps({"n": number}),
    } | columns


def as_csv(events, columns=COLUMNS, quoting=csv.QUOTE_MINIMAL):
    file = io.StringIO()
    rows = csv.DictWriter(file, columns, lineterminator="\n", quoting=quoting)
    rows.writeheader()
    rows.writerows(events)
    return file.getvalue().encode()


def as_ndjson(events):
    return b"".join(
        json.dumps(
            one | {"properties": json.loads(one["properties"]) if one["properties"] else None}
        ).encode()
        + b"\n"
        for one in events
    )


def as_parquet(events, **writing):
    file = io.BytesIO()
    columns = {name: [one[name] for one in events] for name in COLUMNS}
    pq.write_table(pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()}), file,
                   **writing)  # fmt: skip
    return file.getvalue()


def as_format(name, events):
    return {"csv": as_csv, "ndjson": as_ndjson, "parquet": as_parquet}[name](events)


def packed(content, packing, member="events.csv"):
    if packing == "gz":
        return gzip.compress(content, mtime=0)
    if packing == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content)
        return file.getvalue()
    return content


def events_in_raw(url):
    """(line, id, time, user, type, properties) of events of complete loads, in order."""
    return query(
        url,
        "select line_number, event_id::text, occurred_at::text, user_id, event_type,"
        " properties::text from raw.import_events inner join raw.loads using (load_id)"
        " where load_seq is not null and rejected_reason is null order by load_id, line_number",
    )


def expected(events, first_line=0):
    """What events_in_raw says of events on a line each."""
    return [
        (line, one["event_id"], one["occurred_at"] + "+00", *list(one.values())[2:])
        for line, one in enumerate(events, first_line)
    ]

"""Rows for tests of load_rows, and what raw holds of them."""

import csv
import io
import json
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from raw_loads import query

NINE = datetime(2025, 1, 6, 9)

#: A call in a process of its own, which tests can kill; its argument is a file for events_part.
LOAD = """
import sys
from flows.load_rows import put_in_rows
put_in_rows("events_part", path=sys.argv[1])
"""


def uuid_of(number):
    return f"00000000-0000-0000-0000-{number:012d}"


def event(number, **columns):
    """Row number n of events_part: n seconds after nine, its id made of n."""
    return {
        "uuid": uuid_of(number),
        "event_time": str(NINE + timedelta(seconds=number)),
        "user_id": f"user {number % 3}",
        "session_id": number,
        "event_type": "opened",
    } | columns


def as_csv(rows):
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_ndjson(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_json(rows):
    return json.dumps(rows, indent=1).encode()


def as_parquet(rows):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


FORMS = {"csv": as_csv, "ndjson": as_ndjson, "json": as_json, "parquet": as_parquet}


def rows_in_raw(url):
    """(table, line, uuid, time, values) of rows of complete loads, in order."""
    return query(
        url,
        "select table_name, line_number, uuid::text, event_time::text, row_values::text"
        " from raw.direct_rows inner join raw.loads using (load_id)"
        " where load_seq is not null order by load_id, line_number",
    )


def expected(rows, table="events_part"):
    """What rows_in_raw says of rows that bear uuid and event_time."""
    return [
        (
            table,
            line,
            row["uuid"],
            row["event_time"] + "+00",
            json.dumps(
                {k: row[k] for k in row if k not in ("uuid", "event_time")}, separators=(",", ":")
            ),
        )
        for line, row in enumerate(rows)
    ]

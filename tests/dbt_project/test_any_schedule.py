"""Whatever comes, in any order, with builds in between: the marts are those of one full refresh.

One example is a population of patients who share a schedule of loads, withdrawals, builds and
changes of the mapping; what each of them sends is drawn from a seed. The row of all records without
an ehr_id is shared by everybody, and compared like any other.
"""

import json
import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import add_appmetrica_load, add_direct_load, add_import_load
from warehouse import event

#: Patients of one example.
PATIENTS = 60
#: 17 x 60 patients: a thousand histories. SOAK_HISTORIES asks for more (make soak: 20,000).
EXAMPLES = -(-int(os.environ.get("SOAK_HISTORIES", "1000")) // PATIENTS)
#: Source and key of each file; a snapshot of profiles is a file of its own each time.
FILES = (
    ("amplitude_web", "0.zip"),
    ("amplitude_mobile", "1.zip"),
    ("amplitude_web", "2.zip"),
    ("appmetrica", "appmetrica/7/events/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/sessions_starts/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/installations/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/profiles_v2/2025-01-06T{:06d}Z.ndjson.gz"),
    ("import", "import/{:06d}.csv"),
    ("direct", "direct/events_part/{:06d}.ndjson.gz"),
    ("direct", "direct/technical_data/{:06d}.ndjson.gz"),
    ("direct", "direct/user_locations/{:06d}.ndjson.gz"),
    ("direct", "direct/tmp_event_properties/{:06d}.ndjson.gz"),
    ("direct", "direct/mobile_devices/{:06d}.ndjson.gz"),
    ("direct", "direct/tmp_user_properties/{:06d}.ndjson.gz"),
    ("direct", "direct/permanent_user_properties/{:06d}.ndjson.gz"),
)
#: What people build when they do not build everything.
PARTS = (
    (),
    ("int_loads__checked", "int_loads__validated"),
    ("+int_events__deduplicated", "events_part"),
    ("+int_events__deduplicated", "int_app_reports", "sessions"),
    ("+int_property_records", "tmp_user_properties"),
    ("+permanent_user_properties",),
    ("technical_data", "int_property_runs"),
    ("permanent_user_properties+",),
)
STATISTICS_PARTS = (
    ("+int_events__attributed", "weekly_cohorts"),
    ("int_users__first_seen", "weekly_cohorts", "daily_active_users"),
)
#: Few hours and values, so that ties, repeats, conflicts and values that come back are the rule.
PROPERTIES = {
    "gender": ("m", "f", "EMPTY", None),
    "birth_date": ("1980-01-01", "1981-01-01", None),
    "city": ("A", "B", None),
    "age": ("30", "31 years", "EMPTY"),
    "push": (True, False, None),
    "utm_source": ("ad",),
    "team": ("red", "blue", None),
}
#: A key that the first mapping does not know, and how often a schedule has it.
SURPRISE = "surprise"

#: What happens to one of the files. The number chooses among loads, parts, mappings.
steps = st.tuples(
    st.sampled_from(
        ["grow", "grow", "replace", "repeat", "withdraw", "build", "build", "refresh", "map"]
    ),
    st.integers(0, len(FILES) - 1),
    st.integers(0, 20),
)


@pytest.fixture(scope="module")
def mappings(project, tmp_path_factory):
    """The tests' mapping; one that knows the surprise, an ignored key and the vendor's own gender;
    one with other values."""
    folder = tmp_path_factory.mktemp("mappings")
    grown = project.edited(
        folder / "grown" / "dbt_project",
        (", {key: team, reason: not wanted yet}]", "]"),
        ("keys: [gender, sex]", "keys: [gender, sex, appmetrica_gender]"),
        (
            "      - {name: weight_kg,",
            "      - {name: team, data_type: text, config: {meta: {keys: [team]}}}\n"
            "      - {name: surprise, data_type: integer,"
            f" config: {{meta: {{keys: [{SURPRISE}]}}}}}}\n"
            "      - {name: weight_kg,",
        ),
    )
    other = grown.edited(
        folder / "other" / "dbt_project",
        ("value_map: {m: male, f: female}", "value_map: {m: man, f: woman}"),
    )
    return project, grown, other


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    # the warehouse is emptied by hand before each example
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    schedule=st.lists(steps, min_size=3, max_size=9),
    has_surprise=st.sampled_from([False, False, True]),
    # they take a quarter of a build's time, and read the events alone
    has_statistics=st.booleans(),
    from_nothing=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_schedule_of_loads_and_builds_ends_in_the_same_marts(
    warehouse, mappings, schedule, has_surprise, has_statistics, from_nothing, seed
):
    """Growth, replacement, repetition, withdrawal, partial builds, mappings that come and go."""
    warehouse.empty()
    warehouse.project = mappings[0]
    warehouse.has_statistics = has_statistics
    draw = random.Random(seed)
    parts = PARTS + STATISTICS_PARTS if has_statistics else PARTS
    builds = 0
    for step, (action, file, number) in enumerate(schedule):
        source, key = FILES[file]
        if action == "map":
            warehouse.project = mappings[number % len(mappings)]
        elif action in ("build", "refresh"):
            builds += 1
            # the first makes everything; each takes a second or two, so three are enough
            part = parts[number % len(parts)] if builds > 1 else ()
            if builds <= 3:
                build_or_stand_still(warehouse, part, refreshes=action == "refresh")
        elif action == "withdraw":
            withdraw_one(warehouse, key, number)
        else:
            rows = [row for patient in range(PATIENTS) for row in sent_by(patient, draw)]
            if has_surprise and step == len(schedule) // 2:
                rows.append(event(1, 1, {"ehr_id": "0", SURPRISE: 7}, session_id=None))
            load(warehouse, action, source, key, step, rows)
    # the surprise is known from here on, whatever was tried before
    warehouse.project = mappings[1 + seed % 2]
    last = warehouse.build(tests="data")
    assert last.is_clean, last
    incremental = warehouse.marts()
    assert warehouse.execute("select from dwh.tmp_user_properties where not migrated") == []
    full = warehouse.rebuilt() if from_nothing else warehouse.refreshed()
    for mart, rows in incremental.items():
        assert set(rows) ^ set(full[mart]) == set(), mart
        assert rows == full[mart]


def sent_by(patient, draw):
    """What one patient sends within a step: none to three rows, events as Amplitude has them."""
    for _ in range(draw.choice((0, 0, 1, 1, 2, 3))):
        properties = {
            name: draw.choice(values) for name, values in PROPERTIES.items() if draw.random() < 0.4
        }
        if draw.random() < 0.85:
            properties["ehr_id"] = draw.choice((str(patient), patient, f"{patient} too"))
        elif draw.random() < 0.5:
            properties["ehr_id"] = draw.choice(("", None))
        yield event(
            1000 * (patient + 1) + draw.randrange(8),
            draw.randrange(-3, 5),
            properties if draw.random() < 0.9 else None,
            upload=draw.randrange(5, 9),
            session_id=draw.choice((None, -1, 1, 2)),
        )


def load(warehouse, action, source, key, step, rows):
    """A load that grows or replaces its file, or brings again what the file holds."""
    held = [load_id for load_id, is_current in loads_of(warehouse, key) if is_current]
    if source == "appmetrica":
        reported = [as_appmetrica(key, row) for row in rows]
        add_appmetrica_load(warehouse.url, key.format(step), reported, supersedes=True)
    elif source == "import":
        # a few files, so that some are replaced; their ids are those of Amplitude's events
        imported = [as_imported(row) for row in rows]
        add_import_load(warehouse.url, key.format(step % 3), imported, supersedes=True)
    elif source == "direct":
        # likewise; a file that is replaced is rare with direct rows, and must be exact all the same
        put_in = [line for row in rows if (line := as_direct(key.split("/")[1], row, step))]
        add_direct_load(warehouse.url, key.format(step % 3), put_in, supersedes=True)
    elif action == "replace" and held:
        warehouse.replace(held, rows)
    elif action == "repeat" and held:
        warehouse.repeat(held)
    else:
        warehouse.load(key, rows, source=source, grows=True)


def loads_of(warehouse, key):
    """The complete loads of a file, and whether each has no successor."""
    return warehouse.execute(
        "select load_id, superseded_by is null from raw.loads"
        " where file_key like %s and status = 'loaded' order by load_id",
        key.replace("{:06d}", "%"),
    )


def withdraw_one(warehouse, key, number):
    """Any one of a file's loads, also one that is replaced already but not retired yet."""
    loaded = loads_of(warehouse, key)
    if loaded:
        warehouse.withdraw(loaded[number % len(loaded)][0])


def build_or_stand_still(warehouse, part, *, refreshes):
    """Build all or a part; a build that the gate or the mapping stops has changed no mart."""
    there = (
        "select count(*) from information_schema.tables where table_schema in ('dwh', 'product')"
    )
    everything = [(len(warehouse.mart_names()),)]
    before = warehouse.marts() if warehouse.execute(there) == everything else None
    arguments = ("--full-refresh",) if refreshes and not part else ()
    built = warehouse.build(*arguments, *(("--select", *part) if part else ()))
    if not built.is_clean:
        stopped = built.having("fail") | built.having("error")
        assert stopped, built
        if built.having("fail") == {"property_findings"} and before is not None:
            assert warehouse.marts() == before


def as_appmetrica(key, row):
    """What AppMetrica's table of this key would say: texts only, no id, "" for what is missing."""
    happened, received = row["event_time"], row["server_upload_time"]
    device = {"appmetrica_device_id": str(2**63 + row["uuid"].int), "os_name": "ios"}
    if "profiles" in key:
        sent = row["user_properties"].obj if row["user_properties"] else {}
        texts = {name: "" if value is None else str(value) for name, value in sent.items()}
        return device | texts | {"appmetrica_gender": "mf"[row["uuid"].int % 2]}
    prefix = "event"
    if "sessions" in key:
        prefix = "session_start"
    elif "installations" in key:
        prefix = "install"
    times = {
        f"{prefix}_timestamp": f"{happened.timestamp():.0f}",
        f"{prefix}_receive_timestamp": f"{received.timestamp():.0f}",
    }
    if prefix == "install":
        return device | times
    return device | times | {"session_id": str(row["session_id"] or "")}


def as_imported(row):
    """What an event file would say of it."""
    user = row["session_id"] and str(row["session_id"])
    properties = json.dumps(row["event_properties"].obj)
    return str(row["uuid"]), row["event_time"].isoformat(), user, row["event_type"], properties


def as_direct(table, row, step):
    """The row of a product table that a person would make of it; none where it says too little."""
    sent = row["user_properties"].obj if row["user_properties"] else {}
    place = {"user_id": row["session_id"] and "u", "device_id": row["device_id"]}
    values = {
        "events_part": place | {"session_id": row["session_id"], "event_type": row["event_type"]},
        "technical_data": {"device_id": row["device_id"], "platform": row["platform"]},
        "user_locations": place | {"city": "Rome", "latitude": 1.5},
        "tmp_event_properties": {"event_properties": {"put_in": step}},
        "mobile_devices": {"device_id": row["device_id"], "tracker_name": f"t{step}"},
        "tmp_user_properties": {"user_properties": sent},
        "permanent_user_properties": {
            "ehr_id": str(sent.get("ehr_id") or ""),
            "gender": sent.get("gender") and f"put in as {sent['gender']}",
            "birth_date": sent.get("birth_date"),
        },
    }[table]
    values = {name: value for name, value in values.items() if value is not None}
    is_record = "user_properties" in table
    if is_record and (not sent or values.get("ehr_id") == ""):
        return None
    return {
        "uuid": str(row["uuid"]),
        "event_time": row["event_time"].strftime("%Y-%m-%d %H:%M:%S.%f"),
        # few moments, so that ties are the rule
        "put_in_at": f"2025-01-06 0{row['server_upload_time'].hour % 3}:00:00.000000",
        "row_values": values,
    }

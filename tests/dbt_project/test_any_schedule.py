"""Whatever comes, in any order, with builds in between: the marts are those of one full refresh."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_loads import add_appmetrica_load
from warehouse import event

PATIENTS = 12
#: Source and key of each file; a snapshot of profiles is a file of its own each time.
FILES = (
    ("amplitude_web", "0.zip"),
    ("amplitude_mobile", "1.zip"),
    ("amplitude_web", "2.zip"),
    ("appmetrica", "appmetrica/7/events/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/sessions_starts/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/installations/2025-01-06.ndjson.gz"),
    ("appmetrica", "appmetrica/7/profiles_v2/2025-01-06T{:06d}Z.ndjson.gz"),
)

#: Few hours, values and patients, so that ties, repeats and conflicts are the rule.
properties = st.fixed_dictionaries(
    {},
    optional={
        "ehr_id": st.sampled_from(["P1", "P2", 3, "", None]),
        "gender": st.sampled_from(["m", "f", "EMPTY", None]),
        "birth_date": st.sampled_from(["1980-01-01", "1981-01-01", None]),
        "city": st.sampled_from(["A", "B", None]),
        "push": st.sampled_from([True, False, None]),
        "utm_source": st.just("ad"),
    },
)
events = st.builds(
    event,
    st.integers(1, 8),
    st.integers(-3, 4),
    st.one_of(properties, st.none()),
    upload=st.integers(5, 8),
    session_id=st.sampled_from([None, -1, 1, 2]),
)
#: What people build when they do not build everything.
PARTS = (
    ("int_loads__checked", "int_loads__validated"),
    ("+int_events__deduplicated", "events_part"),
    ("+int_property_records", "tmp_user_properties"),
    ("+permanent_user_properties",),
    ("technical_data", "int_property_runs"),
)
#: What happens to one of the files: rows behind its end, other content, or a person's withdrawal.
steps = st.tuples(
    st.sampled_from(["grow", "grow", "replace", "withdraw", "build", "build a part"]),
    st.integers(0, len(FILES) - 1),
    st.lists(st.tuples(st.integers(0, PATIENTS - 1), events), min_size=1, max_size=14),
)


@settings(
    max_examples=8,  # 20 s on a quiet machine
    deadline=None,
    # the warehouse is emptied by hand before each example
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schedule=st.lists(steps, min_size=3, max_size=9), from_nothing=st.booleans())
def test_any_schedule_of_loads_and_builds_ends_in_the_same_marts(warehouse, schedule, from_nothing):
    """A dozen crowds of patients share one schedule of growth, replacement, withdrawal, builds."""
    warehouse.empty()
    builds = 0
    for step, (action, file, rows) in enumerate(schedule):
        source, key = FILES[file]
        rows = [of_crowd(crowd, row) for crowd, row in rows]
        loaded = warehouse.execute(
            "select load_id, superseded_by is null from raw.loads"
            " where file_key like %s and status = 'loaded' order by load_id",
            key.replace("{:06d}", "%"),
        )
        current = [load_id for load_id, is_current in loaded if is_current]
        if action.startswith("build"):
            builds += 1
            # the first makes everything; each takes a second or two, so three are enough
            part = PARTS[len(rows) % len(PARTS)] if builds > 1 and action != "build" else ()
            if builds <= 3:
                assert warehouse.build(*(("--select", *part) if part else ())).is_clean
        elif action == "withdraw":
            # any one of them, also one that is replaced already but not retired yet
            for load_id, _ in loaded[len(rows) % max(len(loaded), 1) :][:1]:
                warehouse.withdraw(load_id)
        elif source == "appmetrica":
            reported = [as_appmetrica(key, row) for row in rows]
            add_appmetrica_load(warehouse.url, key.format(step), reported, supersedes=True)
        elif action == "replace" and current:
            warehouse.replace(current, rows)
        else:
            warehouse.load(key, rows, source=source, grows=True)
    last = warehouse.build(tests="data")
    assert last.is_clean, last
    incremental = warehouse.marts()
    assert warehouse.execute("select from dwh.tmp_user_properties where not migrated") == []
    assert (warehouse.rebuilt() if from_nothing else warehouse.refreshed()) == incremental


def of_crowd(crowd, row):
    """The same row for other patients, under another uuid."""
    sent = row["user_properties"]
    if sent is not None and sent.obj.get("ehr_id") not in (None, ""):
        sent = type(sent)(sent.obj | {"ehr_id": f"{sent.obj['ehr_id']} of {crowd}"})
    return row | {
        "uuid": type(row["uuid"])(int=row["uuid"].int + 100 * crowd),
        "user_properties": sent,
    }


def as_appmetrica(key, row):
    """What AppMetrica's table of this key would say: texts only, no id, "" for what is missing."""
    happened, received = row["event_time"], row["server_upload_time"]
    device = {"appmetrica_device_id": str(2**63 + row["uuid"].int), "os_name": "ios"}
    if "profiles" in key:
        sent = row["user_properties"].obj if row["user_properties"] else {}
        texts = {name: "" if value is None else str(value) for name, value in sent.items()}
        return device | texts
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

"""Whatever comes, in any order, with builds in between: the marts are those of one full refresh."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse import event

PATIENTS = 12
FILES = ("amplitude_web", "amplitude_mobile", "amplitude_web")

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
    for action, file, rows in schedule:
        key = f"{file}.zip"
        rows = [of_crowd(crowd, row) for crowd, row in rows]
        loaded = warehouse.execute(
            "select load_id, superseded_by is null from raw.loads"
            " where file_key = %s and status = 'loaded' order by load_id",
            key,
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
        elif action == "replace" and current:
            warehouse.replace(current, rows)
        else:
            warehouse.load(key, rows, source=FILES[file], grows=True)
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

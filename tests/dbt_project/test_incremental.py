"""Several builds end in the same marts as one full refresh, in every case by name."""

import pytest
from warehouse import event


def assert_exact(warehouse):
    """What stands is what a full refresh makes; test_any_schedule.py also builds from nothing."""
    incremental = warehouse.marts()
    assert warehouse.refreshed() == incremental


def person(ehr_id, **properties):
    return {"ehr_id": ehr_id, **properties}


def built(warehouse):
    build = warehouse.build()
    assert build.is_clean, build


def test_a_file_that_grows_adds_what_is_new(warehouse):
    """Lines behind the old end are added; earlier ones are neither doubled nor read again."""
    warehouse.load("w.zip", [event(1, 1, person("P1", city="A", gender="m"))])
    built(warehouse)
    warehouse.load("w.zip", [event(2, 2, person("P1", city="B", gender="f"))], grows=True)
    built(warehouse)
    warehouse.load("w.zip", [event(3, 3, person("P2", city="B"))], grows=True)
    built(warehouse)
    assert warehouse.execute(
        "select ehr_id, gender, uuid::text, line_number from dwh.permanent_user_properties"
        " order by 1"
    ) == [
        ("P1", "male", "00000000-0000-0000-0000-000000000001", 0),
        ("P2", None, "00000000-0000-0000-0000-000000000003", 2),
    ]
    assert_exact(warehouse)


def test_a_superseded_file_leaves_nothing_behind(warehouse):
    """Lines that the new content lacks go, changed ones change, in every mart; raw is tidied."""
    old = warehouse.load(
        "w.zip",
        [
            event(1, 1, person("P1", city="A", gender="m")),
            event(2, 2, person("P1", city="B")),
            event(3, 3, person("P2", city="C", gender="f")),
            event(4, 4, person("P3", city="D")),
        ],
    )
    warehouse.load("other.zip", [event(5, 5, person("P1", city="B"))])
    built(warehouse)
    new = warehouse.replace(
        [old],
        [
            event(1, 1, person("P1", city="A", gender="f")),
            event(3, 3, person("P9", city="C", gender="f"), device_id="another"),
            event(4, 4, None),
        ],
    )
    built(warehouse)
    assert warehouse.execute(
        "select ehr_id, gender from dwh.permanent_user_properties order by 1"
    ) == [("P1", "female"), ("P9", "female")]
    assert warehouse.execute(
        "select load_id, status from raw.loads where load_id in (%s, %s) order by 1", old, new
    ) == [(old, "superseded"), (new, "loaded")]
    assert warehouse.execute("select from raw.amplitude_events where load_id = %s", old) == []
    assert_exact(warehouse)


def test_a_withdrawn_load_goes_and_what_it_replaced_comes_back(warehouse):
    """Withdrawing a load takes its rows out; a forerunner that was not yet retired counts again."""
    kept = warehouse.load("a.zip", [event(1, 1, person("P1", city="A", gender="m"))])
    gone = warehouse.load("b.zip", [event(2, 0.5, person("P1", city="B", gender="f"))])
    built(warehouse)
    warehouse.withdraw(gone)
    bad = warehouse.replace([kept], [event(1, 1, person("P1", surprise=1))])
    held = warehouse.build()
    assert held.having("fail") == {"property_findings"}
    warehouse.withdraw(bad)
    built(warehouse)
    assert warehouse.execute("select ehr_id, gender from dwh.permanent_user_properties") == [
        ("P1", "male")
    ]
    assert_exact(warehouse)


def test_a_withdrawn_successor_does_not_bring_back_what_was_retired(warehouse):
    """Once a successor was admitted, its forerunner's rows are gone with it."""
    old = warehouse.load("a.zip", [event(1, 1, person("P1", city="A"))])
    built(warehouse)
    new = warehouse.replace([old], [event(1, 1, person("P1", city="B")), event(2, 2, None)])
    built(warehouse)
    warehouse.withdraw(new)
    built(warehouse)
    assert warehouse.marts() == {mart: [] for mart in warehouse.marts()}
    assert_exact(warehouse)


@pytest.mark.slow
def test_a_forerunner_comes_back_when_its_admitted_successor_never_got_through(warehouse):
    """A build that died behind the gate has retired nothing: withdrawing restores the old load."""
    old = warehouse.load("a.zip", [event(1, 1, person("P1", city="A")), event(2, 2, None)])
    built(warehouse)
    new = warehouse.replace([old], [event(1, 1, person("P1", city="B")), event(3, 3, None)])
    gate = warehouse.build("--select", "int_loads__checked", "int_loads__validated")
    assert gate.is_clean, gate
    warehouse.withdraw(new)
    built(warehouse)
    assert warehouse.execute("select city from dwh.changeable_user_properties") == [("A",)]
    assert len(warehouse.marts()["events_part"]) == 2
    assert_exact(warehouse)
    assert warehouse.rebuilt() == warehouse.marts()


@pytest.mark.slow
@pytest.mark.parametrize("is_built_before", [True, False])
@pytest.mark.parametrize("withdraws_the_second", [True, False])
def test_of_a_file_replaced_twice_only_the_last_form_counts(
    warehouse, is_built_before, withdraws_the_second
):
    """The form in between may never have been built, or was withdrawn: the first is gone anyway."""
    first = warehouse.load("a.zip", [event(1, 1, person("P1", city="A"))])
    if is_built_before:
        built(warehouse)
    second = warehouse.replace([first], [event(2, 1, person("P2", city="B"))])
    third = warehouse.replace([second], [event(3, 1, person("P3", city="C"))])
    if withdraws_the_second:
        warehouse.withdraw(second)
    for _ in range(2):  # the second build comes after the retirement
        built(warehouse)
        assert warehouse.execute("select ehr_id, city from dwh.changeable_user_properties") == [
            ("P3", "C")
        ]
    assert warehouse.execute("select load_id from raw.amplitude_events") == [
        *([(second,)] if withdraws_the_second else []),
        (third,),
    ]
    assert warehouse.rebuilt() == warehouse.marts()


@pytest.mark.slow
@pytest.mark.parametrize("newer_first", [True, False])
def test_the_newest_upload_of_an_event_counts_whichever_came_first(warehouse, newer_first):
    """One uuid redelivered with another ehr_id is one record of the newer upload's patient."""
    older = [
        event(1, 1, person("P1", gender="m", city="A"), upload=2),
        event(2, 2, person("P1", city="B"), upload=3),
    ]
    newer = [event(1, 1, person("P2", gender="f", city="Z"), upload=9, device_id="other")]
    both = [("new.zip", newer), ("old.zip", older)]
    for file_key, rows in both if newer_first else reversed(both):
        warehouse.load(file_key, rows)
        built(warehouse)
    assert warehouse.execute(
        "select ehr_id, gender from dwh.permanent_user_properties order by 1"
    ) == [("P1", None), ("P2", "female")]
    assert_exact(warehouse)


def test_an_older_copy_counts_again_when_the_newer_one_goes(warehouse):
    """Withdrawing the newest upload of an event gives the word back to the copy before it."""
    warehouse.load("old.zip", [event(1, 1, person("P1", gender="m"), upload=2)])
    newer = warehouse.load("new.zip", [event(1, 1, person("P2", gender="f"), upload=9)])
    built(warehouse)
    warehouse.withdraw(newer)
    built(warehouse)
    assert warehouse.execute("select ehr_id, gender from dwh.permanent_user_properties") == [
        ("P1", "male")
    ]
    assert_exact(warehouse)


@pytest.mark.slow
def test_late_and_future_records_take_their_place_in_time(warehouse):
    """Order of loading means nothing: history is cut by event time, years ahead or behind."""
    warehouse.load("1.zip", [event(n, n, person("P1", city="A")) for n in (10, 12, 14)])
    built(warehouse)
    warehouse.load("2.zip", [event(13, 13, person("P1", city="B", gender="m"))])
    built(warehouse)
    warehouse.load("3.zip", [event(90, 90_000, person("P1", city="A", gender="f"))])
    warehouse.load("4.zip", [event(1, -90_000, person("P1", city="A"))])
    built(warehouse)
    warehouse.load("5.zip", [event(11, 11, person("P1", city="A"))])
    built(warehouse)
    assert warehouse.execute(
        "select city, uuid::text from dwh.changeable_user_properties_history order by valid_from"
    ) == [
        ("A", "00000000-0000-0000-0000-000000000001"),
        ("B", "00000000-0000-0000-0000-00000000000d"),
        ("A", "00000000-0000-0000-0000-00000000000e"),
    ]
    assert_exact(warehouse)


def test_equal_values_move_nothing_and_a_b_a_is_three_versions(warehouse):
    """A repeated value keeps the row that first said it, also when builds part the run."""
    for number, city in enumerate("AABA", start=1):
        warehouse.load(f"{number}.zip", [event(number, number, person("P1", city=city))])
        built(warehouse)
    assert warehouse.execute(
        "select city, line_number, load_id from dwh.changeable_user_properties_history"
        " order by valid_from"
    ) == [("A", 0, 1), ("B", 0, 3), ("A", 0, 4)]
    assert_exact(warehouse)


@pytest.mark.slow
def test_ties_of_time_break_on_uuid_in_any_order_of_loading(warehouse):
    """Records of one time stand in the order of their uuids, whichever was loaded first."""
    for number, gender, city in ((3, "m", "C"), (1, "f", "A"), (2, "m", "B")):
        warehouse.load(f"{number}.zip", [event(number, 5, person("P1", gender=gender, city=city))])
        built(warehouse)
    assert warehouse.execute(
        "select gender, p.line_number, p.load_id, c.city, c.load_id"
        " from dwh.permanent_user_properties as p inner join dwh.changeable_user_properties as c"
        " using (ehr_id)"
    ) == [("female", 0, 2, "C", 1)]
    assert_exact(warehouse)


@pytest.mark.slow
def test_copies_that_differ_in_nothing_but_their_place_break_on_the_place(warehouse):
    """Equal uploads with other contents break on content, equal contents on source and file."""
    same = event(1, 1, person("P1", city="A"))
    warehouse.load("b.zip", [same, event(2, 1, person("P2", city="B"), upload=5)])
    built(warehouse)
    warehouse.load("a.zip", [same, event(2, 1, person("P2", city="C"), upload=5)])
    built(warehouse)
    assert warehouse.execute(
        "select load_id from dwh.events_part where uuid::text like %s", "%1"
    ) == [(2,)]
    assert_exact(warehouse)


def test_records_without_an_ehr_id_are_one_row_that_can_go(warehouse):
    """Null, blank and missing ehr_ids share one changeable row; it goes with its last record."""
    load = warehouse.load(
        "w.zip",
        [
            event(1, 1, {"city": "A"}),
            event(2, 2, person(None, city="B")),
            event(3, 3, person("  ", city="C", gender="m")),
        ],
    )
    built(warehouse)
    assert warehouse.execute(
        "select ehr_id, city, line_number from dwh.changeable_user_properties"
    ) == [(None, "C", 2)]
    assert warehouse.execute("select from dwh.permanent_user_properties") == []
    assert warehouse.execute("select from dwh.changeable_user_properties_history") == []
    warehouse.replace([load], [event(4, 4, person(7, city="D"))])
    built(warehouse)
    assert warehouse.execute("select ehr_id, city from dwh.changeable_user_properties") == [
        ("7", "D")
    ]
    assert_exact(warehouse)


@pytest.mark.slow
def test_a_column_with_sources_outlives_the_other_sources(warehouse):
    """A web record keeps what the mobile app said last, in one build or in several."""
    for number, (source, city, push) in enumerate(
        (
            ("amplitude_mobile", "A", True),
            ("amplitude_web", "A", None),
            ("amplitude_web", "B", None),
            ("amplitude_mobile", "B", False),
            ("amplitude_web", "C", None),
        )
    ):
        rows = [event(number, number, person("P1", city=city, push=push))]
        warehouse.load(f"{number}.zip", rows, source=source)
        built(warehouse)
    warehouse.load("late.zip", [event(9, 0.5, person("P1", city="A"))], source="amplitude_mobile")
    built(warehouse)
    assert warehouse.execute(
        "select city, is_push_enabled from dwh.changeable_user_properties_history"
        " order by valid_from"
    ) == [("A", True), ("A", None), ("B", None), ("B", False), ("C", False)]
    assert_exact(warehouse)


@pytest.mark.usefixtures("statistics")
def test_a_build_with_nothing_new_changes_no_row(warehouse):
    """Building again writes nothing: the rows are physically the same."""
    warehouse.load("w.zip", [event(n, n, person(f"P{n % 3}", city="A")) for n in range(9)])
    built(warehouse)
    query = " union all ".join(
        f"select '{name}', ctid::text, xmin::text from {name}"
        for mart, name in warehouse.mart_names().items()
        if mart != "event_users"  # a view
    )
    before = sorted(warehouse.execute(query))
    built(warehouse)
    assert sorted(warehouse.execute(query)) == before


def test_everything_built_is_marked_migrated(warehouse):
    """A record is migrated once both property marts have taken it in, at once in a whole build."""
    warehouse.load("1.zip", [event(1, 1, person("P1", city="A"))])
    built(warehouse)
    warehouse.load("2.zip", [event(2, 2, person("P1", city="B"))])
    build = warehouse.build("--select", "+tmp_user_properties", "+permanent_user_properties")
    assert build.is_clean, build
    query = "select uuid::text like '%1', migrated from dwh.tmp_user_properties order by 1 desc"
    assert warehouse.execute(query) == [(True, True), (False, False)]
    built(warehouse)
    assert warehouse.execute(query) == [(True, True), (False, True)]
    assert_exact(warehouse)

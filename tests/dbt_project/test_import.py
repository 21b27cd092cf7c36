"""Imported events stand in events_part beside the vendors'; of one id the earliest counts."""

import itertools
from uuid import UUID

import pytest
from raw_loads import add_import_load
from warehouse import event

from flows.warehouse.dbt_build import RECONCILIATION

ID = "00000000-0000-0000-0000-000000000001"
#: Of one id: the first two at one time, with other content; the third later.
COPIES = tuple(
    (ID, f"2025-01-06 0{hour}:00:00", user, "opened", None)
    for hour, user in ((8, "a"), (8, "b"), (9, "c"))
)
PRESENT = "select source, user_id, event_time::text from dwh.events_part"


def load(warehouse, name, *events, supersedes=False):
    return add_import_load(warehouse.url, f"import/{name}.csv", events, supersedes=supersedes)


def built(warehouse):
    build = warehouse.build(tests="data")
    assert build.is_clean, build


def test_imported_events_reach_the_event_tables(warehouse):
    """With source, file and line; their properties stand in tmp_event_properties."""
    other = ID.replace("1", "2")
    first = load(warehouse, "a", (ID, "2025-01-06 08:00:00+03:00", "u", "opened", '{"a": 1}'))
    second = load(warehouse, "b", (other, "2025-01-06 08:00:00", None, "closed", "{}"))
    warehouse.load("0.zip", [event(7, 1)])
    built(warehouse)
    assert warehouse.execute(
        "select uuid::text, event_time::text, user_id, event_type, load_id, line_number"
        " from dwh.events_part where source = 'import' order by load_id"
    ) == [
        (ID, "2025-01-06 05:00:00+00", "u", "opened", first, 0),
        (other, "2025-01-06 08:00:00+00", None, "closed", second, 0),
    ]
    assert warehouse.execute(
        "select uuid::text, event_properties from dwh.tmp_event_properties where source = 'import'"
    ) == [(ID, {"a": 1})]
    for mart in ("sessions", "mobile_devices", "tmp_user_properties", "user_locations"):
        assert warehouse.execute(f"select from dwh.{mart} where source = 'import'") == []
    assert warehouse.execute("select count(*) from dwh.technical_data") == [(3,)]


def test_the_earliest_of_an_id_stands_whatever_the_order_of_files(warehouse):
    """Then content decides, and each order with builds in between ends as one build does."""
    orders = tuple(itertools.permutations(COPIES))
    for turn in range(len(COPIES)):
        for number, order in enumerate(orders):
            _, *copy = order[turn]
            load(warehouse, f"{number}-{turn}", (str(UUID(int=number)), *copy))
        built(warehouse)
    present = warehouse.execute(PRESENT)
    assert len(present) == len(orders)
    assert {row[1:] for row in present} <= {(user, "2025-01-06 08:00:00+00") for user in "ab"}
    assert warehouse.marts() == warehouse.rebuilt()


def test_when_the_earliest_goes_the_next_one_stands(warehouse):
    """Withdrawn, or replaced by a file without it."""
    first, second = load(warehouse, "a", COPIES[0]), load(warehouse, "b", COPIES[2])
    built(warehouse)
    assert warehouse.execute(PRESENT) == [("import", "a", "2025-01-06 08:00:00+00")]
    warehouse.withdraw(first)
    built(warehouse)
    assert warehouse.execute(PRESENT) == [("import", "c", "2025-01-06 09:00:00+00")]
    load(warehouse, "b", supersedes=True)
    built(warehouse)
    assert warehouse.execute(PRESENT) == []
    assert warehouse.execute(
        "select count(*) from raw.import_events where load_id = %s", second
    ) == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("is_import_first", [True, False])
def test_the_vendor_s_own_copy_of_an_event_stands(warehouse, is_import_first):
    """It says more, and when it was uploaded."""

    def vendor():
        warehouse.load("0.zip", [event(1, 30, user_id="vendor's")])

    steps = [lambda: load(warehouse, "a", COPIES[0]), vendor]
    for step in steps if is_import_first else reversed(steps):
        step()
        built(warehouse)
    assert [row[:2] for row in warehouse.execute(PRESENT)] == [("amplitude_web", "vendor's")]
    assert warehouse.rebuilt() == warehouse.marts()


def test_rejected_records_are_no_events(warehouse):
    """They stay in raw."""
    load_id = load(warehouse, "a", COPIES[0])
    warehouse.execute(
        "insert into raw.import_events (load_id, line_number, content_hash, rejected_reason)"
        " values (%s, 1, gen_random_uuid(), 'bad')",
        load_id,
    )
    built(warehouse)
    assert len(warehouse.execute(PRESENT)) == 1


def test_reconciliation_does_not_speak_of_imports(warehouse):
    """They belong to no day that was asked of a vendor."""
    load(warehouse, "a", *COPIES)
    built(warehouse)
    assert warehouse.build("--select", RECONCILIATION).is_clean
    assert warehouse.execute("select * from audit.reconciliation") == []

"""Views are replaced where they stand; what cannot be replaced gives way."""

import pytest

VIEWS = ("--select", "path:models/staging", "int_events__unioned")
VIEW = "staging.stg_import__events"


@pytest.fixture
def columns(warehouse):
    """Ask for the view's columns, as a first build made them; nothing else is built."""

    def ask():
        return warehouse.execute(
            "select attname::text, atttypid::regtype::text from pg_attribute"
            f" where attrelid = '{VIEW}'::regclass and attnum > 0 order by attnum"
        )

    build = warehouse.build(*VIEWS)
    assert build.is_clean, build
    assert len(ask()) > 5
    return ask


def test_what_people_make_of_a_view_outlives_builds(warehouse, columns):
    """Their views on it stay, and read on; so does the view itself."""
    oid = warehouse.execute(f"select '{VIEW}'::regclass::oid")
    warehouse.execute(f"create view staging.theirs as select count(*) as rows from {VIEW}")
    build = warehouse.build(*VIEWS)
    assert build.is_clean, build
    assert warehouse.execute("select rows from staging.theirs") == [(0,)]
    assert warehouse.execute(f"select '{VIEW}'::regclass::oid") == oid


@pytest.mark.parametrize(
    "other",
    [
        "view {} as select 1 as load_id, 2 as another",
        "view {} as select null::text as load_id",
        "table {} (load_id bigint)",
        "table {} as select 1 as another",
    ],
)
def test_a_view_or_table_of_other_columns_gives_way(warehouse, columns, other):
    """Whatever an older project, or somebody, left in its place."""
    before = columns()
    warehouse.execute(f"drop view {VIEW} cascade")
    warehouse.execute(f"create {other.format(VIEW)}")
    build = warehouse.build(*VIEWS)
    assert build.is_clean, build
    assert columns() == before
    assert warehouse.execute("select count(*) from intermediate.int_events__unioned") == [(0,)]

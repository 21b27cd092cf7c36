"""dbt's own unit tests, which plain `dbt build` runs and `transform` leaves out, pass."""


def test_every_unit_test_of_the_project_passes(warehouse):
    """Their inputs are invented, their tables have to be there."""
    build = warehouse.build()
    assert build.is_clean, build
    tested = warehouse.build("--select", "test_type:unit", command="test")
    tests = {name for name in tested.status if not name.startswith("dwh_helper")}
    assert tested.having("pass") >= tests, tested.messages.strip()
    assert len(tests) > 20

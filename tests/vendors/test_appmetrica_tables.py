"""The field lists are those of the vendor's pages, each field once and of one kind everywhere."""

from flows.vendors.appmetrica_tables import TABLES, Kind, kind_of

#: Fields of each page's list for copying, without those it lists twice and without the
#: placeholder for custom attributes of profiles.
COUNTS = {
    "events": 32,
    "installations": 42,
    "profiles_v2": 34,
    "sessions_starts": 28,
    "crashes": 30,
    "errors": 29,
    "push_tokens": 27,
    "deeplinks": 36,
    "revenue_events": 37,
    "ad_revenue_events": 41,
    "ecommerce_events": 73,
    "clicks": 25,
    "postbacks": 40,
}


def test_every_table_has_the_fields_of_its_page() -> None:
    """All 13 tables, as many fields as documented, schema-only ones beside them."""
    assert {name: len(table.fields) for name, table in TABLES.items()} == COUNTS
    for table in TABLES.values():
        assert not set(table.fields) & set(table.also_fields or {})


def test_a_fields_kind_is_the_same_in_every_table() -> None:
    """kind_of tells it by the name alone."""
    for table in TABLES.values():
        assert table.known_fields == {name: kind_of(name) for name in table.known_fields}
    assert [
        kind_of(name)
        for name in ("appmetrica_device_id", "tracking_id", "event_json", "ehr_id", "error_id")
    ] == [Kind.UNSIGNED, Kind.UNSIGNED, Kind.JSON, Kind.TEXT, Kind.TEXT]


def test_times_come_in_both_forms() -> None:
    """Each local time has its Unix seconds beside it, and the times of a table are among them."""
    for table in TABLES.values():
        pairs = {name.removesuffix("_datetime") for name in table.fields if "_datetime" in name}
        assert pairs == {
            name.removesuffix("_timestamp") for name in table.fields if "_timestamp" in name
        }
        assert {table.event_time, table.receive_time} - {None} <= pairs


def test_only_these_tables_are_asked_otherwise() -> None:
    """push_tokens takes no dates; profiles and postbacks know no window of receipt."""
    assert {name for name, table in TABLES.items() if not table.takes_dates} == {"push_tokens"}
    assert {name for name, table in TABLES.items() if not table.takes_date_dimension} == {
        "profiles_v2",
        "push_tokens",
        "postbacks",
    }

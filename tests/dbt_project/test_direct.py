"""Rows that people put in stand in their own table beside the vendors'; a vendor's event counts."""

import itertools
from dataclasses import dataclass
from uuid import UUID

import pytest
from raw_loads import add_direct_load, add_import_load
from warehouse import MARTS, event

from flows.warehouse.dbt_build import RECONCILIATION

ID = "00000000-0000-0000-0000-000000000001"
OTHER = ID.replace("1", "2")
#: A row of each table.
ROWS = {
    "events_part": {"event_type": "opened", "user_id": "u", "session_id": 5},
    "technical_data": {"os_name": "ios", "device_id": "d"},
    "user_locations": {"city": "Rome", "latitude": 1.5},
    "tmp_event_properties": {"event_properties": {"a": 1.50}},
    "mobile_devices": {"device_id": "e", "os_name": "ios", "tracker_name": "t"},
    "tmp_user_properties": {"user_properties": {"ehr_id": "P1", "city": "Bonn", "sex": "f"}},
    "permanent_user_properties": {"ehr_id": "P2", "gender": "as typed", "birth_date": "1980-01-01"},
}
#: Marts in which a row of a table shows.
MADE_OF = {
    "events_part": {"events_part", "sessions"},
    "technical_data": {"technical_data", "mobile_devices"},
    "tmp_user_properties": {
        "tmp_user_properties",
        "permanent_user_properties",
        "changeable_user_properties",
        "changeable_user_properties_history",
    },
}


def put_in(warehouse, table, values=None, uuid=ID, at="2025-01-06 09:00:00", name="a", **load):
    """A load of one row; at: when it was put in, and when it happened."""
    line = {
        "uuid": uuid,
        "event_time": f"{at}.000000",
        "put_in_at": f"{at}.000000",
        "row_values": ROWS[table] | (values or {}),
    }
    return add_direct_load(warehouse.url, f"direct/{table}/{name}.ndjson.gz", [line], **load)


def built(warehouse, tests="gate"):
    build = warehouse.build(tests=tests)
    assert build.is_clean, build


def exact(warehouse):
    built(warehouse, tests="data")
    assert warehouse.marts() == warehouse.rebuilt()


@pytest.mark.usefixtures("statistics")
def test_a_row_stands_in_its_own_table_alone(warehouse):
    """And in what is made of that table, with source, file and line."""
    ids = {table: str(UUID(int=number)) for number, table in enumerate(ROWS)}
    load_ids = {table: put_in(warehouse, table, uuid=ids[table]) for table in ROWS}
    built(warehouse)
    for mart in set(MARTS) - {"sessions"}:
        assert set(
            warehouse.execute(f"select uuid::text, source, load_id, line_number from dwh.{mart}")
        ) == {
            (ids[table], "direct", load_ids[table], 0)
            for table in ROWS
            if mart in MADE_OF.get(table, {table})
        }
    assert warehouse.execute("select source, user_id, load_id from dwh.sessions") == [
        ("direct", "u", load_ids["events_part"])
    ]
    assert warehouse.execute("select user_key from product.event_users") == [("user:u",)]


def test_rows_of_one_id_stand_in_all_their_tables(warehouse):
    """An event, its device, place, properties and record share an id, as they are joined by it."""
    tables = [table for table in ROWS if table != "permanent_user_properties"]
    for number, table in enumerate(tables):
        put_in(warehouse, table)
        if number % 2:
            built(warehouse)
    for table in tables:
        assert set(warehouse.execute(f"select uuid::text from dwh.{table}")) == {(ID,)}
    loads = warehouse.execute(
        "select load_id from raw.loads where file_key like '%%/events_part/%%'"
    )
    warehouse.withdraw(loads[0][0])
    built(warehouse)
    left = {table for table in tables if warehouse.execute(f"select from dwh.{table}")}
    assert left == set(tables) - {"events_part"}
    exact(warehouse)


def test_values_are_typed_as_their_columns(warehouse):
    """Whatever time zone the builder's session has."""
    put_in(warehouse, "events_part", {"client_event_time": "2025-01-06 09:00:00.000000+00"})
    put_in(warehouse, "user_locations")
    put_in(warehouse, "tmp_event_properties")
    warehouse.execute("alter database dbt_project set timezone = 'Asia/Tokyo'")
    try:
        built(warehouse)
    finally:
        warehouse.execute("alter database dbt_project reset timezone")
    assert warehouse.execute(
        "select session_id, client_event_time = '2025-01-06 09:00Z' from dwh.events_part"
    ) == [(5, True)]
    assert warehouse.execute("select latitude, city, country from dwh.user_locations") == [
        (1.5, "Rome", None)
    ]


def test_the_newest_row_of_an_id_stands_whatever_the_order(warehouse):
    """By when it was put in; each order with builds in between ends as one build does."""
    copies = [
        (f"{name}", f"2025-01-06 {hour}:00:00")
        for name, hour in zip("abc", ("08", 10, "09"), strict=True)
    ]
    orders = tuple(itertools.permutations(copies))
    for turn in range(len(copies)):
        for number, order in enumerate(orders):
            user, at = order[turn]
            put_in(warehouse, "events_part", {"user_id": user}, str(UUID(int=number)), at,
                   f"{number}-{turn}")  # fmt: skip
        built(warehouse)
    assert warehouse.execute("select user_id from dwh.events_part") == [("b",)] * len(orders)
    exact(warehouse)


@dataclass(frozen=True)
class Case:
    """An event that comes whole, from where, before or after the rows of its id."""

    number: int
    record: str
    brings: str
    is_first: bool

    @property
    def uuid(self):
        return str(UUID(int=self.number))

    @property
    def tables(self):
        return [table for table in ROWS if "user_properties" not in table] + [self.record]

    def put_in_all(self, warehouse):
        own = {
            "mobile_devices": {"device_id": f"e{self.number}"},
            "technical_data": {"device_id": f"d{self.number}"},
            "tmp_user_properties": {"user_properties": {"ehr_id": f"P{self.number}"}},
            "permanent_user_properties": {"ehr_id": f"P{self.number}"},
        }
        for table in self.tables:
            put_in(warehouse, table, own.get(table), self.uuid, name=str(self.number))

    def bring(self, warehouse):
        if self.brings == "vendor":
            sent = event(self.number, 30, {"ehr_id": f"V{self.number}"}, device_id="z")
            return warehouse.load(f"{self.number}.zip", [sent])
        imported = (self.uuid, "2025-01-06 08:00:00", None, "opened", '{"a": 1}')
        return add_import_load(warehouse.url, f"import/{self.number}.csv", [imported])


CASES = [
    Case(number, record, *other)
    for number, (record, other) in enumerate(
        itertools.product(
            ("tmp_user_properties", "permanent_user_properties"),
            (("vendor", True), ("vendor", False), ("import", True), ("import", False)),
        ),
        start=1,
    )
]


def test_a_vendor_s_event_of_the_same_id_counts_instead(warehouse):
    """Whichever came first; when it is withdrawn, the rows that were put in stand again."""

    def stand():
        return {
            case.number: {
                table
                for table in case.tables
                if warehouse.execute(
                    f"select from dwh.{table} where source = 'direct' and uuid = %s", case.uuid
                )
            }
            for case in CASES
        }

    def all_of(condition):
        return {case.number: set(case.tables) if condition(case) else set() for case in CASES}

    whole = [case.bring(warehouse) for case in CASES if case.is_first]
    for case in CASES:
        if not case.is_first:
            case.put_in_all(warehouse)
    built(warehouse)
    assert stand() == all_of(lambda case: not case.is_first)
    whole += [case.bring(warehouse) for case in CASES if not case.is_first]
    for case in CASES:
        if case.is_first:
            case.put_in_all(warehouse)
    built(warehouse)
    assert stand() == all_of(lambda _: False)
    exact(warehouse)
    for load_id in whole:
        warehouse.withdraw(load_id)
    built(warehouse)
    assert stand() == all_of(lambda _: True)
    exact(warehouse)


def test_records_pass_the_mapping_and_the_gate(warehouse):
    """An unknown key or a bad value in a record holds everything back, by file and line."""
    put_in(warehouse, "tmp_user_properties", {"user_properties": {"shoe": 42, "age": "old"}})
    put_in(warehouse, "events_part")
    build = warehouse.build()
    assert build.having("fail") == {"property_findings"}
    assert warehouse.execute(
        "select source, file_key, line_number, key, reason from audit.property_findings order by 4"
    ) == [
        ("direct", "direct/tmp_user_properties/a.ndjson.gz", 0, "age", "no_regex_match"),
        ("direct", "direct/tmp_user_properties/a.ndjson.gz", 0, "shoe", "unknown_key"),
    ]


def test_a_typed_record_takes_its_place_in_time(warehouse):
    """It may be the first value of a permanent property; no rule of the mapping applies to it."""
    warehouse.load("0.zip", [event(7, 10, {"ehr_id": "P2", "gender": "m", "city": "A"})])
    built(warehouse)
    assert properties(warehouse) == [("P2", "male", None, "A")]
    put_in(warehouse, "permanent_user_properties", at="2025-01-06 11:00:00")
    built(warehouse)
    assert properties(warehouse) == [("P2", "male", "1980-01-01", "A")]
    early = put_in(warehouse, "permanent_user_properties", {"birth_date": "1970-01-01"},
                   uuid=OTHER, at="2025-01-06 01:00:00", name="b")  # fmt: skip
    built(warehouse)
    assert properties(warehouse) == [("P2", "as typed", "1970-01-01", "A")]
    exact(warehouse)
    warehouse.withdraw(early)
    built(warehouse)
    assert properties(warehouse) == [("P2", "male", "1980-01-01", "A")]


def properties(warehouse):
    return warehouse.execute(
        "select ehr_id, gender, birth_date::text, city from dwh.permanent_user_properties"
        " left join dwh.changeable_user_properties using (ehr_id) order by 1"
    )


@pytest.mark.slow
def test_a_typed_record_says_nothing_of_changeable_properties(warehouse):
    """It blanks no city, makes no version, and a patient of typed records alone has no such row."""
    load_id = warehouse.load("0.zip", [event(7, 1, {"ehr_id": "P2", "city": "A"})])
    put_in(warehouse, "permanent_user_properties")
    built(warehouse)
    assert properties(warehouse) == [("P2", "as typed", "1980-01-01", "A")]
    warehouse.withdraw(load_id)
    built(warehouse)
    assert properties(warehouse) == [("P2", "as typed", "1980-01-01", None)]
    assert warehouse.execute("select from dwh.changeable_user_properties") == []
    assert warehouse.execute("select from dwh.changeable_user_properties_history") == []
    exact(warehouse)


@pytest.mark.slow
def test_a_column_that_is_gone_or_another_type_is_a_finding(warehouse, tmp_path):
    """What was put in under the old mapping is told, not dropped, as any record is."""
    put_in(warehouse, "permanent_user_properties", {"gender": "x1"})
    built(warehouse)
    project = warehouse.project
    warehouse.project = project.edited(
        tmp_path / "renamed",
        ("      - {name: birth_date, data_type: date,", "      - {name: born_on, data_type: date,"),
    )
    assert warehouse.build().having("fail") == {"property_findings"}
    found = "select key, reason, value from audit.property_findings order by 1"
    assert warehouse.execute(found) == [("birth_date", "unknown_key", "1980-01-01")]
    warehouse.project = project.edited(
        tmp_path / "typed",
        ("birth_date, data_type: date", "birth_date, data_type: integer"),
    )
    assert warehouse.build().having("fail") == {"property_findings"}
    assert warehouse.execute(found) == [("birth_date", "invalid_integer", "1980-01-01")]
    warehouse.project = project
    built(warehouse)


@pytest.mark.slow
def test_an_ignored_name_that_becomes_a_column_is_read_from_old_records(warehouse, tmp_path):
    """A typed record may hold a name that is ignored since its column went."""
    grown = warehouse.project.edited(
        tmp_path / "grown",
        ("      - {name: birth_date,", "      - {name: ward, data_type: text,"
         " config: {meta: {keys: [ward_key]}}}\n      - {name: birth_date,"),
    )  # fmt: skip
    ignoring = warehouse.project.edited(
        tmp_path / "ignoring",
        (
            "[{key: initial_source,",
            "[{key: ward, reason: gone}, {key: ward_key, reason: gone}, {key: initial_source,",
        ),
    )
    warehouse.project = grown
    put_in(warehouse, "permanent_user_properties", {"ward": "W"})
    built(warehouse)
    warehouse.project = ignoring
    built(warehouse)
    warehouse.project = grown
    built(warehouse)
    assert warehouse.execute("select ward from dwh.permanent_user_properties") == [("W",)]
    exact(warehouse)


def test_a_device_is_its_newest_row(warehouse):
    """With the first and last time of it; rows of technical_data speak of it, too."""
    put_in(warehouse, "mobile_devices", at="2025-01-06 09:00:00")
    put_in(warehouse, "mobile_devices", {"os_name": "android"}, uuid=OTHER,
           at="2025-01-06 10:00:00", name="b")  # fmt: skip
    put_in(warehouse, "technical_data", {"device_id": "e"}, at="2025-01-06 08:00:00")
    built(warehouse)
    assert warehouse.execute(
        "select source, device_id, os_name, tracker_name, installed_at, first_seen_at::text,"
        " last_seen_at::text, uuid::text from dwh.mobile_devices"
    ) == [
        ("direct", "e", "android", "t", None, "2025-01-06 08:00:00+00", "2025-01-06 10:00:00+00",
         OTHER)
    ]  # fmt: skip
    exact(warehouse)


def test_reconciliation_does_not_speak_of_direct_rows(warehouse):
    """They belong to no day that was asked of a vendor."""
    for table in ROWS:
        put_in(warehouse, table)
    built(warehouse)
    assert warehouse.build("--select", RECONCILIATION).is_clean
    assert warehouse.execute("select * from audit.reconciliation") == []


def test_a_warehouse_of_before_direct_rows_is_built_anew_once(warehouse):
    """Its events have no parts; nobody has to know that."""
    warehouse.load("1.zip", [event(number, number, {"ehr_id": "P1"}) for number in (1, 2)])
    assert warehouse.build().is_clean
    warehouse.execute("alter table intermediate.int_events__deduplicated drop column part")
    warehouse.execute("alter table intermediate.int_property_records drop column is_permanent_only")
    warehouse.load("2.zip", [event(number, number, {"ehr_id": "P1"}) for number in (2, 3)])
    assert warehouse.build().is_clean
    marts = warehouse.marts()
    assert len(marts["events_part"]) == 3
    assert warehouse.refreshed() == marts

"""What the gate holds back stays back, and one line of the mapping lets it through."""

import pytest
from warehouse import Build, Warehouse, event

AUDIT = (
    "select source, file_key, line_number, key, value, reason, finding_count::integer"
    " from audit.property_findings order by load_id, line_number, key"
)


def built(warehouse: Warehouse) -> None:
    build = warehouse.build()
    assert build.is_clean, build


def assert_held(build: Build) -> None:
    assert build.having("fail") == {"property_findings"}
    assert "permanent_user_properties" in build.having("skipped")
    assert "events_part" in build.having("skipped")


@pytest.fixture
def filled(warehouse):
    """One good load, built."""
    warehouse.load(
        "good.zip",
        [
            event(1, 1, {"ehr_id": "P1", "gender": "m", "city": "A", "team": {"name": "X"}}),
            event(2, 2, {"ehr_id": "P2", "sex": "f", "age": "42 years", "initial_source": "ad"}),
        ],
    )
    built(warehouse)
    return warehouse


def test_one_finding_holds_back_every_source_and_is_told_to_the_line(filled):
    """A bad line blocks its load and good ones too; audit names file, line, key and value."""
    before = filled.marts()
    filled.load("fine.zip", [event(3, 3, {"ehr_id": "P3"})], source="amplitude_mobile")
    bad = filled.load(
        "bad.zip",
        [
            event(4, 4, {"ehr_id": "P4"}),
            event(5, 5, {"ehr_id": "P5", "shoe": 42, "age": "old"}),
            event(6, 6, {"ehr_id": "P6", "shoe": "44", "gender": "M"}),
            event(7, 7, ["no object"]),
            event(8, 8, {"weight": "1,5", "city": ["A"]}),
        ],
    )
    assert_held(filled.build())
    assert filled.marts() == before
    assert filled.execute(AUDIT) == [
        ("amplitude_web", "bad.zip", 1, "age", "old", "no_regex_match", 1),
        ("amplitude_web", "bad.zip", 1, "shoe", "42", "unknown_key", 2),
        ("amplitude_web", "bad.zip", 2, "gender", "M", "outside_value_map", 1),
        ("amplitude_web", "bad.zip", 2, "shoe", "44", "unknown_key", 2),
        ("amplitude_web", "bad.zip", 3, None, '["no object"]', "not_an_object", 1),
        ("amplitude_web", "bad.zip", 4, "city", '["A"]', "nested_value", 1),
        ("amplitude_web", "bad.zip", 4, "weight", "1,5", "invalid_numeric", 1),
    ]
    filled.replace([bad], [event(4, 4, {"ehr_id": "P4"})])
    built(filled)
    assert filled.execute(AUDIT) == []
    assert filled.execute("select ehr_id from dwh.permanent_user_properties order by 1") == [
        ("P1",), ("P2",), ("P3",), ("P4",)
    ]  # fmt: skip


def test_no_selection_lets_bad_rows_through(filled):
    """Neither one mart alone nor `dbt run`, which skips the tests, brings in a bad load."""
    before = filled.marts()
    filled.load("bad.zip", [event(3, 3, {"ehr_id": "P3", "shoe": 42})])
    for arguments in (["--select", "permanent_user_properties"], [], ["--full-refresh"]):
        build = filled.build(*arguments, command="run")
        assert build.is_clean, build
        assert filled.marts() == before


def test_findings_are_sampled_and_counted_exactly(filled):
    """The first thousand lines of a kind are listed, beside the exact count of all."""
    filled.load("bad.zip", [event(n, n, {"shoe": n}) for n in range(3, 1103)])
    assert_held(filled.build())
    assert filled.execute(
        "select count(*)::integer, min(line_number)::integer, max(line_number)::integer,"
        " min(finding_count)::integer from audit.property_findings"
    ) == [(1000, 0, 999, 1100)]


def test_a_mapping_entry_unblocks_what_was_held(filled, tmp_path):
    """One more column in the YAML is all it takes: it stands in the mart, older rows have null."""
    filled.load("bad.zip", [event(3, 3, {"ehr_id": "P3", "shoe": 42})])
    assert_held(filled.build())
    filled.project = filled.project.edited(
        tmp_path / "project",
        (
            "      - {name: city,",
            "      - {name: shoe_size, data_type: integer, config: {meta: {keys: [shoe]}}}\n"
            "      - {name: city,",
        ),
    )
    built(filled)
    for mart in ("changeable_user_properties", "changeable_user_properties_history"):
        assert filled.execute(f"select ehr_id, shoe_size from dwh.{mart} order by 1") == [
            ("P1", None), ("P2", None), ("P3", 42)
        ]  # fmt: skip
    incremental = filled.marts()
    assert filled.refreshed() == incremental


def test_an_ignored_key_that_becomes_a_column_is_read_from_old_records(filled, tmp_path):
    """No full refresh is asked for: the build checks and reads all admitted records again."""
    before = filled.marts()["events_part"]
    filled.project = filled.project.edited(
        tmp_path / "project",
        (", {key: team, reason: not wanted yet}", ""),
        (
            "      - {name: city,",
            "      - {name: team, data_type: jsonb, config: {meta: {keys: [team]}}}\n"
            "      - {name: city,",
        ),
    )
    built(filled)
    assert filled.execute("select ehr_id, team from dwh.changeable_user_properties order by 1") == [
        ("P1", {"name": "X"}),
        ("P2", None),
    ]
    incremental = filled.marts()
    assert incremental["events_part"] == before
    assert filled.refreshed() == incremental


def test_a_narrower_map_stops_the_build_and_changes_nothing(filled, tmp_path):
    """A value that was fine under the older map is a finding; the older mapping still builds."""
    before, old = filled.marts(), filled.project
    filled.project = old.edited(tmp_path / "project", ("{m: male, f: female}", "{m: male}"))
    assert_held(filled.build())
    assert filled.execute(AUDIT) == [
        ("amplitude_web", "good.zip", 1, "sex", "f", "outside_value_map", 1)
    ]
    alone = filled.build("--select", "permanent_user_properties", command="run")
    assert alone.having("error") == {"permanent_user_properties"}
    assert "run `dbt build`" in alone.messages
    assert filled.marts() == before
    filled.project = old
    built(filled)
    assert filled.marts() == before


def test_a_changed_map_rewrites_old_values(filled, tmp_path):
    """A target that changes is told in every row that says it."""
    filled.project = filled.project.edited(
        tmp_path / "project", ("{m: male, f: female}", "{m: man, f: woman}")
    )
    built(filled)
    assert filled.execute(
        "select ehr_id, gender from dwh.permanent_user_properties order by 1"
    ) == [("P1", "man"), ("P2", "woman")]


@pytest.mark.parametrize(
    ("replacements", "problems"),
    [
        (
            [
                ("data_type: numeric", "data_type: money"),
                ("{keys: [weight]}", "{keys: [city]}"),
                ("data_type: date", "data_type: varchar(10)"),
            ],
            [
                "permanent_user_properties.birth_date: unknown type 'varchar(10)'",
                "changeable_user_properties.weight_kg: unknown type 'money'",
                "changeable_user_properties.weight_kg: key 'city' already belongs to"
                " changeable_user_properties.city",
            ],
        ),
        (
            [(r"'(\d+)'", r"'(\d+'")],
            [r"changeable_user_properties.age_years: broken regex '(\d+'"],
        ),
    ],
    ids=["type-and-key", "regex"],
)
def test_a_broken_mapping_is_an_error_that_names_the_column(
    filled, tmp_path, replacements, problems
):
    """An unknown type, a key of two columns and a broken regex stop dbt before any model."""
    before = filled.marts()
    filled.project = filled.project.edited(tmp_path / "project", *replacements)
    build = filled.build()
    assert [problem for problem in problems if problem not in build.messages] == []
    assert not build.having("success")
    assert filled.marts() == before

"""The warning test lists every other value of a permanent property, and nothing else."""

from warehouse import event

AUDIT = "select * from audit.permanent_property_conflicts order by ehr_id, property, other_value"


def test_other_values_of_permanent_properties_are_listed_and_block_nothing(warehouse):
    """One row for each other value, both with their records; not for equal, null, removed ones."""
    warehouse.load(
        "w.zip",
        [
            event(1, 1, {"ehr_id": "P1", "gender": "m", "birth_date": "1980-01-01"}),
            event(2, 2, {"ehr_id": "P1", "sex": "m", "birth_date": "1980-01-01T00:00Z"}),
            event(3, 3, {"ehr_id": "P1", "gender": "f", "birth_date": "1981-01-01"}),
            event(4, 4, {"ehr_id": "P1", "gender": None, "birth_date": "1982-01-01"}),
            event(5, 5, {"ehr_id": "P1", "gender": "f", "birth_date": "1981-01-01"}),
            event(6, 6, {"gender": "f"}),
            event(7, 7, {"ehr_id": "P2", "gender": "f"}),
        ],
    )
    gone = warehouse.load(
        "gone.zip", [event(8, 8, {"ehr_id": "P2", "gender": "m"})], source="amplitude_mobile"
    )
    build = warehouse.build(tests="data")
    assert build.is_clean, build
    assert build.having("warn") == {"permanent_property_conflicts"}
    first = ("amplitude_web", "w.zip")
    of_p1 = [
        ("P1", "birth_date", "1980-01-01", *first, 0, "1981-01-01", 2, *first, 2),
        ("P1", "birth_date", "1980-01-01", *first, 0, "1982-01-01", 1, *first, 3),
        ("P1", "gender", "male", *first, 0, "female", 2, *first, 2),
    ]
    of_p2 = [("P2", "gender", "female", *first, 6, "male", 1, "amplitude_mobile", "gone.zip", 0)]
    assert warehouse.execute(AUDIT) == of_p1 + of_p2
    warehouse.withdraw(gone)
    assert warehouse.build(tests="data").is_clean
    assert warehouse.execute(AUDIT) == of_p1

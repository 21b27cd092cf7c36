"""The generic tests list the rows that break their rule, and no others."""

from datetime import datetime


def at(text):
    return datetime.fromisoformat(f"2025-01-0{text}T00:00:00")


def rows_of(warehouse, test, model):
    """What a generic test lists about a model that is a query in parentheses."""
    return warehouse.show(f"{{% set model %}}{model}{{% endset %}}{{{{ {test} }}}}")


def test_no_findings_lists_every_sample_of_a_finding_and_no_clean_load(warehouse):
    """A row for each sampled line with the exact count; a load without findings is silent."""
    model = """(
        select * from (values
            (1, 11, 'web', 'a.zip', null, null, 0, null::jsonb),
            (2, 13, 'web', 'b.zip', 'shoe', 'unknown_key', 1500,
                '[{"line_number": 4, "value": "42"}, {"line_number": 9, "value": null}]'),
            (3, 12, 'mobile', 'c.zip', null, 'not_an_object', 1,
                '[{"line_number": 0, "value": "[]"}]')
        ) as t (load_id, load_seq, source, file_key, key, reason, finding_count, samples)
    )"""
    assert rows_of(warehouse, "test_no_findings(model)", model) == [
        ("mobile", "c.zip", 0, None, "[]", "not_an_object", 1, 3),
        ("web", "b.zip", 4, "shoe", "42", "unknown_key", 1500, 2),
        ("web", "b.zip", 9, "shoe", None, "unknown_key", 1500, 2),
    ]


def test_unique_together_lists_keys_that_stand_twice(warehouse):
    """The columns count together, and null equals null."""
    model = """(
        select * from (values
            ('a', '1'), ('a', '2'), ('b', '1'), ('b', '1'), ('b', '1'),
            (null, '1'), (null, '1'), ('c', null), (null, null)
        ) as t (source, device)
    )"""
    found = rows_of(warehouse, "test_unique_together(model, ['source', 'device'])", model)
    assert sorted(found, key=str) == [("b", "1", 3), (None, "1", 2)]


def test_valid_spans_lists_gaps_overlaps_and_open_ends(warehouse):
    """Each span ends where the next begins, the last is open; spans of one time may be empty."""
    model = """(
        select key, n, a::timestamp as valid_from, b::timestamp as valid_to from (values
            ('sound', 1, '2025-01-01', '2025-01-02'), ('sound', 2, '2025-01-02', '2025-01-02'),
            ('sound', 3, '2025-01-02', null), ('alone', 1, '2025-01-01', null),
            ('gap', 1, '2025-01-01', '2025-01-02'), ('gap', 2, '2025-01-03', null),
            ('overlap', 1, '2025-01-01', '2025-01-04'), ('overlap', 2, '2025-01-03', null),
            ('open', 1, '2025-01-01', null), ('open', 2, '2025-01-02', null),
            ('closed', 1, '2025-01-01', '2025-01-02'),
            (null, 1, '2025-01-01', '2025-01-02'), (null, 2, '2025-01-02', null)
        ) as t (key, n, a, b)
    )"""
    assert sorted(rows_of(warehouse, "test_valid_spans(model, 'key', 'n')", model)) == [
        ("closed", 1, at(1), at(2), None),
        ("gap", 1, at(1), at(2), at(3)),
        ("open", 1, at(1), None, at(2)),
        ("overlap", 1, at(1), at(4), at(3)),
    ]

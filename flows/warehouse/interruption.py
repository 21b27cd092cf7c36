"""Why data stopped a build, in words that name file, line and key, and never a value."""

from collections.abc import Mapping

from flows.errors import Interrupted
from flows.settings import Dwh
from flows.warehouse.connection import connect, warehouse_errors

FINDINGS = """
select checked.file_key, checked.source, checked.key, checked.reason,
    checked.finding_count, checked.first_line_number, checked.load_id
from intermediate.int_loads__checked as checked
where checked.finding_count > 0
order by checked.load_seq, checked.first_line_number, checked.key, checked.reason
"""

CURES = {
    "unknown_key": (
        "Add a column for it, or put it under ignored_keys with a reason, in"
        " dbt_project/models/marts/user_properties/field_mappings.yaml"
    ),
    "outside_value_map": "Add the value to the column's value_map, or to its null_values",
    "no_regex_match": "Widen the column's regex, or add the text to its null_values",
    "nested_value": "Put the key under ignored_keys, or give its column data_type jsonb",
    "unstorable_text": "Put the key under ignored_keys, or have the file exported again",
    "not_an_object": "Have the file exported again, or withdraw the load",
}
_OTHER_CURE = "Change the column's data_type, regex or null_values in field_mappings.yaml"


def interruption(settings: Dwh | None = None) -> Interrupted:
    """The interruption report of the gate's last verdict (design section 7)."""
    settings = settings or Dwh.load()
    with warehouse_errors(), connect(settings.database_url.get_secret_value()) as connection:
        rows = connection.execute(FINDINGS).fetchall()
    if not rows:
        return Interrupted(
            "the gate failed, yet its verdict is gone: another build ran; run again",
            reason="unknown",
            file_key=None,
        )
    file_key, source, key, reason, _, line, load_id = rows[0]
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[3]] = counts.get(row[3], 0) + row[4]
    total = sum(counts.values())
    subject = f"{reason.replace('_', ' ')} {key!r}" if key is not None else reason.replace("_", " ")
    return Interrupted(
        f"{subject} in {file_key} line {line} (0-based), source {source}, load {load_id};"
        f" {total} findings in all. {CURES.get(reason, _OTHER_CURE)}, then run transform again."
        " The values stand in audit.property_findings."
        f" Last way out: withdraw_load({load_id}).",
        reason=reason,
        file_key=file_key,
        failed_line=line,
        last_successful_line=line - 1 if line > 0 else None,
        findings=counts,
    )


def failed_tests(rows: Mapping[str, int]) -> Interrupted:
    """The report where other tests than the gate's failed. rows: name of a test -> bad rows."""
    names = ", ".join(f"{name} ({count} rows)" for name, count in rows.items())
    return Interrupted(
        f"tests failed: {names}. What stands below them was not built. Each test's query,"
        " `dbt show --select NAME` in dbt_project, lists the rows.",
        reason="failed_test",
        file_key=None,
        findings=rows,
    )

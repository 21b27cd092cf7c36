"""Invented rows of AppMetrica are the same each time, and as awkward as real ones."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from appmetrica_requests import get, rows_of

from flows.mapping import FIELD_MAPPINGS
from flows.sandbox.amplitude.events import generate as generate_amplitude
from flows.sandbox.appmetrica import AppMetricaSimulator, Limits
from flows.sandbox.appmetrica.dataset import build
from flows.sandbox.appmetrica.generator import ATTRIBUTES, Made, generate
from flows.sandbox.appmetrica.rare_tables import RARE_TABLES
from flows.vendors.appmetrica_tables import TABLES, Kind

WEEKS = (date(2025, 1, 6), date(2025, 2, 2))


def made(users: int = 40, end: date = date(2025, 1, 19)) -> list[Made]:
    return list(generate(WEEKS[0], end, users=users))


def test_generated_rows_are_the_same_each_time() -> None:
    """Same arguments, same rows; a later end day adds rows and changes none."""
    rows = made()
    assert rows == made()
    closes = datetime(2025, 1, 19, 21, tzinfo=UTC).timestamp()
    longer = [item for item in made(end=date(2025, 1, 31)) if item.received_at < closes]
    assert longer == rows


def test_generated_rows_are_as_awkward_as_real_ones() -> None:
    """Ids above 2^63, exact duplicates, late rows, every odd event_json, clicks that never were."""
    rows = list(generate(*WEEKS))
    by_table: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for item in rows:
        by_table[item.table].append(item.row)
    assert all(by_table.values())
    devices = {int(row["appmetrica_device_id"]) for row in by_table["installations"]}
    assert 0.4 < sum(number >= 2**63 for number in devices) / len(devices) < 0.6
    assert max(devices) < 2**64
    for table in ("events", "installations"):
        copies = Counter(json.dumps(row, sort_keys=True) for row in by_table[table])
        assert 2 < sum(count > 1 for count in copies.values()) < 0.05 * len(copies)
    late = {row["event_receive_timestamp"] - row["event_timestamp"] for row in by_table["events"]}
    assert max(late) == 14 * 86_400
    kinds = Counter(kind_of_json(row["event_json"]) for row in by_table["events"])
    assert set(kinds) == {"", "object", "twice", "other", "broken"}
    clicks = Counter(row["click_timestamp"] == "0" for row in by_table["installations"])
    assert min(clicks[True], clicks[False]) > 50
    assert {item.table for item in rows} - {"events", "installations"} >= set(RARE_TABLES)


def kind_of_json(text: str) -> str:
    twice = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.append(len(dict(pairs)) < len(pairs))
        return dict(pairs)

    if not text:
        return ""
    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=refuse)
    except ValueError:
        return "broken"
    if not isinstance(value, dict):
        return "other"
    return "twice" if any(twice) else "object"


def refuse(text: str) -> None:
    raise ValueError(text)


def test_both_vendors_tell_of_the_same_people() -> None:
    """A patient's facts on a day agree between Amplitude's events and AppMetrica's profiles."""

    def facts(properties: dict[str, Any]) -> tuple[Any, ...]:
        names = ("ehr_id", "birth_date", "enrolled_at", "diagnosis_code")
        return tuple(properties[name] for name in names)

    amplitude = generate_amplitude("mobile", WEEKS[0], date(2025, 1, 12), users=40)
    theirs = {
        facts(row["user_properties"]) for row in amplitude if "ehr_id" in row["user_properties"]
    }
    profiles = [item.row for item in made() if item.table == "profiles_v2"]
    ours = {facts(row) for row in profiles if row["profile_id"]}
    assert len(ours & theirs) > 20
    assert len({ehr_id for ehr_id, *_ in ours | theirs}) == len(ours | theirs)
    weights: dict[str, set[Any]] = {}
    for row in profiles:
        if row["profile_id"]:
            weights.setdefault(row["ehr_id"], set()).add(row["weight_kg"])
    assert sum(len(values) > 1 for values in weights.values()) > 5


def test_the_mapping_knows_every_attribute() -> None:
    """The demo's own profiles must not stop the build."""
    mapping = yaml.safe_load(FIELD_MAPPINGS.read_text())
    known: set[str] = set()
    for model in mapping["models"]:
        for column in model["columns"]:
            known |= set(column.get("config", {}).get("meta", {}).get("keys", ()))
    used = {name for item in made() if item.table == "profiles_v2" for name in item.row} - set(
        TABLES["profiles_v2"].fields
    )
    assert used - {"at"} <= ATTRIBUTES
    assert used - {"at"} <= known


def test_the_demo_data_are_built_once_and_served(tmp_path: Path) -> None:
    """Building again leaves the file alone; every row of it is served, all in all."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = build(tmp_path, *days, users=30)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert build(tmp_path, *days, users=30) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
    window = {"date_since": "2025-01-06 00:00:00", "date_until": "2025-01-12 23:59:59"}
    with AppMetricaSimulator(data=tmp_path, limits=Limits(steps=0)) as vendor:
        found = {
            table: rows_of(
                get(
                    vendor,
                    table,
                    fields=",".join(TABLES[table].fields),
                    date_dimension="receive" if TABLES[table].takes_date_dimension else None,
                    **window,
                )
            )
            for table in rows
            if table != "profiles_v2"
        }
        assert vendor.attributes() == ATTRIBUTES
    assert {table: len(found[table]) for table in found} == {
        table: count for table, count in rows.items() if table != "profiles_v2"
    }
    for table, served in found.items():
        for row in served:
            for name, kind in TABLES[table].fields.items():
                assert is_of_kind(row[name], kind), (table, name, row[name])
    assert build(tmp_path, *days, users=20)["events"] < rows["events"]


def is_of_kind(text: str, kind: Kind) -> bool:
    patterns = {
        Kind.INTEGER: r"-?\d{0,19}",
        Kind.UNSIGNED: r"\d{0,20}",
        Kind.TIMESTAMP: r"\d{0,10}",
        Kind.DATETIME: r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?",
        Kind.BOOLEAN: r"(true|false)?",
    }
    return kind not in patterns or re.fullmatch(patterns[kind], text) is not None

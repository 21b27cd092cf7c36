"""Invented rows of Amplitude are the same each time, and as awkward as real ones."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.mapping import FIELD_MAPPINGS
from flows.sandbox.amplitude.dataset import build
from flows.sandbox.amplitude.events import generate
from flows.sandbox.amplitude.fields import KEYS, OLD_KEYS


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_generated_rows_are_the_same_each_time(project: str) -> None:
    """Same arguments, same rows; a later end day adds rows and changes none."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = list(generate(project, *days, users=40))
    assert rows == list(generate(project, *days, users=40))
    uploads = [row["server_upload_time"] for row in rows]
    assert all("2025-01-06" <= upload < "2025-01-13" for upload in uploads)
    longer = list(generate(project, days[0], date(2025, 1, 19), users=40))
    assert [row for row in longer if row["server_upload_time"] < "2025-01-13"] == rows
    assert rows != list(generate(project, *days, users=40, seed=7))


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_generated_rows_are_as_awkward_as_real_ones(project: str) -> None:
    """Old and new kinds, late, future and repeated rows all occur, and properties stay flat."""
    rows = list(generate(project, date(2025, 1, 6), date(2025, 2, 2)))
    assert 15_000 < len(rows) < 25_000
    assert {tuple(sorted(row)) for row in rows} == {tuple(sorted(KEYS)), tuple(sorted(OLD_KEYS))}
    delivered = [row["uuid"] for row in rows]
    again = len(delivered) - len(set(delivered))
    assert 20 < again < 300
    insert_ids = {(row["$insert_id"], row["device_id"]) for row in rows}
    assert len({insert_id for insert_id, _ in insert_ids}) < len(insert_ids)
    late = [row for row in rows if row["event_time"][:10] < row["server_upload_time"][:10]]
    future = [row for row in rows if row["event_time"] > row["server_upload_time"][:10] + "~"]
    assert late
    assert future
    assert any(row["event_type"] == "session_end" for row in late)
    for row in rows:
        for key, value in row["user_properties"].items():
            assert not isinstance(value, dict | list), key
            assert key == key.lower()
    signed_in = {row["user_properties"].get("ehr_id") for row in rows}
    assert None in signed_in
    assert 200 < len(signed_in) < 300
    weights: dict[str, set[Any]] = {}
    for row in rows:
        properties = row["user_properties"]
        if "ehr_id" in properties:
            weights.setdefault(properties["ehr_id"], set()).add(properties["weight_kg"])
    assert sum(len(values) > 1 for values in weights.values()) > 100


@pytest.mark.parametrize("project", ["web", "mobile"])
def test_the_mapping_knows_every_generated_key(project: str) -> None:
    """The demo's own data must not stop the build: each key is a column's or ignored on purpose."""
    mapping = yaml.safe_load(FIELD_MAPPINGS.read_text())
    known: set[str] = set()
    for model in mapping["models"]:
        known |= {ignored["key"] for ignored in model["config"]["meta"]["ignored_keys"]}
        for column in model["columns"]:
            known |= set(column.get("config", {}).get("meta", {}).get("keys", ()))
    rows = generate(project, date(2025, 1, 6), date(2025, 1, 19), users=100)
    assert {key for row in rows for key in row["user_properties"]} - known == set()


def test_both_projects_tell_of_the_same_people() -> None:
    """A patient's permanent facts agree between web and mobile."""
    facts: list[dict[str, Any]] = []
    for project in ("web", "mobile"):
        rows = generate(project, date(2025, 1, 6), date(2025, 1, 12), users=40)
        found = {}
        for row in rows:
            properties = row["user_properties"]
            if "ehr_id" in properties:
                sex = properties.get("sex") or properties["gender"][0]
                found[properties["ehr_id"]] = (sex, properties["birth_date"])
        facts.append(found)
    shared = set(facts[0]) & set(facts[1])
    assert len(shared) > 10
    assert {ehr_id: facts[0][ehr_id] for ehr_id in shared} == {
        ehr_id: facts[1][ehr_id] for ehr_id in shared
    }


def test_the_demo_data_are_built_once(tmp_path: Path) -> None:
    """Building again leaves the files alone; other arguments replace them."""
    days = (date(2025, 1, 6), date(2025, 1, 12))
    rows = build(tmp_path, *days, users=30)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ndjson")}
    assert build(tmp_path, *days, users=30) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ndjson")} == files
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    assert lines == sum(rows.values())
    fewer = build(tmp_path, *days, users=20)
    assert fewer["web"] < rows["web"]

"""Which tables dbt makes for people, and what of them speaks of a person.

Names and tags stand in the dbt project alone.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flows.settings import PROJECT

_MARTS = PROJECT / "dbt_project" / "models" / "marts"
#: Folders of marts, and the schema of their tables; the audit is no mart.
SCHEMAS = {"events": "dwh", "user_properties": "dwh", "product": "product", "reports": "reports"}


@cache
def marts() -> dict[str, str]:
    """Schema of each mart, by its name."""
    return {
        path.stem: schema
        for folder, schema in SCHEMAS.items()
        for path in sorted((_MARTS / folder).glob("*.sql"))
    }


@cache
def personal_columns(mart: str) -> frozenset[str] | None:
    """Columns whose values speak of a person (config.meta.is_personal); None for all of them."""
    for model in _models():
        if model["name"] == mart:
            if _is_personal(model):
                return None
            columns = model.get("columns", ())
            return frozenset(column["name"] for column in columns if _is_personal(column))
    return None


def _models() -> Iterator[dict[str, Any]]:
    for folder in SCHEMAS:
        for path in sorted((_MARTS / folder).glob("*.y*ml")):
            yield from _read(path).get("models", ())


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return found


def _is_personal(node: dict[str, Any]) -> bool:
    return bool(((node.get("config") or {}).get("meta") or {}).get("is_personal"))

"""What field_mappings.yaml asks of a vendor that sends only the properties named in a request."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from flows.settings import PROJECT

FIELD_MAPPINGS = (
    PROJECT / "dbt_project" / "models" / "marts" / "user_properties" / "field_mappings.yaml"
)


def property_keys(source: str) -> tuple[str, ...]:
    """The keys that a source's records may bear: mapped and ignored ones, in the file's order.

    A key is left out where its own `sources`, or its column's, do not name the source.
    """
    text = FIELD_MAPPINGS.read_text(encoding="utf-8")
    keys = (
        key
        for model in yaml.safe_load(text)["models"]
        for key, sources in _keys_of(model)
        if not sources or source in sources
    )
    return tuple(dict.fromkeys(keys))


def _keys_of(model: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for column in model["columns"]:
        meta = _meta(column)
        for entry in _listed(meta.get("keys")):
            yield _key_and_sources(entry, _listed(meta.get("sources")))
    for entry in _listed(_meta(model).get("ignored_keys")):
        yield _key_and_sources(entry, [])


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (node.get("config") or {}).get("meta") or node.get("meta") or {}
    return found


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _key_and_sources(entry: Any, sources: list[str]) -> tuple[str, list[str]]:
    if isinstance(entry, Mapping):
        return str(entry["key"]), _listed(entry.get("sources")) or sources
    return str(entry), sources

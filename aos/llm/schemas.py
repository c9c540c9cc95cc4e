"""Makes a JSON Schema acceptable to providers that hold a model to it word for word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset({"default", "title", "examples"})
_NAMED = frozenset({"properties", "$defs", "definitions"})


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every object closed and every property required, as strict modes demand.

    A property with a default becomes required, which asks the model to be explicit. None where the schema has an
    object with free keys, which no strict mode takes.
    """
    try:
        return _strict(schema)
    except _FreeKeys:
        return None


class _FreeKeys(Exception):
    """An object whose keys the schema does not name."""


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: _value(name, value) for name, value in schema.items() if name not in _DROPPED}
    if schema.get("type") == "object":
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties or schema.get("additionalProperties"):
            raise _FreeKeys
        result["additionalProperties"] = False
        result["required"] = list(properties)
    # A reference may stand beside nothing else.
    return {"$ref": result["$ref"]} if "$ref" in result and "$defs" not in result else result


def _value(name: str, value: Any) -> Any:
    if name in _NAMED and isinstance(value, Mapping):
        return {key: _strict(inner) if isinstance(inner, Mapping) else inner for key, inner in value.items()}
    if isinstance(value, Mapping):
        return _strict(value)
    if isinstance(value, list):
        return [_strict(item) if isinstance(item, Mapping) else item for item in value]
    return value

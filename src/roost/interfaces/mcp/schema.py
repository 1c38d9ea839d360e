"""JSON schemas of arguments and answers, as short as they can be: every byte of them is in each agent's context."""

from __future__ import annotations

from typing import Any

import msgspec

_NOISE = ("title", "default")


def schema_of(kind: type[msgspec.Struct], *, nested: bool = True) -> dict[str, Any]:
    """Return the schema of a struct without what only repeats; unless `nested`, the structs inside it are just
    objects."""
    (_,), parts = msgspec.json.schema_components([kind])
    short: dict[str, Any] = _short(parts[kind.__name__], parts if nested else {})
    return short


def _short(part: Any, parts: dict[str, Any]) -> Any:
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return _short(parts[name], parts) if name in parts else {"type": "object"}
    is_struct = part.get("type") == "object"  # whose description is its docstring, which is for readers of the code
    kept = {key: value for key, value in part.items() if key not in _NOISE and not (is_struct and key == "description")}
    if "enum" in kept:
        kept["type"] = "string"
    if "items" in kept:
        kept["items"] = _short(kept["items"], parts)
    if "properties" in kept:
        kept["properties"] = {name: _short(value, parts) for name, value in kept["properties"].items()}
    if not kept.get("required", True):
        del kept["required"]
    return kept

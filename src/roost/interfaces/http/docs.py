"""The docs page: the routes of the table as one plain page, which loads nothing else."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from roost.interfaces.http.openapi import document

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1c2024; }
h1 { font-size: 1.6rem }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d9d9e0 }
details { border: 1px solid #d9d9e0; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code { font: 14px ui-monospace, monospace }
.method { display: inline-block; width: 4.5rem; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0; width: 100% }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) {
  body { background: #111113; color: #edeef0 }
  details, h2 { border-color: #43484e }
}
"""


@cache
def page() -> str:
    """Return the page."""
    told = document()
    tags: dict[str, list[str]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0] or "other", []).append(_operation(path, method, operation, told))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in tags.items()]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Roost HTTP</title><style>{STYLE}</style>"
        f"<h1>Roost HTTP</h1><p>{escape(told['info']['description'])}</p>"
        f"<p>WebSocket <code>/v1/stream</code> and SSE <code>/v1/events/stream</code> follow the log; MCP is at"
        f" <code>/mcp</code>; the machine-readable form of this page is <code>/openapi.json</code>.</p>{''.join(parts)}"
    )


def _operation(path: str, method: str, operation: dict[str, Any], told: dict[str, Any]) -> str:
    rows = [_row(one["name"], one["in"], one["schema"], one["required"]) for one in operation["parameters"]]
    if "requestBody" in operation:
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        schema = told["components"]["schemas"][name]
        needed = schema.get("required", ())
        rows += [_row(field, "body", one, field in needed) for field, one in schema.get("properties", {}).items()]
    head = (
        f"<span class=method>{method.upper()}</span> <code>{escape(path)}</code> &ensp; {escape(operation['summary'])}"
    )
    fields = f"<table>{''.join(rows)}</table>" if rows else "<p>No parameters.</p>"
    return f"<details><summary>{head}</summary>{fields}</details>"


def _row(name: str, where: str, schema: dict[str, Any], needed: bool) -> str:
    kind = schema.get("type") or " or ".join(
        str(one.get("type", one.get("$ref", "").rpartition("/")[2])) for one in schema.get("anyOf", ())
    )
    about = [schema.get("description", ""), f"default {schema['default']!r}" if "default" in schema else ""]
    if "enum" in schema:
        kind = " | ".join(str(one) for one in schema["enum"])
    told = "; ".join(part for part in about if part)
    return f"<tr><td><code>{escape(name)}</code>{' *' if needed else ''}<td>{where}<td>{escape(kind)}<td>{escape(told)}"

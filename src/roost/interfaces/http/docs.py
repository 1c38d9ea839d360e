"""The docs page: the routes of the table as one plain page, which loads nothing else."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

import msgspec

from roost.interfaces.http.openapi import document

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1c2024; }
h1 { font-size: 1.6rem }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d9d9e0 }
h2::first-letter { text-transform: uppercase }
details { border: 1px solid #d9d9e0; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code { font: 14px ui-monospace, monospace }
.method { display: inline-block; width: 4.5rem; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0; width: 100%; table-layout: fixed }
td { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; overflow-wrap: break-word; width: 32% }
td:nth-child(2) { width: 5rem } td:nth-child(3) { width: 28% }
p { margin: .5rem 0 }
@media (prefers-color-scheme: dark) {
  body { background: #111113; color: #edeef0 }
  details, h2 { border-color: #43484e }
}
"""
_EMPTY: tuple[object, ...] = ("", None, [])
"""Defaults that say no more than that a field may be left out."""


@cache
def page() -> str:
    """Return the page."""
    told = document()
    schemas = told["components"]["schemas"]
    tags: dict[str, list[str]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0] or "other", []).append(_operation(path, method, operation, schemas))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in tags.items()]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Roost HTTP</title><style>{STYLE}</style>"
        f"<h1>Roost HTTP</h1><p>{_prose(told['info']['description'])} What has a * must be given.</p>"
        f"<p>WebSocket <code>/v1/stream</code> and SSE <code>/v1/events/stream</code> follow the log; MCP is at"
        f" <code>/mcp</code>; the machine-readable form of this page is <code>/openapi.json</code>.</p>{''.join(parts)}"
    )


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = [_row(one["name"], one["in"], one["schema"], one["required"]) for one in operation["parameters"]]
    if "requestBody" in operation:
        rows += _fields(operation["requestBody"]["content"]["application/json"]["schema"], schemas, "body")
    head = (
        f"<span class=method>{method.upper()}</span> <code>{escape(path)}</code> &ensp; {escape(operation['summary'])}"
    )
    fields = f"<table>{''.join(rows)}</table>" if rows else "<p>No parameters.</p>"
    return f"<details><summary>{head}</summary>{fields}{_answer(operation, schemas)}</details>"


def _answer(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return what a route answers with: its status, its type, and in a list each item's fields."""
    status = min(operation["responses"])
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    item = schema.get("properties", {}).get("items", schema)
    one = item.get("items", item)
    a_page = " in <code>items</code>, with <code>cursor</code> and <code>more</code>" if item is not schema else ""
    fields = "".join(_fields(one, schemas, ""))
    return f"<p>Answers {status}: <code>{escape(_kind(item))}</code>{a_page}</p><table>{fields}</table>"


def _fields(schema: dict[str, Any], schemas: dict[str, Any], where: str) -> list[str]:
    known = schemas.get(_name(schema), schema)
    needed = known.get("required", ()) if where else ()
    return [_row(field, where, one, field in needed) for field, one in known.get("properties", {}).items()]


def _row(name: str, where: str, schema: dict[str, Any], needed: bool) -> str:
    default = schema.get("default")
    about = [_prose(schema.get("description", "").rstrip("."))]
    if where and default not in _EMPTY:
        about.append(f"default {escape(msgspec.json.encode(default).decode())}")
    told = "; ".join(part for part in about if part)
    star = " *" if needed else ""
    return f"<tr><td><code>{escape(name)}</code>{star}<td>{where}<td>{escape(_kind(schema))}<td>{told}"


def _kind(schema: dict[str, Any]) -> str:
    """Return a type as people read it: `string or null`, `Sent`, `array of string`."""
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"array of {_kind(schema['items'])}" if schema.get("items") else "array"
    return str(schema.get("type") or _name(schema) or "any")


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _prose(text: str) -> str:
    """Return text as HTML, with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))

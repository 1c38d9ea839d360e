"""OpenAPI 3.1, made of the table of routes and the types of its bodies and answers."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

import roost
from roost.interfaces.http.answers import Refused
from roost.interfaces.http.repomesh import COMPATIBLE
from roost.interfaces.http.routes import Route
from roost.interfaces.http.table import ROUTES

ABOUT = (
    "Messages, leases and the log of one project. Each call needs a token (`roost token create`). Lists are paged"
    " by opaque cursors and carry an ETag. A POST that takes an Idempotency-Key may be repeated with it for 7 days."
)
REF = "#/components/schemas/{name}"
ERRORS = {
    400: "The call is malformed.",
    401: "No token, or none that is valid.",
    403: "The token, or whose it is, may not.",
    404: "Nothing of that name or id is there for the caller.",
    408: "The request came too slowly.",
    409: "The state of things refuses it; nothing was changed.",
    410: "This part of the log was archived.",
    413: "The body is over its limit.",
    414: "The URL is over its limit.",
    415: "The body is not JSON, or compressed.",
    421: "This server does not go by that name.",
    422: "A value is out of its range.",
    429: "A limit is reached; `Retry-After` says when to try again.",
    431: "The headers are over their limit.",
    500: "A bug in Roost.",
    503: "The store cannot answer now; repeating is safe.",
    507: "The disk is full.",
}


@cache
def document() -> dict[str, Any]:
    """Return the description of every route of the table."""
    types: list[Any] = [Refused]
    for route in (*ROUTES, *COMPATIBLE):
        types += [kind for kind in (route.answer, route.query, route.body) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in (*ROUTES, *COMPATIBLE):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Roost", "version": roost.__version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "rst_..."}},
        },
    }


def _operation(route: Route, by_type: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    answered = by_type[route.answer]
    if route.is_list:
        answered = {
            "type": "object",
            "required": ["items", "cursor", "more"],
            "properties": {
                "items": {"type": "array", "items": answered},
                "cursor": {"type": "string"},
                "more": {"type": "boolean"},
            },
        }
    made: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.tag],
        "operationId": f"{route.method.lower()}{route.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "parameters": _parameters(route, by_type, components),
        "responses": {
            str(route.status): {
                "description": "What was asked.",
                "content": {"application/json": {"schema": answered}},
            },
            **{str(status): _error(text) for status, text in ERRORS.items()},
        },
    }
    if route.method == "GET":
        made["responses"]["304"] = {"description": "What `If-None-Match` names is still so."}
    if route.body is not None:
        content = {"application/json": {"schema": by_type[route.body]}}
        made["requestBody"] = {"required": not _may_be_empty(route.body), "content": content}
    return made


def _may_be_empty(body: Any) -> bool:
    """Say whether a body has no field that must be given: who wants none of them need send none."""
    try:
        msgspec.convert({}, body)
    except msgspec.ValidationError:
        return False
    return True


def _parameters(route: Route, by_type: dict[Any, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
    ]
    query = components[by_type[route.query]["$ref"].rpartition("/")[2]]
    for name, schema in query.get("properties", {}).items():
        found.append({"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema})
    if route.takes_key:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,128}$"},
            }
        )
    return found


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": REF.format(name="Refused")}}}}

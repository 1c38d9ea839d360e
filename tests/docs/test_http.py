"""docs/reference/http.md names every route as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from roost.interfaces.errors import STATUSES
from roost.interfaces.http.openapi import ERRORS
from roost.interfaces.http.repomesh import COMPATIBLE
from roost.interfaces.http.routes import Route
from roost.interfaces.http.table import ROUTES

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text()
OF_LISTS = ("limit", "cursor")


def test_each_route_stands_in_its_table_and_no_other_does() -> None:
    written = [line for line in TEXT.splitlines() if re.match(r"\| `[A-Z]+ /v1/", line) and line.count(" | ") == 3]
    real = [_row(route) for route in (*ROUTES, *COMPATIBLE)]
    assert sorted(written) == sorted(real)


def test_each_status_that_an_answer_may_have_is_explained() -> None:
    rows = re.findall(r"^\| ((?:\d{3}(?:, )?)+) \|", TEXT, re.MULTILINE)
    explained = {int(status) for row in rows for status in row.split(", ")}
    assert explained >= set(STATUSES.values()) | set(ERRORS)


def _row(route: Route) -> str:
    takes = ", ".join([*_fields(route.query), *_fields(route.body)])
    answer = f"`{route.answer.__name__}`" + (" list" if route.is_list else "")
    status = "" if route.status == 200 else f"{route.status} "
    key = ", key" if route.takes_key else ""
    return f"| `{route.method} {route.path}` | {route.summary} | {takes} | {status}{answer}{key} |"


def _fields(kind: type[msgspec.Struct] | None) -> list[str]:
    found: tuple[Any, ...] = msgspec.structs.fields(kind) if kind is not None else ()
    names = [(one.encode_name, one.required) for one in found if one.encode_name not in OF_LISTS]
    return [f"**`{name}`**" if is_needed else f"`{name}`" for name, is_needed in names]

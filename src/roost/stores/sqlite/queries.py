"""Named queries: `-- name: get`, lines of comment, one statement; `leases.get` is `get` of `sql/leases.sql`."""

from __future__ import annotations

import os

_FOLDER = os.path.join(os.path.dirname(__file__), "sql")
_loaded: dict[str, str] = {}


def sql(name: str) -> str:
    """Return the statement of one named query; KeyError when there is none."""
    try:
        return _loaded[name]
    except KeyError:
        _loaded.update(load(name.partition(".")[0]))
        return _loaded[name]


def load(feature: str) -> dict[str, str]:
    """Read every query of one feature: {"leases.get": "SELECT ..."}."""
    with open(os.path.join(_FOLDER, f"{feature}.sql"), encoding="utf-8") as file:
        parts = file.read().split("-- name: ")[1:]
    found = {}
    for part in parts:
        name, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("--")]
        found[f"{feature}.{name.strip()}"] = "\n".join(lines).rstrip(";\n ")
    return found


def load_all() -> None:
    """Read every query now; otherwise a feature's are read when the first is asked for."""
    for feature in features():
        _loaded.update(load(feature))


def features() -> list[str]:
    """List the features that have queries."""
    return sorted(entry[:-4] for entry in os.listdir(_FOLDER) if entry.endswith(".sql"))

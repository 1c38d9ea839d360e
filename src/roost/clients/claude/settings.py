"""Roost's part of a Claude Code settings file: put in, found again, taken out; text in, text out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from roost.clients.claude import hooktable, jsontext
from roost.clients.claude.hooktable import Group
from roost.errors import BadSettings

VERBS = ("send", "inbox", "read", "reply", "ack", "who", "lease", "activity")
"""What an agent may run without asking: its own mail and leases, nothing that changes the project for others."""

RULES = tuple(sorted(f"Bash(roost {verb} *)" for verb in VERBS))
"""Permission rules; a star after a space also matches the bare verb."""

EMPTY = "{}\n"
ALLOW: jsontext.Path = ("permissions", "allow")
WRITABLE: jsontext.Path = ("sandbox", "filesystem", "allowWrite")
_WORKDIR = re.compile(r"//.*/\.roost", re.DOTALL)


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What Roost has, or wants, in one settings file."""

    hooks: dict[str, list[Group]] = {}
    rules: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return a hash that tells these entries from any others, whatever their layout."""
        plain = json.dumps(msgspec.to_builtins(self), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()


def writable_root(workdir: str) -> str:
    """Return how the client's sandbox names an absolute path, in all of its versions."""
    return "/" + workdir


def find(text: str, before: str | None = None) -> Entries:
    """Return what of ours stands in `text`; what stood in `before`, the file without us, is not ours.

    Raises BadSettings if the text is no settings file.
    """
    data, theirs = load(text), load(before)
    return Entries(
        hooks={event: ours for event, groups in _object(data, "hooks").items() if (ours := _our_groups(groups))},
        rules=_new(ALLOW, data, theirs, RULES.__contains__),
        writable=_new(WRITABLE, data, theirs, lambda path: _WORKDIR.fullmatch(path) is not None),
    )


def add(text: str | None, wanted: Entries) -> str:
    """Return `text`, None for a missing file, with the wanted entries at the ends of their lists.

    The text must hold none of ours (see `remove`). Raises BadSettings where it is no settings file or a list is none.
    """
    made = EMPTY if text is None or not text.strip() else text
    jsontext.load(made)
    for event, groups in wanted.hooks.items():
        made = _append(made, ("hooks", event), groups)
    made = _append(made, ALLOW, [rule for rule in wanted.rules if rule not in _list(made, ALLOW)])
    return _append(made, WRITABLE, [path for path in wanted.writable if path not in _list(made, WRITABLE)])


def remove(text: str, before: str | None = None) -> str:
    """Return `text` without our entries, and without the lists and objects that then are empty.

    What stood in `before`, the file as it was without us, stays, empty or not.
    """
    made, theirs = text, load(before)
    for event, groups in _object(load(text), "hooks").items():
        if _our_groups(groups):
            made = _remove_hooks(made, event)
            made = _prune(made, ("hooks", event), theirs)
    ours = find(text, before)
    for path, values in ((ALLOW, ours.rules), (WRITABLE, ours.writable)):
        if values:
            made = _prune(_remove_values(made, path, values), path, theirs)
    return made


def is_empty(text: str) -> bool:
    """Tell whether the settings hold nothing."""
    return load(text) == {}


def at(data: Any, path: jsontext.Path) -> Any:
    """Return what lies at `path` in parsed settings, None if nothing does."""
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return None
        data = data[name]
    return data


def _append(text: str, path: jsontext.Path, values: list[Any]) -> str:
    """Put values at the end of the list at `path`, and make the objects and the list on the way to it."""
    if not values:
        return text
    for depth in range(1, len(path) + 1):
        data, part = jsontext.load(text), path[:depth]
        kind = list if depth == len(path) else dict
        if part[-1] not in at(data, part[:-1]):
            text = jsontext.add(text, part[:-1], str(part[-1]), kind())
        elif not isinstance(at(data, part), kind):
            raise _wrong(part, "a list" if kind is list else "an object")
    for value in values:
        text = jsontext.add(text, path, None, value)
    return text


def load(text: str | None) -> dict[str, Any]:
    """Return the settings; a missing file and an empty one, which the client takes too, hold none."""
    return jsontext.load(text) if text is not None and text.strip() else {}


def _list(text: str, path: jsontext.Path) -> list[Any]:
    found = at(jsontext.load(text), path)
    return found if isinstance(found, list) else []


def _wrong(path: jsontext.Path, expected: str) -> BadSettings:
    return BadSettings(
        f'"{".".join(map(str, path))}" is not {expected}', hint="correct it by hand, nothing was written", key=path
    )


def _object(data: dict[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _handlers(group: Any) -> list[Any]:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    return handlers if isinstance(handlers, list) else []


def _our_groups(groups: Any) -> list[Group]:
    """Return our part of an event's list; a group that somebody shares with us is ours without the other handlers."""
    found: list[Group] = []
    for group in groups if isinstance(groups, list) else []:
        handlers = [handler for handler in _handlers(group) if hooktable.is_ours(handler)]
        if handlers:
            found.append({**group, "hooks": handlers})
    return found


def _new(path: jsontext.Path, data: Any, theirs: Any, is_ours: Callable[[str], bool]) -> tuple[str, ...]:
    """Return what is ours of the list at `path`, in no order but a fixed one."""
    kept, found = (value if isinstance(value := at(one, path), list) else [] for one in (theirs, data))
    return tuple(sorted({value for value in found if isinstance(value, str) and is_ours(value) and value not in kept}))


def _remove_hooks(text: str, event: str) -> str:
    groups = _list(text, ("hooks", event))
    for i in reversed(range(len(groups))):
        handlers = _handlers(groups[i])
        ours = [j for j in range(len(handlers)) if hooktable.is_ours(handlers[j])]
        if ours and len(ours) == len(handlers):
            text = jsontext.remove(text, ("hooks", event, i))
            continue
        for j in reversed(ours):
            text = jsontext.remove(text, ("hooks", event, i, "hooks", j))
    return text


def _remove_values(text: str, path: jsontext.Path, values: tuple[str, ...]) -> str:
    items = _list(text, path)
    for i in reversed(range(len(items))):
        if items[i] in values:
            text = jsontext.remove(text, (*path, i))
    return text


def _prune(text: str, path: jsontext.Path, theirs: Any) -> str:
    """Take out what is empty at `path` and above it, as far as it was not there before us."""
    while path and at(jsontext.load(text), path) in ([], {}) and at(theirs, path) is None:
        text = jsontext.remove(text, path)
        path = path[:-1]
    return text

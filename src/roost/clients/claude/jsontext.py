"""A JSON text that is edited in place: what an edit does not name keeps every byte."""

from __future__ import annotations

import json
import re
from typing import Any, Never

import msgspec

from roost.errors import BadSettings

Path = tuple[str | int, ...]
"""The way from the top of the text to a value: keys and positions."""

BOM = "\ufeff"
UNIT = "  "
INT_DIGITS_MAX = 19
SPACE = re.compile(r"[ \t\n\r]*")


class Slot(msgspec.Struct, frozen=True):
    """One member of an object or item of a list; `at` is where its key, or the item itself, begins."""

    name: str | int
    at: int
    start: int
    end: int


class Container(msgspec.Struct, frozen=True):
    """An object or a list: the place of its brackets and what lies between them."""

    start: int
    close: int
    slots: tuple[Slot, ...]


def load(text: str) -> dict[str, Any]:
    """Return the object that the text holds; raises BadSettings with line and column if it holds none."""
    start = _skip(text, len(BOM) if text.startswith(BOM) else 0)
    value, end = _value(text, start)
    end = _skip(text, end)
    if end != len(text):
        raise _malformed(text, end, "something follows the end of the object")
    if not isinstance(value, dict):
        raise _malformed(text, start, "the file holds no object")
    return value


def add(text: str, path: Path, name: str | None, value: Any) -> str:
    """Put `value` at the end of the container at `path`: as member `name` of an object, or as an item of a list."""
    container = _container(text, path)
    if not container.slots:
        return _fill(text, container, name, value)
    gap = text[container.start + 1 : container.slots[0].at]
    unit = _unit(text) if "\n" in gap else None
    indent = gap.rpartition("\n")[2]
    between = "," + _newline(text) + indent if unit is not None else ", "
    last = container.slots[-1].end
    return text[:last] + between + _render(text, name, value, unit, indent) + text[last:]


def remove(text: str, path: Path) -> str:
    """Take out the member or item at `path`, with its comma."""
    container = _container(text, path[:-1])
    at = next(i for i in reversed(range(len(container.slots))) if container.slots[i].name == path[-1])
    slots = container.slots
    if len(slots) == 1:
        return text[: container.start + 1] + text[container.close :]
    if at == len(slots) - 1:
        return text[: slots[at - 1].end] + text[slots[at].end :]
    return text[: slots[at].at] + text[slots[at + 1].at :]


def _fill(text: str, container: Container, name: str | None, value: Any) -> str:
    """Put the first thing into an empty container."""
    unit = _unit(text)
    before, after = text[: container.start + 1], text[container.close :]
    if unit is None:
        return before + _render(text, name, value, None, "") + after
    line = text.rfind("\n", 0, container.start) + 1
    outer = SPACE.match(text, line)
    assert outer is not None
    indent, newline = outer.group(), _newline(text)
    inner = _render(text, name, value, unit, indent + unit)
    return before + newline + indent + unit + inner + newline + indent + after


def _render(text: str, name: str | None, value: Any, unit: str | None, indent: str) -> str:
    body = json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", _newline(text) + indent)
    return body if name is None else f"{json.dumps(name, ensure_ascii=False)}: {body}"


def _unit(text: str) -> str | None:
    """Return what one level of this text is indented by, None if it is written on one line."""
    root = _container(text, ())
    if not root.slots:
        return UNIT
    gap = text[root.start + 1 : root.slots[0].at]
    return gap.rpartition("\n")[2] or UNIT if "\n" in gap else None


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _container(text: str, path: Path) -> Container:
    """Return the container at `path`; of a key that is there twice the last one counts, as it does for a parser."""
    found = _scan(text, _skip(text, len(BOM) if text.startswith(BOM) else 0))
    for name in path:
        found = _scan(text, next(slot.start for slot in reversed(found.slots) if slot.name == name))
    return found


def _scan(text: str, start: int) -> Container:
    """Find the members of the object, or the items of the list, that begins at `start`."""
    named = text[start] == "{"
    slots: list[Slot] = []
    at = _skip(text, start + 1)
    while text[at] not in "}]":
        name: str | int = len(slots)
        begin = at
        if named:
            name, at = _value(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = _value(text, at)
        slots.append(Slot(name, begin, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return Container(start, at, tuple(slots))


def _skip(text: str, at: int) -> int:
    space = SPACE.match(text, at)
    assert space is not None
    return space.end()


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _malformed(text, error.pos, error.msg) from error
    except RecursionError as error:
        raise _malformed(text, at, "it is nested too deeply") from error
    except _Refused as error:
        raise _malformed(text, at, str(error)) from error


def _malformed(text: str, at: int, reason: str) -> BadSettings:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    hint = "correct it by hand, nothing was written"
    if text.startswith(("//", "/*", "#"), at):
        hint = "a settings file takes no comments; " + hint
    return BadSettings(f"line {line}, column {column}: {reason}", hint=hint, line=line, column=column)


class _Refused(ValueError):
    pass


def _constant(name: str) -> Never:
    raise _Refused(f"{name} is no JSON")


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= INT_DIGITS_MAX else float(digits)


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_int=_int)

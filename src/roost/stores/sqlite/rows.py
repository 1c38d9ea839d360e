"""Rows to frozen structs and back: bool as 0 or 1, everything that is not a scalar as JSON text."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

_NAME = re.compile(r"[:@$](\w+)")
_SCALARS = (str, int, float, bytes)
_encode = msgspec.json.encode
T = TypeVar("T")
_readers: dict[tuple[Any, tuple[str, ...]], Callable[[Sequence[Any]], Any]] = {}


def reader(kind: type[T], columns: tuple[str, ...]) -> Callable[[Sequence[Any]], T]:
    """Return a function that makes one `kind` out of a row with these columns."""
    known = _readers.get((kind, columns))
    if known is None:
        known = _readers[kind, columns] = _reader(kind, columns)
    return known


def _reader(kind: Any, columns: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    converters = _converters(kind)
    unknown = [column for column in columns if column not in converters]
    if unknown:
        raise TypeError(f"{kind.__name__} has no field for column {', '.join(unknown)}")
    plan = [(column, converters[column]) for column in columns]

    def read(row: Sequence[Any]) -> Any:
        return kind(
            **{
                column: value if convert is None or value is None else convert(value)
                for (column, convert), value in zip(plan, row, strict=True)
            }
        )

    return read


def bindings(row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of one statement, ready to bind."""
    if isinstance(row, msgspec.Struct):
        fields = msgspec.structs.asdict(row)
        for name in _json_fields(type(row)):
            if fields[name] is not None:
                fields[name] = _encode(fields[name]).decode()
    else:
        fields = _bindable(row) if row else {}
    if values:
        fields.update(_bindable(values))
    return fields


def placed(statement: str, project: str, rows: Iterable[Any]) -> tuple[str, Iterator[Sequence[Any]]]:
    """Return a statement for many rows of one kind with their values by place: SQLite looks up no name for each value
    of each row, and the driver, which finds a statement again by all of its text, reads less of it."""
    text, names = _numbered(statement)
    source = iter(rows)
    first = next(source, None)
    if first is None:
        return text, iter(())
    make = _placer(type(first), names) if isinstance(first, msgspec.Struct) else _looked_up(names)
    return text, map(make, chain((first,), source), repeat(project))


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with places instead of names, and the names in the order of their places."""
    used = _NAME.findall(statement)
    names = tuple(dict.fromkeys(used))
    short = " ".join(statement.split())
    if len(names) == len(used):
        return _NAME.sub("?", short), names
    return _NAME.sub(lambda found: f"?{names.index(found[1]) + 1}", short), names


@lru_cache(maxsize=256)
def _placer(kind: Any, names: tuple[str, ...]) -> Callable[[Any, str], Sequence[Any]]:
    fields = tuple(name for name in names if name != "project")
    texts = frozenset(_json_fields(kind))
    at = [names.index(name) for name in fields if name in texts]
    own = names.index("project")
    take = attrgetter(*fields) if len(fields) > 1 else lambda row: (getattr(row, fields[0]),)

    def place(row: Any, project: str) -> Sequence[Any]:
        values = [project, *take(row)]
        if own:
            values.insert(own, values.pop(0))
        for place in at:
            value = values[place]
            if value is not None:
                values[place] = "[]" if value == () else "{}" if value == {} else _encode(value).decode()
        return values

    return place


def _looked_up(names: tuple[str, ...]) -> Callable[[Any, str], Sequence[Any]]:
    def place(row: Any, project: str) -> Sequence[Any]:
        bound = _bindable(row)
        return [project if name == "project" else bound[name] for name in names]

    return place


def _bindable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None or isinstance(value, _SCALARS) else _encode(value).decode()
        for name, value in values.items()
    }


@lru_cache(maxsize=256)
def _json_fields(kind: Any) -> tuple[str, ...]:
    return tuple(name for name, convert in _converters(kind).items() if convert is not None and convert is not bool)


@lru_cache(maxsize=256)
def _converters(kind: Any) -> dict[str, Callable[[Any], Any] | None]:
    return {field.encode_name: _converter(field.type) for field in msgspec.structs.fields(kind)}


def _converter(declared: Any) -> Callable[[Any], Any] | None:
    plain = _without_none(declared)
    if plain is bool:
        return bool
    if plain in _SCALARS or plain is Any or typing.get_origin(plain) is typing.Literal:
        return None
    return msgspec.json.Decoder(plain, strict=False).decode


def _without_none(declared: Any) -> Any:
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        rest = [part for part in typing.get_args(declared) if part is not type(None)]
        return rest[0] if len(rest) == 1 else declared
    return declared

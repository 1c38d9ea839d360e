"""Rows to frozen structs and back: bool as 0 or 1, everything that is not a scalar as JSON text."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
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


def placed(statement: str, project: str, rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of many rows of one kind by place: SQLite looks up no name for each value of each row."""
    names: tuple[str, ...] = ()
    make = None
    for row in rows:
        if make is None:
            names = _places(statement)
            make = _placer(type(row), names) if isinstance(row, msgspec.Struct) else None
        if make is not None:
            yield make(row, project)
        else:
            bound = _bindable(row)
            yield tuple(project if name == "project" else bound[name] for name in names)


@lru_cache(maxsize=256)
def _places(statement: str) -> tuple[str, ...]:
    """Return the names in a statement in the order of their first use, which is how SQLite numbers them."""
    return tuple(dict.fromkeys(_NAME.findall(statement)))


@lru_cache(maxsize=256)
def _placer(kind: Any, names: tuple[str, ...]) -> Callable[[Any, str], tuple[Any, ...]]:
    fields = tuple(name for name in names if name != "project")
    texts = frozenset(_json_fields(kind))
    at = [fields.index(name) for name in fields if name in texts]
    own, take = names.index("project"), attrgetter(*fields)

    def place(row: Any, project: str) -> tuple[Any, ...]:
        values = list(take(row))
        for place in at:
            if values[place] is not None:
                values[place] = _plain_text(values[place])
        values.insert(own, project)
        return tuple(values)

    return place


def _plain_text(value: Any) -> str:
    return "[]" if value == () else "{}" if value == {} else _encode(value).decode()


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

"""Rows to frozen structs and back: bool as 0 or 1, everything that is not a scalar as JSON text."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

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

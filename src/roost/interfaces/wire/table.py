"""Every verb by its name on the wire (`messages.send`), with how its arguments and its result travel.

Arguments go by name. Those that are values of Roost's own (a Draft) are decoded as such; plain ones arrive as they are,
and the verb checks them as it does at home.
"""

from __future__ import annotations

import inspect
import typing
from functools import cache
from typing import Any

import msgspec

from roost.errors import InvalidInput, InvalidUtf8, NotFound
from roost.hub import Hub
from roost.interfaces.wire.frames import encode
from roost.verbs import Stream, Verb


class Op:
    """One verb or stream: how to call it, and how to read what it returns."""

    def __init__(self, name: str, service: type, verb: Verb[..., Any] | Stream[..., Any]) -> None:
        self.name = name
        self.service = service
        self.verb = verb
        self.mode: str = "stream" if isinstance(verb, Stream) else "wait" if verb.is_long else verb.mode
        self._arguments: msgspec.msgpack.Decoder[Any] | None = None
        self._needed: frozenset[str] = frozenset()
        self._result: msgspec.msgpack.Decoder[Any] | None = None

    def read_arguments(self, raw: msgspec.Raw) -> dict[str, Any]:
        """Return the arguments of a call. Raises InvalidInput."""
        if self._arguments is None:
            self._arguments = msgspec.msgpack.Decoder(_arguments_of(self.verb.body))
            self._needed = _needed_of(self.verb.body)
        try:
            found: dict[str, Any] = self._arguments.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidInput(f"these are no arguments of {self.name}: {error}", hint="see `roost --help`") from None
        if len(found) != _size_of(raw) or not self._needed <= found.keys():
            known = ", ".join(tuple(inspect.signature(self.verb.body).parameters)[1:])
            raise InvalidInput(f"{self.name} takes {known or 'nothing'}, each by its name and once", hint="name those")
        return found

    def write_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return arguments as they travel. Raises InvalidInput for what cannot."""
        code = self.verb.body.__code__
        most = code.co_argcount - 1
        if len(args) > most:
            raise TypeError(f"{self.name}() takes {most} positional arguments but {len(args)} were given")
        named = dict(zip(code.co_varnames[1:], args, strict=False))
        if twice := named.keys() & kwargs.keys():
            raise TypeError(f"{self.name}() got multiple values for {', '.join(sorted(twice))}")
        unknown = kwargs.keys() - set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
        if unknown:
            raise TypeError(f"{self.name}() got an unexpected keyword argument {min(unknown)!r}")
        try:
            return encode(named | kwargs)
        except UnicodeEncodeError:
            raise InvalidUtf8(
                f"an argument of {self.name} holds half of a character", hint="give text that is valid Unicode"
            ) from None
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidInput(
                f"an argument of {self.name} cannot be sent: {error}", hint="give plain values"
            ) from None

    def read_result(self, raw: msgspec.Raw | bytes) -> Any:
        """Return a result, or the next items of a stream."""
        if self._result is None:
            self._result = msgspec.msgpack.Decoder(_result_of(self.verb.body, of_stream=self.mode == "stream"))
        return self._result.decode(raw)


@cache
def op(name: str) -> Op:
    """Return the verb of this name. Raises NotFound."""
    service_name, _, verb_name = name.partition(".")
    if isinstance(getattr(Hub, service_name, None), property) and not verb_name.startswith("_"):
        service = type(getattr(Hub[Any](None), service_name))
        found = inspect.getattr_static(service, verb_name, None)
        if isinstance(found, (Verb, Stream)):
            return Op(name, service, found)
    raise NotFound(f"there is no verb {name[:80]!r}", hint="caller and daemon may be of different versions")


def name_of(verb: Verb[..., Any] | Stream[..., Any], service: type) -> str:
    """Return the name of a verb on the wire: its feature's folder and its own."""
    return f"{service.__module__.split('.')[1]}.{verb.name}"


def _arguments_of(body: Any) -> Any:
    """Return the type that a verb's arguments are decoded as: those of Roost's own values typed, others as they
    come."""
    hints = typing.get_type_hints(body)
    fields = {
        name: hints[name] if _has_struct(hints[name]) else Any
        for name in inspect.signature(body).parameters
        if name in hints
    }
    return typing.TypedDict("Arguments", fields, total=False)  # type: ignore[operator]


def _needed_of(body: Any) -> frozenset[str]:
    """Return the arguments that a verb cannot do without."""
    parameters = tuple(inspect.signature(body).parameters.values())[1:]
    return frozenset(one.name for one in parameters if one.default is inspect.Parameter.empty)


def _size_of(raw: msgspec.Raw | bytes) -> int:
    """Return how many entries a map has (msgpack: a fixmap, or one with a length of 16 bits); -1 for a longer one."""
    head = bytes(memoryview(raw)[:3])
    if head[0] & 0xF0 == 0x80:
        return head[0] & 0x0F
    return int.from_bytes(head[1:], "big") if head[0] == 0xDE else -1


def _result_of(body: Any, *, of_stream: bool) -> Any:
    found = typing.get_type_hints(body)["return"]
    return list[typing.get_args(found)[0]] if of_stream else found  # type: ignore[misc]


def _has_struct(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return True
    return any(_has_struct(part) for part in typing.get_args(hint))

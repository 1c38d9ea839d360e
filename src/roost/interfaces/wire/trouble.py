"""Errors on the wire: each travels by its code and comes out as the same class, with the same facts."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from roost import errors
from roost.errors import RoostError
from roost.interfaces.errors import plain


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it travels."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    details: dict[str, Any] = {}


INTERNAL = "INTERNAL"


def body_of(error: BaseException) -> bytes:
    """Return an error as the body of an answer; what is no error of Roost's own tells nothing of the inside."""
    if isinstance(error, RoostError):
        return msgspec.msgpack.encode(plain(error), enc_hook=str)
    if isinstance(error, TypeError):
        return msgspec.msgpack.encode(Trouble(code="INVALID", message=str(error), hint="see the verb's signature"))
    return msgspec.msgpack.encode(
        Trouble(code=INTERNAL, message="the daemon failed at this call", hint="see `roost logs`")
    )


def error_of(raw: msgspec.Raw | bytes) -> RoostError:
    """Return the error that an answer tells of."""
    trouble = msgspec.msgpack.decode(raw, type=Trouble)
    kind = _kinds().get(trouble.code, RoostError)
    return kind(trouble.message, hint=trouble.hint, **trouble.details)


@cache
def _kinds() -> dict[str, type[RoostError]]:
    """Return the class of each code: where a family shares its code with a member, the member."""
    found: dict[str, type[RoostError]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, RoostError):
            found[kind.code] = kind
    return found

"""The log: one line for every change of state, in one gap-free sequence per project."""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state; `at` is on the store clock, `wall` for people, both in milliseconds."""

    seq: int
    at: int
    wall: int
    kind: str
    actor: str
    session: str
    object: str
    data: dict[str, Any] = {}
    hash: bytes = b""

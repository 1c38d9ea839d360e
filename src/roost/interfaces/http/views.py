"""What routes show of things that the hub tells more, or otherwise, of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from roost.messages.model import Item, Message


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A session as others may see it: without its key, its process and its files."""

    id: str
    agent: str
    epoch: int
    context: int
    client: str
    state: str
    operation: str
    started_at: int
    ended_at: int | None
    end_reason: str


def plain_session(found: Any) -> SessionView:
    """Return what others may see of a session."""
    fields = SessionView.__struct_fields__
    return SessionView(**{name: getattr(found, name) for name in fields})


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far a message got with one recipient."""

    recipient: str
    state: str
    stage: str
    attempts: int = 0
    hold: str = ""
    read_at: int | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the caller sent."""

    message: Message
    deliveries: tuple[Reached, ...]


def outgoing(lines: Sequence[Item]) -> tuple[Outgoing, ...]:
    """Return the lines of an outbox by message: its text stands in the answer once, not once for each recipient."""
    made = []
    for found in _by_message(lines):
        reached = tuple(msgspec.convert(one, Reached, from_attributes=True) for one in found)
        made.append(Outgoing(message=found[0].message, deliveries=reached))
    return tuple(made)


def _by_message(lines: Sequence[Item]) -> list[list[Item]]:
    groups: dict[int, list[Item]] = {}
    for line in lines:
        groups.setdefault(line.message.number, []).append(line)
    return list(groups.values())

"""One event with what readers need beside it: looked up and encoded once, however many are told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from roost.history.model import Event
from roost.messages.model import Message
from roost.sessions.model import Me
from roost.stores.base import Tx


class News:
    """An event, the message that it tells of, and for whom that is."""

    __slots__ = ("event", "message", "packed_event", "packed_message", "to")

    def __init__(self, event: Event, message: Message | None, to: frozenset[str]) -> None:
        self.event = event
        self.message = message
        self.to = to
        self.packed_event: bytes | None = None
        self.packed_message: bytes | None = None

    def keys(self) -> set[str]:
        """Return what an event is found by: its kind and families, its actor and object, whom it is for, its
        channel."""
        found = {*families(self.event.kind), self.event.actor, self.event.object, *self.to}
        if self.message is not None:
            found |= {self.message.sender, channel_key(self.message.channel)}
        found.discard("")
        return found

    def is_of(self, kinds: Sequence[str]) -> bool:
        """Say whether the event is of one of these kinds or families."""
        kind = self.event.kind
        return any(kind == one or kind.startswith(f"{one}.") for one in kinds)

    def is_open_to(self, me: Me) -> bool:
        """Say whether somebody may see the message: its sender, its recipients, everybody for a channel's, people."""
        message = self.message
        if message is None:
            return False
        return (
            bool(message.channel) or me.agent == message.sender or me.agent in self.to or me.kind in ("human", "system")
        )


@lru_cache(maxsize=1_000)
def families(kind: str) -> tuple[str, ...]:
    """Return a kind and what it belongs to: `lease.expired` and `lease`."""
    parts = kind.split(".")
    return tuple(".".join(parts[:count]) for count in range(1, len(parts) + 1))


def channel_key(name: str) -> str:
    """Return what the events of a channel are found by, '' for no channel."""
    return f"#{name}" if name else ""


def news_of(tx: Tx, event: Event) -> News:
    """Look up what goes with an event."""
    if event.kind != "message.sent":
        recipient = event.data.get("recipient", "")
        return News(event, None, frozenset((recipient,)) if recipient else frozenset())
    return News(event, tx.one(Message, "messages.get", id=event.object), frozenset(event.data.get("to", ())))

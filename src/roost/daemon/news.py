"""One event with what readers need beside it: looked up and encoded once, however many are told."""

from __future__ import annotations

from collections.abc import Sequence

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


def news_of(tx: Tx, event: Event) -> News:
    """Look up what goes with an event."""
    if event.kind != "message.sent":
        recipient = event.data.get("recipient", "")
        return News(event, None, frozenset((recipient,)) if recipient else frozenset())
    return News(event, tx.one(Message, "messages.get", id=event.object), frozenset(event.data.get("to", ())))

"""Finding a message by what people and agents write: `m7`, `7`, or its full id."""

from __future__ import annotations

from roost.deliveries.model import Delivery
from roost.errors import UnknownMessage
from roost.messages.model import Message
from roost.stores.base import Tx

NUMBER_DIGITS_MAX = 15


def find_message(tx: Tx, ref: str) -> Message:
    """Return the message of a short or full id. Raises UnknownMessage."""
    number = number_of(ref)
    if number is not None:
        found = tx.one(Message, "messages.numbered", number=number)
    else:
        found = tx.one(Message, "messages.get", id=ref)
    if found is None:
        raise unknown(ref)
    return found


def number_of(ref: str) -> int | None:
    """Return the number that a short id says, None for any other id."""
    number = ref[1:] if ref[:1] in ("m", "M") else ref
    return int(number) if number.isascii() and number.isdigit() and len(number) <= NUMBER_DIGITS_MAX else None


def seen_message(tx: Tx, ref: str) -> Message:
    """Return the message of an id if the caller may see it. Raises UnknownMessage, as for one that is not there."""
    found = find_message(tx, ref)
    if not is_visible(tx, found):
        raise unknown(ref)
    return found


def is_visible(tx: Tx, message: Message) -> bool:
    """Say whether the caller sent or received a message, or a channel said it; a person sees everything."""
    me = tx.me
    if message.channel or message.sender == me.agent or me.kind in ("human", "system"):
        return True
    return tx.one(Delivery, "deliveries.get", message=message.id, recipient=me.agent) is not None


def unknown(ref: str) -> UnknownMessage:
    """Return the error for a message that is not there, or not for the caller to see: the two are told alike."""
    hint = "see `roost inbox` or `roost log`; old mail lies in .roost/archives"
    return UnknownMessage(f"there is no message {ref!r}", hint=hint, ref=ref)

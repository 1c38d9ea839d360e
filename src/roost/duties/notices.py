"""What Roost itself says to a sender: what became of a message that did not arrive or was not acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

from roost.agents.model import Agent
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.messages.model import Draft, Message
from roost.messages.sending import Sender
from roost.stores.base import Tx

LINES_MAX = 10
TYPE = "system"


def tell_ends(tx: Tx, message: Message) -> None:
    """Tell a message's sender in one notice how its deliveries ended that it has not heard of yet.

    Nobody hears of notices that did not arrive: they would breed more.
    """
    rows = tx.all(Delivery, "deliveries.of_message", message=message.id)
    ended = [delivery for delivery in rows if not delivery.told]
    tx.run("duties.set_told", message=message.id)
    if ended and _hears(tx, message):
        asked = any(delivery.wakes for delivery in ended)
        _send(tx, message, f"{message.ref} did not arrive", _ends_text(tx, message, ended), urgent=asked)


def tell_unacknowledged(tx: Tx, message: Message, delivery: Delivery) -> None:
    """Tell a message's sender that a recipient has it and did not acknowledge it after every reminder."""
    if not _hears(tx, message):
        return
    name = _name(tx, delivery.recipient)
    text = (
        f"{name} has {message.ref} and was reminded {delivery.reminders} times, but did not acknowledge it."
        f" Ask {name} again, ask somebody else, or go on without; `roost receipts {message.ref}` shows the proofs."
    )
    _send(tx, message, f"{message.ref} is not acknowledged", text, urgent=True)
    Ledger(tx).receipt(delivery, "escalated", "the sender was told")


def _hears(tx: Tx, message: Message) -> bool:
    """Say whether there is somebody to tell: not Roost itself, and nobody who is gone for good."""
    sender = tx.one(Agent, "agents.get", id=message.sender) if message.sender else None
    return sender is not None and sender.retired_at is None


def _send(tx: Tx, message: Message, subject: str, text: str, *, urgent: bool) -> None:
    # High wakes an idle sender: it waits for something that will not come. The rest is read when it works anyway.
    priority = "high" if urgent else "normal"
    draft = Draft(
        to=(message.sender,),
        text=text,
        subject=subject,
        type=TYPE,
        severity="warning",
        priority=priority,
        parent=message.id,
    )
    Sender(tx).send(draft)


def _ends_text(tx: Tx, message: Message, ended: Sequence[Delivery]) -> str:
    lines = [f"- to {_name(tx, one.recipient)}: {one.state}: {one.last_error}" for one in ended[:LINES_MAX]]
    if len(ended) > LINES_MAX:
        lines.append(f"- and {len(ended) - LINES_MAX} more: roost receipts {message.ref}")
    again = f"Its content is kept; `roost dead redeliver {message.ref}` sends it on its way again."
    return "\n".join((f"{message.ref} was not delivered:", *lines, again))


def _name(tx: Tx, agent: str) -> str:
    found = tx.one(Agent, "agents.get", id=agent)
    return found.name if found else agent

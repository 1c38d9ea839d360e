"""Mail for a session, as text for its model: what fits is offered, the rest is listed and stays waiting."""

from __future__ import annotations

from roost.deliveries.envelope import INJECTED_BYTES_MAX, WHOLE_MAX, Rendered, Shown, render
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.deliveries.service import Deliveries
from roost.ids import new_nonce
from roost.messages.model import Message
from roost.sessions.model import Session
from roost.text import agent_line
from roost.turns.telling import Telling
from roost.verbs import Service, Sync

CANDIDATES_MAX = 25
REMINDERS_MAX = 10
"""In one turn; the next one tells the others."""
WAKE_REFUSED = "session.wake_refused"


def offer(
    service: Service[Sync],
    session: Session,
    rung: str,
    *,
    whole_max: int = WHOLE_MAX,
    limit: int = INJECTED_BYTES_MAX,
    asking_only: bool = False,
) -> Rendered:
    """Offer a session what waits for it; return the text, '' if nothing does. Only what the text shows is offered."""
    deliveries = Deliveries[Sync](service._caller)
    found = deliveries.candidates(session.agent, limit=CANDIDATES_MAX, asking_only=asking_only)
    if not found:
        return Rendered(text="")
    waiting = service.tx.value("deliveries.waiting_for", recipient=session.agent)
    letters = {message.number: shown(service, message, delivery) for message, delivery in found}
    rendered = render(
        list(letters.values()),
        to=service.tx.me.name,
        now=service.tx.now,
        more=0 if asking_only else max(0, waiting - len(found)),
        whole_max=whole_max,
        limit=limit,
    )
    chosen = [
        (delivery, letters[message.number].offer) for message, delivery in found if message.number in rendered.shown
    ]
    deliveries.put(session, rung, chosen)
    return rendered


def reminders(service: Service[Sync], session: Session, telling: Telling) -> str:
    """Return a line for each acknowledgement that a session still owes and was not reminded of; '' if there is none."""
    if Ledger(service.tx).is_paused(session.agent):
        return ""
    owed = service.tx.all(Delivery, "deliveries.nudges", recipient=session.agent)[:REMINDERS_MAX]
    lines = []
    for delivery in owed:
        service.tx.run("deliveries.clear_nudge", message=delivery.message, recipient=delivery.recipient)
        message = service.tx.one(Message, "messages.get", id=delivery.message)
        if message is not None:
            telling.anew(f"reminder {delivery.reminders} of {message.ref}", message=message.id)
            lines.append(
                f"Reminder {delivery.reminders}: {agent_line(message.sender_name)} waits for your acknowledgement of"
                f" {message.ref}: roost ack {message.ref}"
            )
    return "\n".join(lines)


def note_refused_wake(service: Service[Sync], session: Session, why: str) -> None:
    """Record, once in a row, that mail which asks for something may not wake a session or keep it going."""
    if not Deliveries[Sync](service._caller).candidates(session.agent, limit=1, asking_only=True):
        return
    if service.tx.value("turns.last_event_of", object=session.id) != WAKE_REFUSED:
        service.tx.record(WAKE_REFUSED, session.id, {"agent": session.agent, "why": why})


def shown(service: Service[Sync], message: Message, delivery: Delivery | None = None) -> Shown:
    """Return a message as it is put before an agent, to whom it may have been offered before, under a new nonce."""
    from roost.messages.service import is_genuine  # a turn without mail need not know how mail is signed

    parent = service.tx.one(Message, "messages.get", id=message.parent) if message.parent else None
    return Shown(
        number=message.number,
        sender=message.sender_name,
        sender_kind=message.sender_kind,
        verified=is_genuine(service, message),
        type=message.type,
        severity=message.severity,
        priority=message.priority,
        subject=message.subject,
        body=message.body,
        channel=message.channel,
        reply_to=parent.number if parent else None,
        requires_ack=message.requires_ack,
        hops=message.hops,
        sent_at=message.sent_at,
        first_offered_at=delivery.first_offered_at if delivery else None,
        offer=new_nonce(),
    )

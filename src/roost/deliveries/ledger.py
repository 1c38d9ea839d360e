"""The transitions of a delivery, each with its receipt, event and consequences; inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from roost.agents.model import Agent
from roost.deliveries import rules
from roost.deliveries.model import Delivery, DeliveryState, Hold, ReceiptKind
from roost.deliveries.reminders import next_step
from roost.operations import closing
from roost.sessions.model import Session
from roost.stores.base import Tx

HELD_LOOKED_AT_MAX = 1_000


class Held(msgspec.Struct, frozen=True):
    """A held delivery with the facts that decide whether it still is."""

    message: str
    recipient: str
    hold: str
    not_before: int | None
    operation: str
    blocked: bool


class Ledger:
    """Moves deliveries from state to state in one transaction."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx

    def release(self, recipient: str) -> None:
        """Hold what an operation keeps from a recipient, and let go what is held without a reason that still holds."""
        tx, holding = self.tx, closing.keep_time(self, recipient)
        if holding:
            strange = tx.all(Delivery, "operations.strange_pending", recipient=recipient, operation=holding)
            self.hold_back(strange, "operation")
        if not tx.value("deliveries.has_held", recipient=recipient):
            return
        paused = self.is_paused(recipient)
        for held in tx.all(Held, "deliveries.held", recipient=recipient, limit=HELD_LOOKED_AT_MAX):
            hold = rules.hold_of(
                paused=paused,
                holding=holding,
                operation=held.operation,
                blocked=held.blocked,
                not_before=held.not_before,
                wall=tx.wall,
            )
            if hold != held.hold:
                state = "held" if hold else "pending"
                tx.run("deliveries.set_hold", message=held.message, recipient=recipient, state=state, hold=hold)
                if not hold:
                    tx.record("delivery.released", held.message, {"recipient": recipient, "was": held.hold})
                    self.ring(recipient)

    def hold_back(self, deliveries: Iterable[Delivery], hold: Hold) -> None:
        """Hold what was ready to be offered."""
        for delivery in deliveries:
            self.tx.run("deliveries.set_hold", _key(delivery), state="held", hold=hold)
            self._record("delivery.held", delivery, why=hold)

    def is_paused(self, recipient: str) -> bool:
        """Say whether the project or this recipient is paused."""
        agent = self.tx.one(Agent, "agents.get", id=recipient)
        return bool(self.tx.value("messages.paused")) or (agent is not None and agent.paused_at is not None)

    def holding(self, recipient: str) -> str:
        """Return the operation that holds a recipient's input, or ''."""
        return str(self.tx.value("deliveries.holding", recipient=recipient, now=self.tx.now) or "")

    def ring(self, recipient: str) -> None:
        """Ring a recipient's bell after the commit, if a session of it lives."""
        bell = self.tx.value("sessions.bell_of", agent=recipient)
        if bell:
            self.tx.ring(bell)

    def offer(self, delivery: Delivery, session: Session, rung: str, nonce: str) -> Delivery:
        """Note that a delivery is being put before a session through a rung of the ladder."""
        offered = msgspec.structs.replace(
            delivery,
            state="offered",
            stage=max(delivery.stage, 1),
            attempts=delivery.attempts + 1,
            nonce=nonce,
            rung=rung,
            session=session.id,
            epoch=session.epoch,
            context=session.context,
            offered_at=self.tx.now,
            first_offered_at=delivery.first_offered_at or self.tx.now,
        )
        self.tx.run("deliveries.offer", offered, now=self.tx.now)
        self.receipt(offered, "offered", "")
        return offered

    def deliver(self, delivery: Delivery, proof: str) -> None:
        """Note that the agent's side showed the message; `proof` says how."""
        step = next_step(last_at=self.tx.now, done=delivery.reminders) if delivery.requires_ack else None
        self._counted(delivery)
        self.tx.run("deliveries.deliver", _key(delivery), now=self.tx.now, remind_at=step and step.at)
        self.receipt(delivery, "delivered", proof)
        self._record("delivery.delivered", delivery, proof=proof, rung=delivery.rung)
        self._worked(delivery)
        if not delivery.requires_ack:
            self._release_dependents(delivery)
        closing.after_arrival(self, delivery)

    def acknowledge(self, delivery: Delivery, proof: str) -> None:
        """Note the addressee's own word."""
        self._counted(delivery)
        self.tx.run("deliveries.acknowledge", _key(delivery), now=self.tx.now)
        self.receipt(delivery, "acknowledged", proof)
        self._record("delivery.acknowledged", delivery, proof=proof)
        self._release_dependents(delivery)
        closing.after_arrival(self, delivery)

    def requeue(self, delivery: Delivery, reason: str, *, next_at: int | None = None) -> None:
        """Let a delivery be offered again; once too often makes it dead."""
        if rules.used_up(delivery.attempts, self.tx.config.limits.offers_max):
            self.end(delivery, "dead", f"offered {delivery.attempts} times without proof; last: {reason}")
            return
        if delivery.state == "delivered":
            self.tx.run("deliveries.mailbox_add", agent=delivery.recipient, count=1, bytes=delivery.size)
        self.tx.run("deliveries.requeue", _key(delivery), next_at=next_at, reason=reason)
        self.receipt(delivery, "requeued", reason)
        self._record("delivery.requeued", delivery, reason=reason)
        self.ring(delivery.recipient)

    def end(self, delivery: Delivery, state: DeliveryState, reason: str, *, words: str = "", tell: bool = True) -> None:
        """End a delivery that did not arrive: expired, cancelled or dead. What depended on it ends too, visibly.

        `words` are those of whoever ends it; whose mail it is sees them, who reads the log does not.
        """
        said = f"{reason}: {words}" if words else reason
        self._counted(delivery)
        self.tx.run("deliveries.end", _key(delivery), state=state, reason=said, told=not tell)
        self.receipt(delivery, "failed", f"{state}: {said}")
        self._record(f"delivery.{state}", delivery, reason=reason)
        for dependent in self.tx.all(Delivery, "deliveries.dependents", message=delivery.message):
            self.end(dependent, "cancelled", f"it waited for m{delivery.number}, which is {state}")
        closing.after_failure(self, delivery, state, reason)

    def expire_if_due(self, delivery: Delivery) -> bool:
        """End a delivery whose time passed before it was offered; say whether it was one."""
        due = rules.is_overdue(delivery, self.tx.wall)
        if due:
            self.end(delivery, "expired", "its time passed")
        return due

    def remind(self, delivery: Delivery, *, done: int, next_at: int | None, ring: bool) -> None:
        """Note a step about a missing acknowledgement: with `ring` a reminder to the recipient, else one to the
        sender."""
        nudge = delivery.nudge or ring
        self.tx.run("deliveries.set_reminder", _key(delivery), reminders=done, remind_at=next_at, nudge=nudge)
        self._record("delivery.reminded" if ring else "delivery.escalated", delivery, step=done)
        if ring:
            self.receipt(delivery, "reminded", f"reminder {done}")
            self.ring(delivery.recipient)

    def revive(self, delivery: Delivery) -> None:
        """Bring an ended delivery back into the queue because somebody asked for it."""
        self.tx.run("deliveries.mailbox_add", agent=delivery.recipient, count=1, bytes=delivery.size)
        self.tx.run("deliveries.revive", _key(delivery))
        self.receipt(delivery, "requeued", f"redelivered by {self.tx.me.name}")
        self._record("delivery.redelivered", delivery)
        self.ring(delivery.recipient)

    def undelivered(self, agent: str) -> list[Delivery]:
        """List what an agent has not got: held, pending or offered."""
        return self.tx.all(Delivery, "deliveries.undelivered", recipient=agent)

    def hand_over(self, delivery: Delivery, taker: str) -> Delivery:
        """Make an undelivered delivery somebody else's; one that the taker has already is cancelled instead.

        A step of an operation stays: its targets are fixed, and its time ends it.
        """
        if closing.is_step(self, delivery):
            return delivery
        if self.tx.one(Delivery, "deliveries.get", message=delivery.message, recipient=taker) is not None:
            self.end(delivery, "cancelled", "the taker has it already", tell=False)
            return delivery
        self._counted(delivery)
        self.tx.run("deliveries.hand_over", _key(delivery), to=taker)
        self.tx.run("deliveries.mailbox_add", agent=taker, count=1, bytes=delivery.size)
        moved = msgspec.structs.replace(delivery, recipient=taker, state="pending", attempts=0, nonce="", session="")
        self.receipt(moved, "requeued", f"handed over by {self.tx.me.name}")
        self._record("delivery.handed_over", delivery, to=taker)
        self.ring(taker)
        return moved

    def receipt(self, delivery: Delivery, kind: ReceiptKind, proof: str) -> None:
        """Write one dated fact about a delivery."""
        self.tx.run(
            "deliveries.put_receipt",
            message=delivery.message,
            recipient=delivery.recipient,
            kind=kind,
            at=self.tx.now,
            actor=self.tx.me.agent,
            rung=delivery.rung,
            session=delivery.session,
            epoch=delivery.epoch,
            context=delivery.context,
            nonce=delivery.nonce,
            proof=proof,
        )

    def _counted(self, delivery: Delivery) -> None:
        if delivery.state in ("held", "pending", "offered"):
            self.tx.run("deliveries.mailbox_add", agent=delivery.recipient, count=-1, bytes=-delivery.size)

    def _release_dependents(self, delivery: Delivery) -> None:
        waiting = self.tx.all(Delivery, "deliveries.dependents", message=delivery.message)
        for recipient in sorted({dependent.recipient for dependent in waiting}):
            self.release(recipient)

    def _worked(self, delivery: Delivery) -> None:
        if delivery.session:
            self.tx.run("sessions.endpoint_worked", session=delivery.session, kind=delivery.rung, now=self.tx.now)

    def _record(self, kind: str, delivery: Delivery, **data: Any) -> None:
        self.tx.record(kind, delivery.message, {"recipient": delivery.recipient, **data})


def _key(delivery: Delivery) -> dict[str, str]:
    return {"message": delivery.message, "recipient": delivery.recipient}

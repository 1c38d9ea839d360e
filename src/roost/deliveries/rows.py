"""Changes of deliveries that wait to be written: those of many calls go into the store together."""

from __future__ import annotations

import msgspec

from roost.deliveries.model import OPEN_STATES, STAGES, Delivery, ReceiptKind
from roost.deliveries.reminders import next_step
from roost.stores.base import Tx


class Next(msgspec.Struct, frozen=True):
    """A delivery that may be offered now: as much of it as an offer needs."""

    message: str
    attempts: int
    stage: int
    read_at: int | None


class Offer(msgspec.Struct, frozen=True):
    """What an offer changes of its delivery."""

    message: str
    recipient: str
    attempts: int
    nonce: str
    rung: str
    session: str
    epoch: int
    context: int
    now: int


class Arrival(msgspec.Struct, frozen=True):
    """What a proof, or an acknowledgement, changes of its delivery."""

    message: str
    recipient: str
    now: int
    remind_at: int | None = None


class Note(msgspec.Struct, frozen=True):
    """A receipt."""

    message: str
    recipient: str
    kind: ReceiptKind
    at: int
    actor: str
    rung: str
    session: str
    epoch: int
    context: int
    nonce: str
    proof: str


class Rows:
    """Transitions that touch nobody but their caller, each with its receipt and event; `write` writes them."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._forget()

    def touches(self, *, agent: str = "", message: str = "") -> bool:
        """Say whether something of this agent, or of this message, waits to be written."""
        return agent in self._agents or message in self._messages

    def offer(self, next_: Next, *, rung: str, nonce: str, context: int) -> None:
        """Offer a delivery to the caller's session. The event of all that one call offers is the caller's to write."""
        tx, me, message = self.tx, self.tx.me, next_.message
        session, epoch = me.session, me.epoch
        self._offers.append(Offer(message, me.agent, next_.attempts + 1, nonce, rung, session, epoch, context, tx.now))
        self._notes.append(
            Note(message, me.agent, "offered", tx.now, me.agent, rung, session, epoch, context, nonce, "")
        )
        self._changed(message, me.agent)

    def deliver(self, delivery: Delivery, proof: str) -> None:
        """Note that what was offered arrived."""
        tx = self.tx
        step = next_step(last_at=tx.now, done=delivery.reminders) if delivery.requires_ack else None
        self._proved.append(Arrival(delivery.message, delivery.recipient, tx.now, step.at if step else None))
        self._arrived(delivery, "delivered", proof)
        data = {"recipient": delivery.recipient, "proof": proof, "rung": delivery.rung}
        tx.record("delivery.delivered", delivery.message, data)
        self._worked.add((delivery.session, delivery.rung))

    def acknowledge(self, delivery: Delivery, proof: str) -> Delivery:
        """Note the addressee's own word; return the delivery as it is then."""
        tx = self.tx
        self._acknowledged.append(Arrival(delivery.message, delivery.recipient, tx.now))
        self._arrived(delivery, "acknowledged", proof)
        tx.record("delivery.acknowledged", delivery.message, {"recipient": delivery.recipient, "proof": proof})
        return msgspec.structs.replace(
            delivery,
            state="acknowledged",
            stage=STAGES.index("acknowledged"),
            acknowledged_at=tx.now,
            remind_at=None,
            nudge=False,
        )

    def write(self) -> None:
        """Write what waits."""
        if not self._notes:
            return
        tx = self.tx
        tx.run_many("deliveries.deliver", self._proved)
        tx.run_many("deliveries.acknowledge", self._acknowledged)
        tx.run_many("deliveries.offer", self._offers)
        tx.run_many("deliveries.put_receipt", self._notes)
        gone = [{"agent": agent, "count": -count, "bytes": -size} for agent, (count, size) in self._gone.items()]
        tx.run_many("deliveries.mailbox_add", gone)
        for session, kind in self._worked:
            tx.run("sessions.endpoint_worked", session=session, kind=kind, now=tx.now)
        self._forget()

    def _arrived(self, delivery: Delivery, kind: ReceiptKind, proof: str) -> None:
        one, tx = delivery, self.tx
        self._notes.append(
            Note(
                one.message, one.recipient, kind, tx.now, tx.me.agent, one.rung, one.session, one.epoch, one.context,
                one.nonce, proof,
            )
        )  # fmt: skip
        if one.state in OPEN_STATES:
            count, size = self._gone.get(one.recipient, (0, 0))
            self._gone[one.recipient] = count + 1, size + one.size
        self._changed(one.message, one.recipient)

    def _changed(self, message: str, agent: str) -> None:
        self._messages.add(message)
        self._agents.add(agent)

    def _forget(self) -> None:
        self._agents: set[str] = set()
        self._messages: set[str] = set()
        self._offers: list[Offer] = []
        self._proved: list[Arrival] = []
        self._acknowledged: list[Arrival] = []
        self._notes: list[Note] = []
        self._worked: set[tuple[str, str]] = set()
        self._gone: dict[str, tuple[int, int]] = {}

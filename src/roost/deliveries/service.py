"""Deliveries: offering mail to sessions, confirming it, and what becomes of what does not arrive."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Literal

from roost.agents.service import Agents
from roost.deliveries import rules
from roost.deliveries.ledger import Ledger
from roost.deliveries.lookup import seen_message
from roost.deliveries.marks import shown_to
from roost.deliveries.model import STAGES, Delivery, Outlook, Receipt, Stage, Verdict
from roost.deliveries.pausing import Pausing
from roost.deliveries.pickup import INBOX, NAMED, TAKEN, Pickup
from roost.errors import Forbidden, InvalidInput, TimedOut, UnknownMessage, WrongState
from roost.limits import DAY, check_duration
from roost.messages.kinds import kind_of
from roost.messages.model import Message
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.text import check_display
from roost.verbs import Call, M, Sync, query, verb, waiting

ConfirmedBy = Literal["itself", "read", "handed"]
CONFIRMED: dict[ConfirmedBy, str] = {
    "itself": "confirmed by the session itself",
    "read": "its client read the answer, and called again",
    "handed": "its client's transport took the answer, and it called again",
}
LIST_MAX = 500
WAIT_POLL_SECONDS = 1.0
UNSHOWN = "its program could not show it"
UNNAMED = "its program did not name the answer that brought it"


class Deliveries(Pausing[M]):
    """What happens to a message after it is stored: one delivery per recipient."""

    @verb
    def acknowledge(self, message: str, *, proof: str = "explicit") -> Delivery:
        """Acknowledge a message by its short or full id: final, and the same however often it is said.

        Raises UnknownMessage when the caller is no recipient of it, WrongState when it never reached the caller.
        """
        return Pickup(self._here()).one(Pickup.acknowledge, message=message, proof=proof)

    @acknowledge.bulk
    def acknowledge_many(self, calls: Sequence[Call]) -> Sequence[Delivery | Exception]:
        """Answer many acknowledgements, of many callers, in one transaction: each done or refused by itself."""
        return Pickup(self._here()).each(Pickup.acknowledge, calls)

    @verb
    def confirm(self, messages: Sequence[str], *, by: ConfirmedBy = "itself") -> tuple[Delivery, ...]:
        """Confirm that mail offered to the caller's session arrived: what a program says after it has read a batch.

        `by` says how it is known where the session did not say so itself: its client read the answer that showed the
        mail, or no more is known than that the client's transport took it.
        """
        if by not in tuple(CONFIRMED):
            raise InvalidInput(f"by = {repr(by)[:40]} is no proof", hint=f"choose among {', '.join(CONFIRMED)}")
        found = [self.mine(message) for message in messages]
        mine = {one.message: one for one in found if one.session == self.tx.me.session}
        self.prove(tuple(mine.values()), CONFIRMED[by])
        return tuple(self._again(delivery) for delivery in found)

    @verb
    def give_back(self, messages: Sequence[str]) -> tuple[Delivery, ...]:
        """Let mail that was offered to the caller's session be offered again: its program could not show it.

        What this session is not being offered stays as it is.
        """
        found = {one.message: one for one in map(self.mine, messages)}
        for delivery in found.values():
            if delivery.state == "offered" and delivery.session == self.tx.me.session:
                Ledger(self.tx).requeue(delivery, UNSHOWN)
        return tuple(self._again(delivery) for delivery in found.values())

    @verb
    def arrived(self, batches: Sequence[str], *, afresh: bool = False) -> tuple[Delivery, ...]:
        """Say which pages of mail the caller's program has, by the `batch` of each; return what that proves.

        `afresh` says that the others may be lost: what they offered is offered again. A page that is named late, after
        its mail was offered again, arrived all the same. Raises InvalidInput.
        """
        named, ledger = rules.check_batches(batches), Ledger(self.tx)
        taken = self.tx.all(Delivery, "deliveries.offered_to", session=self.tx.me.session)
        taken = [delivery for delivery in taken if delivery.rung == TAKEN]
        proved = {one.message: one for one in self._in_batches(named, taken)}
        for delivery in proved.values():
            ledger.deliver(delivery, NAMED)
        for delivery in taken if afresh else ():
            if delivery.message not in proved:
                ledger.requeue(delivery, UNNAMED)
        return tuple(self._again(delivery) for delivery in proved.values())

    @query
    def receipts(self, message: str) -> tuple[Receipt, ...]:
        """Return every dated fact about a message's deliveries, by recipient, in order. Raises UnknownMessage."""
        found = self.tx.all(Receipt, "deliveries.receipts", message=seen_message(self.tx, message).id)
        return shown_to(self.tx.me, found)

    @query
    def of(self, message: str) -> tuple[Delivery, ...]:
        """Return a message's deliveries: one per recipient, with its state and stage. Raises UnknownMessage."""
        found = self.tx.all(Delivery, "deliveries.of_message", message=seen_message(self.tx, message).id)
        return shown_to(self.tx.me, found)

    @query
    def outlook(self, message: str) -> tuple[Outlook, ...]:
        """Return what is known about when each recipient gets a message: facts about sessions, no promise."""
        found = seen_message(self.tx, message)
        deliveries = self.tx.all(Delivery, "deliveries.of_message", message=found.id)
        return tuple(self._outlook(found, delivery) for delivery in deliveries)

    @verb
    def cancel(self, message: str, *, reason: str = "") -> tuple[Delivery, ...]:
        """Take back a message where it is not delivered yet; the receipts say the `reason`, if there is one, and the
        log does not. Raises InvalidText, and Forbidden unless the caller sent it or is a person."""
        found = seen_message(self.tx, message)
        if found.sender != self.tx.me.agent and self.tx.me.kind != "human":
            raise Forbidden(
                f"{found.ref} was sent by {found.sender_name}", hint="only its sender or a person cancels it"
            )
        words = check_display(reason, what="reason") if reason else ""
        why, ledger = f"cancelled by {self.tx.me.name}", Ledger(self.tx)
        for delivery in self.tx.all(Delivery, "deliveries.of_message", message=found.id):
            if delivery.state in ("held", "pending"):
                ledger.end(delivery, "cancelled", why, words=words, tell=False)
        return shown_to(self.tx.me, self.tx.all(Delivery, "deliveries.of_message", message=found.id))

    @query
    def dead(self, *, limit: int = 100) -> tuple[Delivery, ...]:
        """Return the dead letters, newest first; their content is kept."""
        return shown_to(self.tx.me, self.tx.all(Delivery, "deliveries.dead", limit=min(limit, LIST_MAX)))

    @verb
    def redeliver(self, message: str, *, recipient: str = "") -> tuple[Delivery, ...]:
        """Bring dead, expired or cancelled deliveries of a message back into the queue, attempts counted anew.

        Raises WrongState when none of them ended so.
        """
        found = seen_message(self.tx, message)
        agent = Agents[Sync](self._caller).get(recipient).id if recipient else ""
        ended = [
            delivery
            for delivery in self.tx.all(Delivery, "deliveries.of_message", message=found.id)
            if delivery.state in ("dead", "expired", "cancelled") and agent in ("", delivery.recipient)
        ]
        if not ended:
            raise WrongState(
                f"{found.ref} has no delivery that ended undelivered", hint=f"see `roost receipts {found.ref}`"
            )
        for delivery in ended:
            Ledger(self.tx).revive(delivery)
        return shown_to(self.tx.me, [self._again(delivery) for delivery in ended])

    @verb
    def hand_over(self, giver: str, taker: str) -> tuple[Delivery, ...]:
        """Give the mail that an agent without a live session has not got to another. Raises WrongState if it lives."""
        agents = Agents[Sync](self._caller)
        source, target = agents.get(giver), agents.get(taker)
        if self.tx.me.kind != "human" and self.tx.me.agent not in (source.id, target.id):
            raise Forbidden("only a person, or one of the two, hands mail over", hint="ask the project's person")
        if Sessions[Sync](self._caller).live(source.id) is not None:
            raise WrongState(f"{source.name} is alive and gets its mail itself", hint="nothing was changed")
        ledger = Ledger(self.tx)
        moved = [ledger.hand_over(delivery, target.id) for delivery in ledger.undelivered(source.id)]
        return shown_to(self.tx.me, moved)

    @waiting
    def wait(
        self, message: str, stage: Stage = "delivered", *, timeout: float = 60.0, recipient: str = ""
    ) -> tuple[Delivery, ...]:
        """Block until every delivery of a message (or the one of `recipient`) reached a stage or can no longer.

        `timeout` in seconds, up to a day; raises TimedOut with what is known when it passes, InvalidInput. Costs nobody
        a token.
        """
        if stage not in STAGES:
            raise InvalidInput(f"stage = {repr(stage)[:40]} is no stage", hint=f"choose among {', '.join(STAGES)}")
        deadline = time.monotonic() + check_duration(timeout, what="timeout", most=DAY) / 1000
        deliveries = Deliveries[Sync](self._caller)
        chosen = Agents[Sync](self._caller).get(recipient).id if recipient else ""
        while True:
            found = [one for one in deliveries.of(message) if chosen in ("", one.recipient)]
            if all(one.stage >= STAGES.index(stage) or one.state in ("expired", "cancelled", "dead") for one in found):
                return tuple(found)
            left = deadline - time.monotonic()
            if left <= 0:
                known = ", ".join(f"{one.state} ({rules.stage_of(one)})" for one in found)
                raise TimedOut(f"{message} is not {stage} after {timeout:g} s: {known}", hint="it stays on its way")
            self._caller.idle(min(left, WAIT_POLL_SECONDS))

    def candidates(self, agent: str, *, limit: int, asking_only: bool = False) -> list[tuple[Message, Delivery]]:
        """Return what may be put before an agent now, best rank first; nothing while it is paused."""
        ledger = Ledger(self.tx)
        ledger.release(agent)
        if ledger.is_paused(agent):
            return []
        waiting = self.tx.all(
            Delivery,
            "deliveries.waiting",
            recipient=agent,
            now=self.tx.now,
            wall=self.tx.wall,
            limit=limit,
            asking_only=asking_only,
        )
        found = [(self.tx.one(Message, "messages.get", id=delivery.message), delivery) for delivery in waiting]
        return [(message, delivery) for message, delivery in found if message is not None]

    def put(self, session: Session, rung: str, chosen: Sequence[tuple[Delivery, str]]) -> list[Delivery]:
        """Note that these deliveries are being put before a session, each under its nonce."""
        ledger = Ledger(self.tx)
        offered = [ledger.offer(delivery, session, rung, nonce) for delivery, nonce in chosen]
        if offered:
            about = {"rung": rung, "context": session.context, "messages": [one.message for one in offered]}
            self.tx.record("delivery.offered", session.id, about)
        return offered

    def settle(self, session: Session, verdicts: Sequence[Verdict], *, fallback: str) -> bool:
        """Decide the session's open offers by what its side shows; what has no verdict was offered meanwhile, and
        stays: say whether each had one.

        Proved ones are delivered; shown ones stay, absent ones may be offered again. Where nothing can be read, and for
        mail that a command printed (`roost inbox`), which no proof table knows, `fallback` is the proof, and the
        receipt says so; '' is none.
        """
        ledger = Ledger(self.tx)
        found = {verdict.nonce: verdict for verdict in verdicts}
        offered = self.tx.all(Delivery, "deliveries.offered_to", session=session.id)
        for delivery in offered:
            verdict = found.get(delivery.nonce)
            if verdict is None:
                continue
            if delivery.rung == TAKEN:
                if rules.is_overdue_offer(delivery, self.tx.now):
                    ledger.requeue(delivery, UNNAMED)
            elif delivery.rung == INBOX or verdict.found == "unreadable":
                if fallback and delivery.context == session.context:
                    ledger.deliver(delivery, fallback)
            elif verdict.found == "proved":
                ledger.deliver(delivery, f"its transcript: {verdict.shape}, then an answer")
            elif rules.is_lost(verdict, delivery, self.tx.now):
                ledger.requeue(delivery, "its transcript does not show it")
        self._settle_late(session, ledger, found)
        return all(delivery.nonce in found for delivery in offered)

    def prove(self, offers: Sequence[Delivery], proof: str) -> None:
        """Deliver those of these that are offered."""
        for delivery in offers:
            if delivery.state == "offered":
                Ledger(self.tx).deliver(delivery, proof)

    def settle_inbox(self, session: Session, proof: str) -> None:
        """Deliver what the session asked for before: it is calling again."""
        for delivery in self.tx.all(Delivery, "deliveries.offered_to", session=session.id):
            if delivery.rung == "inbox":
                Ledger(self.tx).deliver(delivery, proof)

    def _settle_late(self, session: Session, ledger: Ledger, found: dict[str, Verdict]) -> None:
        """A proof that comes after the offer was given up still counts."""
        if any(verdict.found == "proved" for verdict in found.values()):
            for delivery in self.tx.all(Delivery, "deliveries.unproved_of", recipient=session.agent):
                verdict = found.get(delivery.nonce)
                if verdict is not None and verdict.found == "proved":
                    ledger.deliver(delivery, f"its transcript, late: {verdict.shape}, then an answer")

    def lose_context(self, session: Session, reason: str) -> None:
        """After a crash, clear or compaction: what was offered without proof, and what still needs an acknowledgement,
        goes out once more, under the same id."""
        ledger = Ledger(self.tx)
        for delivery in self.tx.all(Delivery, "deliveries.offered_to", session=session.id):
            ledger.requeue(delivery, reason)
        for delivery in self.tx.all(Delivery, "deliveries.unacknowledged_of", recipient=session.agent):
            ledger.requeue(delivery, reason)

    def requeue_offers(self, session: Session, reason: str, *, keeping: Collection[str] = ()) -> None:
        """Let what a session was offered without proof be offered again, in the same context, but for some nonces."""
        for delivery in self.tx.all(Delivery, "deliveries.offered_to", session=session.id):
            if delivery.nonce not in keeping:
                Ledger(self.tx).requeue(delivery, reason)

    def mine(self, message: str) -> Delivery:
        """Return the caller's own delivery of a message. Raises UnknownMessage for anybody else's."""
        found = seen_message(self.tx, message)
        delivery = self.tx.one(Delivery, "deliveries.get", message=found.id, recipient=self.tx.me.agent)
        if delivery is None:
            raise UnknownMessage(
                f"{found.ref} was not sent to {self.tx.me.name}", hint="see `roost inbox` for what was"
            )
        return delivery

    def _here(self) -> Deliveries[Sync]:
        return Deliveries[Sync](self._caller)

    def _in_batches(self, named: Collection[str], taken: Sequence[Delivery]) -> list[Delivery]:
        """Return what these batches brought the caller and nothing has proved; `taken` is what is open by their
        latest."""
        found = [delivery for delivery in taken if delivery.nonce in named]
        who = {"recipient": self.tx.me.agent, "session": self.tx.me.session, "rung": TAKEN}
        for batch in sorted(set(named) - {delivery.nonce for delivery in found}):
            found += self.tx.all(Delivery, "deliveries.offered_as", batch=batch, **who)
        return found

    def _again(self, delivery: Delivery) -> Delivery:
        again = self.tx.one(Delivery, "deliveries.get", message=delivery.message, recipient=delivery.recipient)
        assert again is not None
        return again

    def _outlook(self, message: Message, delivery: Delivery) -> Outlook:
        agent = Agents[Sync](self._caller).get(delivery.recipient)
        activity = Sessions[Sync](self._caller).activity(agent.name)[0]
        last = self.tx.one(Session, "sessions.last_of", agent=agent.id)
        asks = bool(activity.session) and Sessions[Sync](self._caller).reads_itself(activity.session)
        refused = self._wake_refused(message, delivery, last)
        return Outlook(
            recipient=agent.name,
            kind=agent.kind,
            state=delivery.state,
            hold=delivery.hold,
            session_state=activity.state,
            since=(last.ended_at or last.since) if last else 0,
            client=activity.client,
            reads_itself=asks,
            wakes=not refused,
            wake_refused=refused,
        )

    def _wake_refused(self, message: Message, delivery: Delivery, session: Session | None) -> str:
        """Say why an idle recipient is not woken for a message, or ''."""
        from roost.turns.rules import may_wake  # only who asks for an outlook pays for it

        limits = self.tx.config.limits
        if message.hops > limits.hops_max:
            return f"agents answered each other {message.hops} times without a person"
        if not delivery.wakes or kind_of(message.type).name == "system":
            return "it asks for nothing"
        if not self.tx.config.features.wake_idle:
            return "waking is switched off here"
        if session is not None and not may_wake(session, self.tx.now, per_hour_max=limits.wakes_per_hour_max):
            return f"it was woken {limits.wakes_per_hour_max} times within the hour"
        return ""

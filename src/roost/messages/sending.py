"""Storing messages for their recipients: charged, signed, and written with their deliveries. Inside a transaction.

The bulk form is the only one: whatever is the same for all messages of one call (recipients, quota, key) is looked up
once, and rows are written together. Sending one message is sending a list of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from roost.agents.model import Agent
from roost.deliveries import rules as delivery_rules
from roost.deliveries.model import Delivery
from roost.deliveries.ranking import rank
from roost.errors import IdempotencyMismatch, InboxFull, RateLimited, RoostError
from roost.history.rules import told_hash
from roost.ids import new_id, new_salt
from roost.messages import quota
from roost.messages.addressing import Recipients, recipients_of
from roost.messages.checking import Checked, check, refers
from roost.messages.kinds import wakes
from roost.messages.model import Draft, Message, Sent
from roost.messages.signature import Key, body_hash, derive_key, letter_of, sign
from roost.operations.steps import take_step
from roost.sessions.model import Me
from roost.stores.base import Tx

KEY_LIVES_MS = 7 * 24 * 3_600_000
"""An idempotency key is remembered for 7 days."""
REMEMBERED_MAX = 100
"""Recipients of a group that is remembered from one transaction to the next."""
_json = msgspec.json.encode


class Desk(msgspec.Struct):
    """What matters of one recipient while mail for it is being stored; `added` and `added_bytes` are not written
    yet."""

    id: str
    paused: bool
    holding: str
    bell: str
    waiting: int
    bytes: int
    added: int = 0
    added_bytes: int = 0


class Sender:
    """Stores messages of the transaction's caller, or of several callers in one transaction."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._spent: dict[str, quota.Spent] = {}
        self._desks: dict[str, Desk] = {}
        self._messages: list[Message] = []
        self._deliveries: list[Delivery] = []

    def send(self, draft: Draft) -> Sent:
        """Store one message, or find the one that this idempotency key already stored."""
        sent = self._add(draft)
        self._write()
        return sent

    def send_all(self, drafts: Sequence[Draft]) -> tuple[Sent, ...]:
        """Store messages in their order; the first one that is refused raises."""
        sent = tuple(self._add(draft) for draft in drafts)
        self._write()
        return sent

    def send_each(self, drafts: Sequence[tuple[Me, Draft]]) -> list[Sent | Exception]:
        """Store messages of their senders in this order; one that is refused leaves nothing behind and has its error as
        the answer."""
        before, answers = self.tx.me, list[Sent | Exception]()
        for me, draft in drafts:
            self.tx.me = me
            try:
                answers.append(self._add_alone(draft))
            except RoostError as error:
                answers.append(error)
        self._write()
        self.tx.me = before
        return answers

    def _add_alone(self, draft: Draft) -> Sent:
        if not (draft.hold or draft.operation):
            return self._add(draft)  # nothing is written before everything is checked
        self._write()  # what waits must not be undone with this one
        try:
            with self.tx.savepoint():
                return self._add(draft)
        except RoostError:
            self._forget()  # an agent that was made for it is gone again
            raise

    def _add(self, draft: Draft) -> Sent:
        if self._messages and (refers(draft) or draft.idempotency_key is not None):
            self._write()  # what it refers to may be among the messages that wait to be written
        checked = check(self.tx, draft)
        if draft.idempotency_key is not None:
            known = self._sent_before(draft.idempotency_key, checked.fingerprint)
            if known is not None:
                return known
        recipients = self._recipients(draft)
        desks = [self._desk(agent, checked.size) for agent in recipients.agents]
        spent = self._charged(len(desks))
        if draft.operation:
            take_step(self.tx, draft.operation, list(recipients.ids))
        if spent:
            self._spent[self.tx.me.agent] = spent
        message = self._message(checked, recipients)
        self._messages.append(message)
        self._deliveries += self._deliver(message, desks, checked.size)
        return _sent(message, recipients.names)

    def _sent_before(self, key: str, fingerprint: bytes) -> Sent | None:
        known = self.tx.one(Message, "messages.keyed", sender=self.tx.me.agent, key=key)
        if known is None:
            return None
        if self.tx.now - known.sent_at > KEY_LIVES_MS:
            self.tx.run("messages.forget_key", id=known.id)
            return None
        if known.fingerprint != fingerprint:
            raise IdempotencyMismatch(
                f"the key {key!r} was used for {known.ref}, which says something else",
                hint="use a new key for a new message",
                ref=known.ref,
            )
        names = tuple(row.name for row in self.tx.all(Named, "messages.recipients", message=known.id))
        return replace(_sent(known, names), duplicate=True)

    def _recipients(self, draft: Draft) -> Recipients:
        group = "recipients", self.tx.me.agent, draft.to
        known: Recipients | None = self.tx.memo.get(group)
        if known is None:
            known = recipients_of(self.tx, draft)
            if len(known.agents) <= REMEMBERED_MAX:
                self.tx.memo[group] = known
        return known

    def _charged(self, cost: int) -> quota.Spent:
        me, limits = self.tx.me, self.tx.config.limits
        if me.kind == "system":
            return ()
        limit = quota.limit_of(me.kind, agent=limits.rate_agent, human=limits.rate_human)
        spent = self._spent.get(me.agent)
        if spent is None:
            spent = self._spent_before()
        outcome = quota.charge(spent, cost=cost, limit=limit, now=self.tx.now)
        if isinstance(outcome, quota.Passed):
            return outcome.spent
        wait = outcome.retry_after(self.tx.now)
        raise RateLimited(
            f"{me.name} sent {limit - outcome.left} of {limit} messages in 60 s and {cost} more do not fit",
            hint=f"try again in {wait:.0f} s",
            retry_after=wait,
            limit=limit,
            left=outcome.left,
        )

    def _spent_before(self) -> quota.Spent:
        agent = self.tx.me.agent
        known: quota.Spent | None = self.tx.memo.get(("spent", agent))
        return known if known is not None else _decode_spent(self.tx.value("messages.spent", agent=agent))

    def _desk(self, agent: Agent, size: int) -> Desk:
        desk = self._desks.get(agent.id)
        if desk is None:
            found = self.tx.one(Desk, "deliveries.desk", agent=agent.id, now=self.tx.now)
            assert found is not None
            desk = self._desks[agent.id] = found
        limits = self.tx.config.limits
        waiting, held = desk.waiting + desk.added, desk.bytes + desk.added_bytes
        if self.tx.me.kind == "system":
            return desk  # a notice that could not be sent would hold up the duty, and so everybody else's notices
        if waiting >= limits.inbox_messages_max or held + size > limits.inbox_bytes_max:
            raise InboxFull(
                f"{agent.name} has {waiting:,} messages ({held:,} bytes) waiting, which is the limit",
                hint="nothing was sent; wait until it reads, or hand its mail over",
                recipient=agent.name,
            )
        return desk

    def _message(self, checked: Checked, recipients: Recipients) -> Message:
        tx, message_id, number = self.tx, new_id(), self.tx.number_message()
        hashed = body_hash(checked.body, new_salt())
        event = {"number": number, "to": recipients.ids, "channel": recipients.channel, "body": told_hash(hashed)}
        seq, key = tx.record("message.sent", message_id, event), self._key_of(tx.me)
        unsigned = _composed(tx, checked, recipients, hashed, id=message_id, number=number, seq=seq)
        letter = letter_of(unsigned, project=tx.project, recipients=recipients.ids, hashed=hashed)
        return replace(unsigned, key_id=key.id, signature=sign(key, letter))

    def _key_of(self, me: Me) -> Key:
        key: Key | None = self.tx.memo.get(("key", me.agent))
        if key is None:
            key = derive_key(self.tx.secret, project=self.tx.project, sender=me.agent, version=me.key_version)
            self.tx.memo["key", me.agent] = key
        return key

    def _deliver(self, message: Message, desks: Sequence[Desk], size: int) -> list[Delivery]:
        asks = message.hops <= self.tx.config.limits.hops_max and wakes(
            type=message.type,
            priority=message.priority,
            requires_ack=message.requires_ack,
            sender_kind=message.sender_kind,
        )
        blocked = bool(message.depends_on) and self._is_blocked(message)
        place = rank(message.priority, sent_at=message.sent_at)
        made = []
        for desk in desks:
            hold = delivery_rules.hold_of(
                paused=desk.paused,
                holding=desk.holding,
                operation=message.operation,
                blocked=blocked,
                not_before=message.not_before,
                wall=self.tx.wall,
            )
            made.append(
                Delivery(
                    message=message.id,
                    recipient=desk.id,
                    seq=message.seq,
                    number=message.number,
                    state="held" if hold else "pending",
                    hold=hold,
                    rank=place,
                    size=size,
                    requires_ack=message.requires_ack,
                    wakes=asks,
                    expires_at=message.expires_at,
                    not_before=message.not_before,
                )
            )
            desk.added += 1
            desk.added_bytes += size
            if not hold and desk.bell:
                self.tx.ring(desk.bell)
        return made

    def _is_blocked(self, message: Message) -> bool:
        return any(
            not delivery_rules.is_fulfilled(delivery)
            for prerequisite in message.depends_on
            for delivery in self.tx.all(Delivery, "deliveries.of_message", message=prerequisite)
        )

    def _forget(self) -> None:
        """Look everything up again: it was read inside a savepoint that is undone."""
        self._spent.clear()
        self._desks.clear()

    def _write(self) -> None:
        """Write what waits: messages, deliveries, and the counts that go with them."""
        if not self._messages:
            return
        tx = self.tx
        tx.run_many("messages.insert", self._messages)
        tx.run_many("deliveries.insert", self._deliveries)
        for message in self._messages:
            for prerequisite in message.depends_on:
                tx.run("messages.put_dependency", on_message=prerequisite, message=message.id)
        for desk in self._desks.values():
            if desk.added:
                tx.run("deliveries.mailbox_add", agent=desk.id, count=desk.added, bytes=desk.added_bytes)
                desk.waiting, desk.bytes = desk.waiting + desk.added, desk.bytes + desk.added_bytes
                desk.added = desk.added_bytes = 0
        tx.run_many("messages.spend", [Spending(agent, _json(spent).decode()) for agent, spent in self._spent.items()])
        for agent, spent in self._spent.items():
            tx.memo["spent", agent] = spent
        self._spent.clear()
        self._messages, self._deliveries = [], []


def _composed(
    tx: Tx, checked: Checked, recipients: Recipients, hashed: bytes, *, id: str, number: int, seq: int
) -> Message:
    """Return the caller's message, unsigned."""
    me = tx.me
    begun = Message(
        id=id,
        number=number,
        seq=seq,
        sender=me.agent,
        sender_session=me.session,
        recipients=len(recipients.ids),
        type=checked.type,
        severity=checked.severity,
        priority=checked.priority,
        body=checked.body,
        body_hash=hashed,
        thread=checked.thread or id,
        fingerprint=checked.fingerprint,
        sent_at=tx.now,
        wall=tx.wall,
    )
    # In two steps: from 16 arguments by name on Python gathers them in a dictionary, which takes longer than both.
    return replace(
        begun,
        sender_name=me.name,
        sender_kind=me.kind,
        channel=recipients.channel,
        subject=checked.subject,
        tags=checked.tags,
        parent=checked.parent,
        depends_on=checked.depends_on,
        expires_at=checked.expires_at,
        not_before=checked.not_before,
        requires_ack=checked.requires_ack,
        hops=checked.hops,
        idempotency_key=checked.idempotency_key,
        operation=checked.operation,
        metadata=checked.metadata,
    )


class Spending(msgspec.Struct, frozen=True):
    """The row of one sender; see messages.quota."""

    agent: str
    spent: str


class Named(msgspec.Struct, frozen=True):
    """One recipient of a message."""

    id: str
    name: str


_decoder = msgspec.json.Decoder(tuple[tuple[int, int], ...])


def _decode_spent(text: str | None) -> quota.Spent:
    return _decoder.decode(text) if text else ()


def _sent(message: Message, names: tuple[str, ...]) -> Sent:
    return Sent(
        id=message.id,
        number=message.number,
        seq=message.seq,
        recipients=names,
        channel=message.channel,
        thread=message.thread,
    )

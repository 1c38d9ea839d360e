"""Storing one message for its recipients: checked, charged, signed, and written with its deliveries. Inside a transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from roost.agents.model import Agent
from roost.deliveries import rules as delivery_rules
from roost.deliveries.ledger import Ledger
from roost.deliveries.lookup import find_message
from roost.deliveries.model import Delivery, Hold
from roost.deliveries.ranking import rank
from roost.errors import IdempotencyMismatch, InboxFull, RateLimited
from roost.ids import new_id
from roost.limits import check_idempotency_key, check_metadata, check_ttl
from roost.messages import quota
from roost.messages.addressing import Recipients, recipients_of
from roost.messages.kinds import check_severity, check_type, kind_of, wakes
from roost.messages.model import Draft, Message, Sent
from roost.messages.rules import check_dependencies, check_not_before, check_priority_of, hops_after
from roost.messages.signature import Key, body_hash, derive_key, letter_of, sign
from roost.operations.steps import take_step
from roost.stores.base import Tx
from roost.text import check_body, check_display, check_tags

KEY_LIVES_MS = 7 * 24 * 3_600_000
"""An idempotency key is remembered for 7 days."""
SUBJECT_CHARACTERS_MAX = 200


class Checked(msgspec.Struct, frozen=True):
    """A draft whose every field is known to be right."""

    draft: Draft
    body: str
    fields: dict[str, Any]
    fingerprint: bytes


class Sender:
    """Stores messages of the transaction's caller."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._ledger = Ledger(tx)
        self._key: Key | None = None

    def send(self, draft: Draft) -> Sent:
        """Store one message, or find the one that this idempotency key already stored."""
        checked = self._check(draft)
        if draft.idempotency_key is not None:
            known = self._sent_before(draft.idempotency_key, checked.fingerprint)
            if known is not None:
                return known
        recipients = recipients_of(self.tx, draft)
        self._charge(len(recipients.agents))
        if draft.operation:
            take_step(self.tx, draft.operation, [agent.id for agent in recipients.agents])
        message = self._store(checked, recipients)
        self._deliver(message, recipients.agents)
        return _sent(message, tuple(agent.name for agent in recipients.agents))

    # --- checks -------------------------------------------------------------------------------------------------------

    def _check(self, draft: Draft) -> Checked:
        body = check_body(draft.text)
        parent = find_message(self.tx, draft.parent) if draft.parent else None
        depends_on = tuple(find_message(self.tx, ref).id for ref in check_dependencies(draft.depends_on))
        kind = check_type(draft.type or "message")
        fields = {
            "type": kind,
            "severity": check_severity(draft.severity or kind_of(kind).severity),
            "priority": check_priority_of(draft.priority, self.tx.me.kind),
            "subject": check_display(draft.subject, what="subject", most=SUBJECT_CHARACTERS_MAX) if draft.subject else "",
            "tags": check_tags(draft.tags),
            "depends_on": depends_on,
            "requires_ack": bool(draft.requires_ack),
            "operation": draft.operation,
            "metadata": check_metadata(draft.metadata) if draft.metadata else {},
            "parent": parent.id if parent else "",
            "thread": parent.thread if parent else "",
            "hops": hops_after(parent, self.tx.me.kind),
            "expires_at": self.tx.wall + check_ttl(draft.expires_in, what="message") if draft.expires_in is not None else None,
            "not_before": check_not_before(draft.not_before, self.tx.wall),
        }
        if draft.idempotency_key is not None:
            check_idempotency_key(draft.idempotency_key)
        told = (draft.to, body, kind, fields["priority"], fields["subject"], fields["parent"], depends_on, draft.requires_ack)
        return Checked(draft, body, fields, hashlib.sha256(msgspec.json.encode(told)).digest())

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
        return msgspec.structs.replace(_sent(known, names), duplicate=True)

    def _charge(self, cost: int) -> None:
        me, limits = self.tx.me, self.tx.config.limits
        if me.kind == "system":
            return
        limit = quota.limit_of(me.kind, agent=limits.rate_agent, human=limits.rate_human)
        spent = _decode_spent(self.tx.value("messages.spent", agent=me.agent))
        outcome = quota.charge(spent, cost=cost, limit=limit, now=self.tx.now)
        if isinstance(outcome, quota.Limited):
            wait = outcome.retry_after(self.tx.now)
            raise RateLimited(
                f"{me.name} sent {limit - outcome.left} of {limit} messages in 60 s and {cost} more do not fit",
                hint=f"try again in {wait:.0f} s",
                retry_after=wait,
                limit=limit,
                left=outcome.left,
            )
        self.tx.run("messages.spend", agent=me.agent, spent=msgspec.json.encode(outcome.spent).decode())

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _store(self, checked: Checked, recipients: Recipients) -> Message:
        tx, draft, hashed = self.tx, checked.draft, body_hash(checked.body)
        message_id, number = new_id(), int(tx.value("messages.next_number", count=1))
        ids = [agent.id for agent in recipients.agents]
        event = {"number": number, "to": ids, "channel": recipients.channel, "body": hashed.hex()}
        fields = checked.fields | {"thread": checked.fields["thread"] or message_id}
        message = Message(
            id=message_id,
            number=number,
            seq=tx.record("message.sent", message_id, event),
            sender=tx.me.agent,
            sender_name=tx.me.name,
            sender_kind=tx.me.kind,
            sender_session=tx.me.session,
            channel=recipients.channel,
            recipients=len(ids),
            body=checked.body,
            body_hash=hashed,
            idempotency_key=draft.idempotency_key,
            fingerprint=checked.fingerprint,
            sent_at=tx.now,
            wall=tx.wall,
            **fields,
        )
        message = self._signed(message, tuple(ids))
        tx.run("messages.insert", message)
        for prerequisite in message.depends_on:
            tx.run("messages.put_dependency", on_message=prerequisite, message=message.id)
        return message

    def _signed(self, message: Message, recipients: tuple[str, ...]) -> Message:
        if self._key is None:
            self._key = derive_key(
                self.tx.secret, project=self.tx.project, sender=message.sender, version=self.tx.me.key_version
            )
        letter = letter_of(message, project=self.tx.project, recipients=recipients)
        return msgspec.structs.replace(message, key_id=self._key.id, signature=sign(self._key, letter))

    def _deliver(self, message: Message, agents: Sequence[Agent]) -> None:
        size = len(message.body.encode())
        asks = wakes(
            type=message.type,
            priority=message.priority,
            requires_ack=message.requires_ack,
            sender_kind=message.sender_kind,
        )
        place = rank(message.priority, sent_at=message.sent_at)
        rows = []
        for agent in agents:
            self._check_room(agent, size)
            hold = self._hold(message, agent)
            rows.append(
                Delivery(
                    message=message.id,
                    recipient=agent.id,
                    seq=message.seq,
                    number=message.number,
                    state="held" if hold else "pending",
                    hold=hold,
                    rank=place,
                    size=size,
                    requires_ack=message.requires_ack,
                    wakes=asks and message.hops <= self.tx.config.limits.hops_max,
                    expires_at=message.expires_at,
                    not_before=message.not_before,
                )
            )
            if not hold:
                self._ledger.ring(agent.id)
        self.tx.run_many("deliveries.insert", rows)

    def _check_room(self, agent: Agent, size: int) -> None:
        limits = self.tx.config.limits
        box = self.tx.one(Mailbox, "deliveries.mailbox_put", agent=agent.id, bytes=size)
        assert box is not None
        if box.waiting > limits.inbox_messages_max or box.bytes > limits.inbox_bytes_max:
            raise InboxFull(
                f"{agent.name} has {box.waiting - 1:,} messages ({box.bytes - size:,} bytes) waiting, which is the limit",
                hint="nothing was sent; wait until it reads, or hand its mail over",
                recipient=agent.name,
            )

    def _hold(self, message: Message, agent: Agent) -> Hold:
        return delivery_rules.hold_of(
            paused=agent.paused_at is not None or bool(self.tx.value("messages.paused")),
            holding=self._ledger.holding(agent.id),
            operation=message.operation,
            blocked=self._is_blocked(message),
            not_before=message.not_before,
            wall=self.tx.wall,
        )

    def _is_blocked(self, message: Message) -> bool:
        return any(
            not delivery_rules.is_fulfilled(delivery)
            for prerequisite in message.depends_on
            for delivery in self.tx.all(Delivery, "deliveries.of_message", message=prerequisite)
        )


class Named(msgspec.Struct, frozen=True):
    """One recipient of a message."""

    id: str
    name: str


class Mailbox(msgspec.Struct, frozen=True):
    """How much waits for one agent."""

    agent: str
    waiting: int
    bytes: int


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

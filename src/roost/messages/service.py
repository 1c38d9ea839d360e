"""Messages: send, reply, read, and look at one's mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from roost.agents.service import Agents
from roost.deliveries import rules as delivery_rules
from roost.deliveries.ledger import Ledger
from roost.deliveries.lookup import find_message, is_visible, seen_message
from roost.deliveries.model import Delivery
from roost.errors import BatchTooLarge, Forbidden, InvalidInput
from roost.limits import NUMBER_MAX, check_number
from roost.messages.model import Draft, Item, Message, Page, Reaction, Sent
from roost.messages.outbox import sent_by
from roost.messages.rules import check_reaction
from roost.messages.search import SEARCH_SECONDS_MAX, Found, Match, index_more, quoted
from roost.messages.taking import Taking
from roost.verbs import Call, M, Service, Sync, query, stream, verb, waiting

if TYPE_CHECKING:
    from roost.messages.sending import Sender
    from roost.stores.base import Tx

BATCH_MAX = 1_000
PAGE_MAX = 500
FOLLOW_POLL_SECONDS = 1.0
FAR = NUMBER_MAX
UNDELIVERED = ("held", "pending", "offered")


class Messages(Taking[M]):
    """What agents, people and scripts say to each other."""

    @verb
    def send(
        self,
        *,
        to: str | Sequence[str],
        text: str,
        subject: str = "",
        type: str = "",
        severity: str = "",
        priority: int | str = "normal",
        tags: Sequence[str] = (),
        depends_on: Sequence[str] = (),
        expires_in: float | None = None,
        not_before: int | None = None,
        requires_ack: bool = False,
        idempotency_key: str | None = None,
        metadata: dict[str, Any] | None = None,
        hold: bool = False,
        operation: str = "",
    ) -> Sent:
        """Store one message for its recipients; once this returns it survives the loss of power.

        `to` is an agent, several, `all`, or a channel (`#build`). `expires_in` is in seconds (1 s to 365 days);
        `not_before` in milliseconds since 1970; `depends_on` names messages that must be delivered (acknowledged, where
        they require it) first. With `idempotency_key` (8-128 letters, digits, `-`, `_`) a repeated call within 7 days
        returns the first one's answer.
        `hold` keeps mail for a name that nobody has yet. Raises UnknownAgent, UnknownChannel, RateLimited, InboxFull,
        IdempotencyMismatch, TooManyRecipients and the errors of each field; whatever is raised, nothing was sent.
        """
        return self._send_one(
            _draft(
                to=to,
                text=text,
                subject=subject,
                type=type,
                severity=severity,
                priority=priority,
                tags=tags,
                depends_on=depends_on,
                expires_in=expires_in,
                not_before=not_before,
                requires_ack=requires_ack,
                idempotency_key=idempotency_key,
                metadata=metadata,
                hold=hold,
                operation=operation,
            )
        )

    @send.bulk
    def send_many(self, calls: Sequence[Call]) -> Sequence[Sent | Exception]:
        """Answer many sends, of many callers, in one transaction: each stored or refused by itself, as if sent one by
        one."""
        return _sender(self.tx).send_each([(call.me, _draft(**call.kwargs)) for call in calls])

    @verb
    def send_batch(self, drafts: Sequence[Draft]) -> tuple[Sent, ...]:
        """Store up to 1,000 messages, all or none, in this order. Raises BatchTooLarge, and what `send` raises."""
        if len(drafts) > BATCH_MAX:
            raise BatchTooLarge(f"{len(drafts)} messages are more than {BATCH_MAX} in a batch", hint="split it")
        return _sender(self.tx).send_all(drafts)

    @verb
    def reply(
        self,
        message: str,
        text: str,
        *,
        type: str = "",
        priority: int | str = "normal",
        requires_ack: bool = False,
        idempotency_key: str | None = None,
        everybody: bool = False,
    ) -> Sent:
        """Answer a message in its thread: to its sender, or to its whole channel. Answering acknowledges it."""
        parent = seen_message(self.tx, message)
        self._acknowledge_if_mine(parent, "a reply")
        return self._send_one(
            Draft(
                to=_answer_to(parent, everybody),
                text=text,
                subject=parent.subject,
                type=type,
                priority=priority,
                parent=parent.id,
                requires_ack=requires_ack,
                idempotency_key=idempotency_key,
            )
        )

    @verb
    def react(self, message: str, value: str, *, remove: bool = False) -> tuple[Reaction, ...]:
        """Put a reaction (a word or an emoji, up to 32 characters) on a message, which acknowledges it; or take it
        back."""
        found = seen_message(self.tx, message)
        check_reaction(value)
        change = "messages.drop_reaction" if remove else "messages.put_reaction"
        if self.tx.run(change, message=found.id, agent=self.tx.me.agent, value=value, at=self.tx.now):
            said = {"value": value} if found.channel else None  # between two it is theirs, as the message is
            self.tx.record("message.unreacted" if remove else "message.reacted", found.id, said)
        if not remove:
            self._acknowledge_if_mine(found, "a reaction")
        return tuple(self.tx.all(Reaction, "messages.reactions", message=found.id))

    @query
    def peek(self, agent: str = "", *, limit: int = 50, states: Sequence[str] = UNDELIVERED, before: int = FAR) -> Page:
        """Look at an inbox, one's own or (for people) another's, newest first, and change nothing. `states` empty means
        all. Raises Forbidden."""
        chosen = Agents[Sync](self._caller).get(agent or self.tx.me.agent)
        if chosen.id != self.tx.me.agent and self.tx.me.kind not in ("human", "system"):
            raise Forbidden(
                f"the inbox of {chosen.name} is its own", hint="only the project's person looks at another's"
            )
        wanted = list(states) or None
        rows = self.tx.all(
            Delivery,
            "deliveries.inbox",
            recipient=chosen.id,
            states=wanted,
            before=check_number(before, what="before"),
            limit=_limit(limit),
        )
        count = self.tx.value("deliveries.count_inbox", recipient=chosen.id, states=wanted)
        return Page(
            agent=chosen.name,
            seq=self.tx.seq,
            items=tuple(_item(self._get(row.message), row) for row in rows),
            more=max(0, count - len(rows)),
            next=rows[-1].seq if len(rows) == limit else 0,
        )

    @query
    def outbox(self, *, limit: int = 50, before: int = FAR) -> Page:
        """Return what the caller sent, newest first, one line per recipient."""
        first = check_number(before, what="before")
        sent = sent_by(self.tx, self.tx.me.agent, before=first, limit=_limit(limit))
        lines = [
            _item(message, delivery)
            for message in sent
            for delivery in self.tx.all(Delivery, "deliveries.of_message", message=message.id)
        ]
        behind = sent[-1].number if len(sent) == limit else 0
        return Page(agent=self.tx.me.name, seq=self.tx.seq, items=tuple(lines), next=behind)

    @query
    def get(self, message: str) -> Message:
        """Return a message that the caller may see, by its short or full id. Raises UnknownMessage, Forbidden."""
        return seen_message(self.tx, message)

    @verb
    def read(self, message: str) -> Message:
        """Return a whole message and note that its addressee read it. Reading is a receipt, no acknowledgement."""
        found = seen_message(self.tx, message)
        delivery = self.tx.one(Delivery, "deliveries.get", message=found.id, recipient=self.tx.me.agent)
        if delivery is not None and delivery.read_at is None:
            self.tx.run("deliveries.read", message=found.id, recipient=self.tx.me.agent, now=self.tx.now)
            Ledger(self.tx).receipt(delivery, "read", "asked for by its addressee")
            self.tx.record("message.read", found.id, {"recipient": self.tx.me.agent})
        return found

    @query
    def verified(self, message: str) -> bool:
        """Say whether a message's signature still fits every field, by the key of the sender it shows."""
        return is_genuine(self, seen_message(self.tx, message))

    @query
    def thread(self, message: str, *, limit: int = 200, after: int = 0) -> tuple[Message, ...]:
        """Return what the caller may see of a thread behind message number `after`, oldest first, by any message in
        it."""
        found = seen_message(self.tx, message)
        limit, after, shown = _limit(limit), check_number(after, what="after"), list[Message]()
        while len(shown) < limit:
            page = self.tx.all(Message, "messages.thread", thread=found.thread, limit=limit, after=after)
            shown += [one for one in page if is_visible(self.tx, one)]
            if len(page) < limit:
                break
            after = page[-1].number
        return tuple(shown[:limit])

    @query
    def log(self, *, after: int = 0, limit: int = 100, channel: str = "", agent: str = "") -> tuple[Message, ...]:
        """Return the conversation after message number `after`, oldest first: of one channel, or with one agent, or
        all.

        An agent sees what it sent or received and what channels said; a person sees everything.
        """
        return tuple(
            self.tx.all(
                Message,
                "messages.log",
                after=check_number(after, what="after"),
                limit=_limit(limit),
                channel=channel.removeprefix("#"),
                agent=Agents[Sync](self._caller).get(agent).id if agent else "",
                viewer=self.tx.me.agent,
                everything=self.tx.me.kind in ("human", "system"),
            )
        )

    @waiting
    def search(
        self, query: str, *, sender: str = "", channel: str = "", since: int = 0, limit: int = 20
    ) -> tuple[Found, ...]:
        """Return messages that hold all words of `query` (256 bytes, 16 words at most), best first; the index is
        brought up to date first.

        `since` is in milliseconds since 1970. An agent finds what it sent or received and what channels said; a person
        finds everything. Raises BadQuery,
        QueryTimeout after 2 s.
        """
        messages = Messages[Sync](self._caller)
        words = quoted(query)
        while messages.index_more():
            continue
        return messages.find(words, sender=sender, channel=channel.removeprefix("#"), since=since, limit=limit)

    @verb
    def index_more(self) -> int:
        """Put up to 2,000 more messages into the index of words; return how many are still missing."""
        return index_more(self.tx)

    @query
    def find(
        self, words: str, *, sender: str = "", channel: str = "", since: int = 0, limit: int = 20
    ) -> tuple[Found, ...]:
        """Look for quoted words in the index as it is; `search` is what callers want."""
        self.tx.hurry(SEARCH_SECONDS_MAX)
        rows = self.tx.all(
            Match,
            "search.find",
            words=words,
            sender=Agents[Sync](self._caller).get(sender).id if sender else "",
            channel=channel,
            since=check_number(since, what="since"),
            viewer=self.tx.me.agent,
            everything=self.tx.me.kind in ("human", "system"),
            limit=_limit(limit),
        )
        return tuple(Found(message=find_message(self.tx, str(row.number)), snippet=row.snippet) for row in rows)

    @query
    def last_number(self) -> int:
        """Return the short number of the newest message, 0 before the first."""
        return int(self.tx.value("messages.last_number"))

    @stream
    def follow(self, *, after: int = 0, channel: str = "", agent: str = "") -> Iterator[Message]:
        """Yield the conversation after message number `after`, then each new message as it is sent, without end."""
        messages = Messages[Sync](self._caller)
        while True:
            page = messages.log(after=after, limit=PAGE_MAX, channel=channel, agent=agent)
            yield from page
            if page:
                after = page[-1].number
            else:
                self._caller.idle(FOLLOW_POLL_SECONDS)

    @stream
    def listen(self, *, limit: int = 1) -> Iterator[Item]:
        """Yield the caller's mail as it comes, without end; asking for the next one confirms the one before.

        With a higher `limit` mail is offered, and confirmed, by pages of so many, which costs fewer writes. Of a page
        in whose middle its reader ends, all is offered again, and counts as tried.
        """
        messages = Messages[Sync](self._caller)
        page = messages.take(limit=limit)
        while True:
            yield from page.items
            if not page.items:
                self._caller.idle(FOLLOW_POLL_SECONDS)
            page = messages.take(limit=limit, arrived=(page.batch,) if page.batch else (), afresh=False)

    @query
    def reactions(self, message: str) -> tuple[Reaction, ...]:
        """Return the reactions to a message, oldest first."""
        return tuple(self.tx.all(Reaction, "messages.reactions", message=seen_message(self.tx, message).id))

    def _send_one(self, draft: Draft) -> Sent:
        return _sender(self.tx).send(draft)

    def _get(self, message_id: str) -> Message:
        return find_message(self.tx, message_id)

    def _acknowledge_if_mine(self, message: Message, proof: str) -> None:
        delivery = self.tx.one(Delivery, "deliveries.get", message=message.id, recipient=self.tx.me.agent)
        if delivery is not None and delivery.state in ("pending", "offered", "delivered"):
            Ledger(self.tx).acknowledge(delivery, proof)


def _draft(*, to: str | Sequence[str], tags: Sequence[str] = (), depends_on: Sequence[str] = (), **rest: Any) -> Draft:
    return Draft(to=(to,) if isinstance(to, str) else tuple(to), tags=_tags(tags), depends_on=tuple(depends_on), **rest)


def _sender(tx: Tx) -> Sender:
    from roost.messages.sending import Sender  # 6 ms, which who only reads need not pay

    return Sender(tx)


def is_genuine(service: Service[Any], message: Message) -> bool:
    """Say whether a stored message is the one its sender signed."""
    from roost.messages.signature import letter_of, verify

    tx = service.tx
    rows = tx.all(Delivery, "deliveries.of_message", message=message.id)
    oldest = tx.value("agents.key_oldest", id=message.sender) or 1
    letter = letter_of(message, project=tx.project, recipients=tuple(row.recipient for row in rows))
    return verify(tx.secret, letter, key_id=message.key_id, signature=message.signature, oldest=oldest)


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise InvalidInput(f"tags = {tags!r} is one text", hint='give a list: tags=["urgent"]')
    return tuple(tags)


def _limit(limit: object) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= PAGE_MAX:
        raise InvalidInput(f"limit = {limit!r} is not in 1-{PAGE_MAX}", hint="ask for fewer and page on")
    return limit


def _answer_to(parent: Message, everybody: bool) -> tuple[str, ...]:
    if parent.channel == "all":
        return ("all",) if everybody else (parent.sender,)
    if parent.channel:
        return (f"#{parent.channel}",)
    if not parent.sender:
        raise Forbidden(f"{parent.ref} comes from Roost itself", hint="nobody reads an answer; acknowledge it instead")
    return (parent.sender,)


def _item(message: Message, delivery: Delivery) -> Item:
    return Item(
        message=message,
        recipient=delivery.recipient,
        state=delivery.state,
        stage=delivery_rules.stage_of(delivery),
        attempts=delivery.attempts,
        hold=delivery.hold,
        read_at=delivery.read_at,
    )

"""Mail that a session asks for: taking it, and acknowledging it. Inside a transaction.

The bulk form is the only one: what the callers of one transaction change is written together, and taking or
acknowledging one message is a list of one. That holds for what touches nobody but its caller. Where more hangs on it (a
message that waits for this one, an operation, mail that is held) it goes the long way, transition by transition, after
everything that waits to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from roost.deliveries.ledger import Ledger
from roost.deliveries.lookup import number_of
from roost.deliveries.model import STAGES, Delivery
from roost.deliveries.rows import Next, Rows
from roost.deliveries.rules import check_batches
from roost.errors import InvalidInput, RoostError, WrongState
from roost.ids import new_nonce
from roost.limits import PAGE_MAX, check_limit
from roost.messages.model import Item, Message, Page
from roost.sessions.service import Sessions
from roost.verbs import Call, InTx, Sync

if TYPE_CHECKING:
    from roost.deliveries.service import Deliveries

R = TypeVar("R")

INBOX = "inbox"
TAKEN = "stream"
"""The rung of mail that a program takes by pages and proves by naming them: nothing else proves it."""
FOLLOWING = "its session's following call"
NAMED = "its program named the answer that brought it"
EXPLICIT = "explicit"
COUNTED_MAX = 1_000
"""How much more waits is counted up to here."""


class Reader(msgspec.Struct, frozen=True):
    """What matters of a session that asks for its mail.

    `held`: something of its mail is held, or an operation has its input. `linked`: there are messages in the project
    that wait for others. `offered` counts what it was given and nothing has proved yet, `waiting` what it may be given.
    """

    context: int
    transcript: bool
    paused: bool
    held: bool
    linked: bool
    offered: int
    waiting: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call that asks for mail. `arrived` is None for one that proves by itself what its session was given before;
    `batch` is the name of its page otherwise."""

    limit: int
    acknowledge: tuple[str, ...]
    arrived: frozenset[str] | None = None
    afresh: bool = False
    batch: str = ""

    @property
    def rung(self) -> str:
        """The rung by which it gets what it gets."""
        return INBOX if self.arrived is None else TAKEN

    def nonce(self) -> str:
        """Return the mark of one more offer."""
        return self.batch or new_nonce()


class Pickup:
    """Takes and acknowledges mail for the transaction's caller, or for several callers in one transaction."""

    def __init__(self, deliveries: Deliveries[Sync]) -> None:
        self.tx = deliveries.tx
        self._deliveries = deliveries
        self._rows = Rows(self.tx)

    def one(self, do: Callable[..., R], **asked: Any) -> R:
        """Answer one call of the transaction's caller: `do` is one of the calls below."""
        answer = do(self, **asked)
        self._rows.write()
        return answer

    def each(self, do: Callable[..., R], calls: Sequence[Call]) -> list[R | Exception]:
        """Answer calls of their callers in this order; one that is refused changes nothing and has its error as the
        answer."""
        before, answers = self.tx.me, list[R | Exception]()
        for call in calls:
            self.tx.me = call.me
            try:
                answers.append(do(self, **call.kwargs))
            except RoostError as error:
                answers.append(error)
        self._rows.write()
        self.tx.me = before
        return answers

    def acknowledge(self, message: str, *, proof: str = EXPLICIT) -> Delivery:
        """See `Deliveries.acknowledge`."""
        found = self._mine([message])
        if not found:
            return self._long(lambda: self._acknowledged_long(message, proof))
        delivery = found[0]
        if self._rows.touches(message=delivery.message):  # what was read of it is not what waits to be written
            self._rows.write()
            return self.acknowledge(message, proof=proof)
        if delivery.state == "acknowledged":
            return delivery
        if self._is_awaited([_acknowledgeable(delivery)]) or self.tx.value(
            "operations.is_target", agent=delivery.recipient
        ):
            return self._long(lambda: self._acknowledged_long(message, proof))
        return self._rows.acknowledge(delivery, proof)

    def inbox(self, *, limit: int = 20, acknowledge: Sequence[str] = ()) -> Page:
        """See `Taking.inbox`."""
        return self._give(Asked(limit=check_limit(limit), acknowledge=_names(acknowledge)))

    def take(
        self, *, limit: int = 20, arrived: Sequence[str] = (), afresh: bool = True, acknowledge: Sequence[str] = ()
    ) -> Page:
        """See `Taking.take`."""
        named = check_batches(arrived)
        limit, names = check_limit(limit), _names(acknowledge)
        return self._give(Asked(limit=limit, acknowledge=names, arrived=named, afresh=bool(afresh), batch=new_nonce()))

    def _give(self, asked: Asked) -> Page:
        if self._rows.touches(agent=self.tx.me.agent):
            self._rows.write()
        reader, found = self._reader(asked.limit), self._mine(asked.acknowledge)
        if reader is None or reader.held or len(found) < len(asked.acknowledge):
            return self._long(lambda: self._given_long(asked))
        done = [_acknowledgeable(one) for one in found if one.state != "acknowledged"]
        proved = self._proved_by(asked, reader, found, done)
        if proved is None or self._is_entangled(reader, done, proved):
            return self._long(lambda: self._given_long(asked))
        for delivery in done:
            self._rows.acknowledge(delivery, EXPLICIT)
        for delivery in proved:
            self._rows.deliver(delivery, FOLLOWING if asked.arrived is None else NAMED)
        return self._offered(asked, reader)

    def _reader(self, limit: int) -> Reader | None:
        return self.tx.one(Reader, "deliveries.reader", session=self.tx.me.session, most=COUNTED_MAX + limit)

    def _mine(self, names: Sequence[str]) -> list[Delivery]:
        """Return the caller's deliveries of these messages, in this order: what is not there, or named twice, is
        missing."""
        tx, numbers = self.tx, {name: number_of(name) for name in names}
        by_number = [number for number in numbers.values() if number is not None]
        by_id = [name for name, number in numbers.items() if number is None]
        found: dict[int | str, Delivery] = {}
        if by_number:
            rows = tx.all(Delivery, "deliveries.numbered", recipient=tx.me.agent, numbers=by_number)
            found |= {row.number: row for row in rows}
        if by_id:
            rows = tx.all(Delivery, "deliveries.of_ids", recipient=tx.me.agent, ids=by_id)
            found |= {row.message: row for row in rows}
        chosen = [found.get(name if number is None else number) for name, number in numbers.items()]
        return list({one.message: one for one in chosen if one is not None}.values())

    def _proved_by(
        self, asked: Asked, reader: Reader, found: Sequence[Delivery], done: Sequence[Delivery]
    ) -> list[Delivery] | None:
        """Return what was given to the session before and this call proves; None where it says more than that."""
        here = sum(one.state == "offered" and one.session == self.tx.me.session for one in done)
        is_more = reader.offered > here
        if asked.arrived is None:  # a client with a transcript may call twice within one tool
            return self._given(INBOX, done) if is_more and not reader.transcript else []
        given = self._given(TAKEN, done) if is_more and (asked.arrived or asked.afresh) else []
        proved = [one for one in given if one.nonce in asked.arrived]
        is_lost = asked.afresh and len(proved) < len(given)
        return None if is_lost or asked.arrived - {one.nonce for one in (*proved, *found)} else proved

    def _given(self, rung: str, done: Sequence[Delivery]) -> list[Delivery]:
        """Return what the session was given by a rung, but for what it acknowledges now."""
        now = {one.message for one in done}
        offered = self.tx.all(Delivery, "deliveries.offered_to", session=self.tx.me.session)
        return [one for one in offered if one.rung == rung and one.message not in now]

    def _is_entangled(self, reader: Reader, done: Sequence[Delivery], proved: Sequence[Delivery]) -> bool:
        """Say whether this changes more than the caller's own mail, or what is found among what waits."""
        over = [*done, *(one for one in proved if not one.requires_ack)]
        return any(one.state == "pending" for one in done) or (reader.linked and self._is_awaited(over))

    def _is_awaited(self, deliveries: Sequence[Delivery]) -> bool:
        messages = [delivery.message for delivery in deliveries]
        return bool(messages) and bool(self.tx.value("deliveries.awaited", messages=messages))

    def _offered(self, asked: Asked, reader: Reader) -> Page:
        """Offer what waits, best rank first, and return it."""
        tx, me = self.tx, self.tx.me
        found = [] if reader.paused else self._waiting(asked.limit)
        for next_, _ in found:
            self._rows.offer(next_, rung=asked.rung, nonce=asked.nonce(), context=reader.context)
        if found:
            about = {"rung": asked.rung, "context": reader.context, "messages": [message.id for _, message in found]}
            tx.record("delivery.offered", me.session, about)
        items = tuple(_item(message, next_, me.agent) for next_, message in found)
        return self._page(asked, items, min(COUNTED_MAX, reader.waiting - len(found)))

    def _page(self, asked: Asked, items: tuple[Item, ...], more: int) -> Page:
        tx, batch = self.tx, asked.batch if items else ""
        return Page(agent=tx.me.name, seq=tx.seq, items=items, more=more, batch=batch)

    def _waiting(self, limit: int) -> list[tuple[Next, Message]]:
        tx = self.tx
        first = tx.all(Next, "deliveries.next", recipient=tx.me.agent, now=tx.now, wall=tx.wall, limit=limit)
        if not first:
            return []
        ids = [one.message for one in first]
        letters = {message.id: message for message in tx.all(Message, "deliveries.letters", ids=ids)}
        return [(one, letters[one.message]) for one in first if one.message in letters]

    def _long(self, do: Callable[[], R]) -> R:
        self._rows.write()  # what waits must not be undone with this one
        with self.tx.savepoint():
            return do()

    def _acknowledged_long(self, message: str, proof: str) -> Delivery:
        delivery = self._deliveries.mine(message)
        if delivery.state == "acknowledged":
            return delivery
        Ledger(self.tx).acknowledge(_acknowledgeable(delivery), proof)
        return self._deliveries.mine(message)

    def _given_long(self, asked: Asked) -> Page:
        tx, deliveries = self.tx, self._deliveries
        session = Sessions[Sync](InTx(tx)).known(tx.me.session)
        for name in asked.acknowledge:
            self._acknowledged_long(name, EXPLICIT)
        if asked.arrived is not None:
            if asked.arrived or asked.afresh:
                deliveries.arrived(tuple(asked.arrived), afresh=asked.afresh)
        elif not session.transcript:
            deliveries.settle_inbox(session, FOLLOWING)
        found = deliveries.candidates(session.agent, limit=asked.limit)
        deliveries.put(session, asked.rung, [(delivery, asked.nonce()) for _, delivery in found])
        items = tuple(_item(message, delivery, session.agent) for message, delivery in found)
        return self._page(asked, items, tx.value("deliveries.waiting_for", recipient=session.agent))


def _names(acknowledge: Sequence[str]) -> tuple[str, ...]:
    """Return the messages that a call names, each once. Raises InvalidInput."""
    if not isinstance(acknowledge, (list, tuple)) or not all(isinstance(name, str) for name in acknowledge):
        raise InvalidInput("acknowledge is no list of messages", hint='give their ids: acknowledge=["m7"]')
    if len(acknowledge) > PAGE_MAX:
        raise InvalidInput(f"{len(acknowledge)} messages are more than {PAGE_MAX}", hint="acknowledge fewer at a time")
    return tuple(dict.fromkeys(acknowledge))


def _acknowledgeable(delivery: Delivery) -> Delivery:
    """Return a delivery that may be acknowledged, or is. Raises WrongState for one that never reached its recipient."""
    if delivery.state in ("pending", "offered", "delivered", "acknowledged"):
        return delivery
    why = delivery.last_error or delivery.hold or "it never reached you"
    raise WrongState(f"m{delivery.number} is {delivery.state}: {why}", hint="nothing was changed")


def _item(message: Message, before: Next | Delivery, recipient: str) -> Item:
    """Return a line of mail that was just offered, by what it was before."""
    return Item(
        message=message,
        recipient=recipient,
        state="offered",
        stage=STAGES[max(before.stage, 1)],
        attempts=before.attempts + 1,
        read_at=before.read_at,
    )

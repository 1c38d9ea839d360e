"""The queue for leases: places with tickets, kept in the store and never in a held transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from roost.errors import Cycle, LeaseLost, LimitReached
from roost.leases import book, rules
from roost.leases.model import Refused, Ticket, Waiter, Wish

if TYPE_CHECKING:
    from roost.stores.base import Tx

LOOK_SECONDS_MAX = 1.0
"""A waiter looks at least so often: a holder's process can die without a word."""


def stand(tx: Tx, wishes: tuple[Wish, ...], patience_ms: int) -> Waiter:
    """Return the caller's place for these wishes: the one it has, or a new one at the end."""
    book.check_session(tx)
    queue = book.waiters(tx)
    mine = [waiter for waiter in queue if waiter.session == tx.me.session]
    for place in mine:
        if _keys(place.wishes) == _keys(wishes):
            return stay(tx, place)
    if len(mine) >= rules.WAITS_MAX or len(queue) >= rules.QUEUE_MAX:
        raise LimitReached(
            f"{len(mine)} waits of a session, or {len(queue)} of a project, are the most there can be",
            hint=f"give up a wait first (at most {rules.WAITS_MAX} a session, {rules.QUEUE_MAX} a project)",
        )
    _refuse_cycle(tx, wishes, queue)
    return _enqueue(tx, wishes, patience_ms)


def place(tx: Tx, ticket: int) -> Waiter:
    """Return the caller's place with this ticket. Raises LeaseLost when it has lapsed or is another's."""
    for waiter in book.waiters(tx):
        if waiter.ticket == ticket and waiter.session == tx.me.session:
            return waiter
    raise LeaseLost(
        f"your place {ticket} in the queue has lapsed", hint="take a new one: `roost lease wait KEY`", ticket=ticket
    )


def stay(tx: Tx, waiter: Waiter) -> Waiter:
    """Keep a place for another while of its patience."""
    kept = msgspec.structs.replace(waiter, expires_at=tx.now + waiter.patience_ms)
    tx.run("leases.renew_wait", ticket=kept.ticket, expires_at=kept.expires_at)
    return kept


def drop(tx: Tx, waiter: Waiter, why: str) -> None:
    """Take a place out of the queue, and wake those who were behind it."""
    tx.run("leases.drop_wait", ticket=waiter.ticket)
    if why != "claimed":
        tx.record(f"lease.wait_{why}", f"ticket:{waiter.ticket}", {"agent": waiter.agent})
    for behind in book.waiters(tx):
        if behind.bell and any(rules.clash(a, b) for a in waiter.wishes for b in behind.wishes):
            tx.ring(behind.bell)


def ticket(tx: Tx, waiter: Waiter) -> Ticket:
    """Return how a wait of the caller stands, without writing."""
    queue = book.waiters(tx)
    outcomes = [book.decide(tx, wish, queue, waiter.ticket) for wish in waiter.wishes]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    holders = [lease for outcome in refused for lease in outcome.holders]
    ahead = [before for outcome in refused for before in outcome.ahead]
    ends = [lease.expires_at - tx.now for lease in holders] + [before.expires_at - tx.now for before in ahead]
    return Ticket(
        number=waiter.ticket,
        keys=tuple(rules.name_of(wish) for wish in waiter.wishes),
        ready=not refused,
        held_by=tuple(sorted({lease.holder for lease in holders})),
        behind=tuple(dict.fromkeys(before.waiter for before in ahead)),
        lapses_in_seconds=(waiter.expires_at - tx.now) / 1000,
        look_again_seconds=min([LOOK_SECONDS_MAX, *(left / 1000 for left in ends)]),
    )


def _enqueue(tx: Tx, wishes: tuple[Wish, ...], patience_ms: int) -> Waiter:
    waiter = Waiter(
        ticket=book.number(tx),
        agent=tx.me.agent,
        session=tx.me.session,
        waiter=tx.me.name,
        wishes=wishes,
        patience_ms=patience_ms,
        asked_at=tx.now,
        expires_at=tx.now + patience_ms,
    )
    tx.run("leases.insert_wait", waiter)
    names = [rules.name_of(wish) for wish in wishes]
    tx.record("lease.wait_began", f"ticket:{waiter.ticket}", {"agent": waiter.agent, "keys": names})
    for holder in sorted({lease.agent for lease in book.every(tx) if book.wants(waiter, lease)}):
        bell = tx.value("sessions.bell_of", agent=holder)
        if bell:
            tx.ring(bell)  # its next turn says that somebody waits
    return waiter


def _refuse_cycle(tx: Tx, wishes: Sequence[Wish], queue: Sequence[Waiter]) -> None:
    """Raise Cycle when the caller's wait would end in itself; sessions that are gone break the ring."""
    if not queue:
        return
    leases = book.every(tx)
    gone: set[str] = set()
    while True:
        ring = rules.cycle(
            tx.me.session,
            wishes,
            leases=[lease for lease in leases if lease.session not in gone],
            waiters=[waiter for waiter in queue if waiter.session not in gone],
            now=tx.now,
        )
        if ring is None:
            return
        dead = {session for session in ring[1:] if book.is_gone(tx, session)}
        if not dead:
            raise _closed(tx, ring, queue)
        gone |= dead


def _closed(tx: Tx, ring: Sequence[str], queue: Sequence[Waiter]) -> Cycle:
    names = {waiter.session: waiter.waiter for waiter in queue} | {tx.me.session: tx.me.name}
    people = [names[session] for session in ring]
    return Cycle(
        f"this wait would never end: {' waits for '.join([*people, people[0]])}",
        hint="release what you hold of theirs first, or ask one of them to",
        cycle=people,
    )


def _keys(wishes: Sequence[Wish]) -> set[tuple[str, str, str]]:
    return {(wish.kind, wish.key, wish.mode) for wish in wishes}

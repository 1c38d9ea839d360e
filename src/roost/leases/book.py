"""The book of leases inside one transaction: who holds what, and what is written when that changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from roost.errors import EpochChanged, LeaseLost, LimitReached, StaleToken, WhoAreYou
from roost.leases import paths, rules, words
from roost.leases.model import TOKEN_BITS, Granted, Lease, LeaseEnd, LeaseKind, Refused, Waiter, Wish
from roost.limits import check_number
from roost.sessions.model import Session

if TYPE_CHECKING:
    from roost.stores.base import Tx


def near(tx: Tx, wish: Wish) -> list[Lease]:
    """Return the leases, not ended, that can stand in the way of a wish; some of them may have run out."""
    if wish.kind != "path":
        return tx.all(Lease, "leases.on", kind=wish.kind, head=wish.key, key=wish.key)
    head = paths.head(wish.key)
    if not head:
        return tx.all(Lease, "leases.of_kind", kind="path")
    # Everything beneath a folder sorts between "folder/" and "folder0": 0 is the character after /.
    return tx.all(Lease, "leases.near", above=paths.above(head), below=f"{head}/", past=f"{head}0")


def on(tx: Tx, kind: LeaseKind, key: str) -> list[Lease]:
    """Return the live leases on exactly one key."""
    head = paths.head(key) if kind == "path" else key
    return live(tx, tx.all(Lease, "leases.on", kind=kind, head=head, key=key))


def live(tx: Tx, leases: Iterable[Lease]) -> list[Lease]:
    """Return those of the leases that count now."""
    return [lease for lease in leases if rules.is_live(lease, tx.now, tx.store_epoch)]


def every(tx: Tx) -> list[Lease]:
    """Return all live leases, in the order they were granted."""
    return live(tx, tx.all(Lease, "leases.open"))


def touching(tx: Tx, kind: LeaseKind, key: str) -> list[Lease]:
    """Return the live leases that overlap a key."""
    wish = Wish(kind=kind, key=key, ttl_ms=0)
    return [lease for lease in live(tx, near(tx, wish)) if rules.clash(wish, lease)]


def held_by(tx: Tx, session: str) -> list[Lease]:
    """Return the live leases of one session."""
    return live(tx, tx.all(Lease, "leases.of_session", session=session))


def waiters(tx: Tx) -> list[Waiter]:
    """Return the places in all queues that have not lapsed, in the order of asking."""
    return [waiter for waiter in tx.all(Waiter, "leases.waits") if waiter.expires_at > tx.now]


def by_token(tx: Tx, token: int) -> Lease | None:
    """Return the lease of a fencing token, live or over. Raises InvalidInput, EpochChanged from before a restore."""
    if check_number(token, what="token") >> TOKEN_BITS < tx.store_epoch:
        raise EpochChanged(
            f"token {token} is from before the store was restored", hint="acquire the lease again", token=token
        )
    return tx.one(Lease, "leases.get", token=token)


def own(tx: Tx, kind: LeaseKind, key: str, token: int | None) -> Lease:
    """Return the caller's live lease on a key, an explicit one first. Raises LeaseLost, StaleToken, EpochChanged."""
    name = rules.shown(kind, key)
    if token is not None and by_token(tx, token) is None:
        raise StaleToken(f"no lease on {name} ever had the token {token}", hint="see `roost lease list`", token=token)
    mine = [lease for lease in on(tx, kind, key) if lease.session == tx.me.session and token in (None, lease.token)]
    if not mine:
        raise LeaseLost(
            f"you do not hold {name}: it ran out, was given back or taken, or was never yours",
            hint=f"acquire it again: `roost lease acquire {name}`",
            key=name,
        )
    return max(mine, key=lambda lease: (not lease.implicit, lease.token))


def is_gone(tx: Tx, session: str) -> bool:
    """Say whether a session is over or its process was seen to be: then nothing is held in its name.

    Where a process cannot be seen, only the lease's own time ends it.
    """
    found = tx.one(Session, "sessions.get", id=session)
    if found is None or found.ended_at is not None:
        return True
    return found.process is not None and tx.host.alive(found.process) is False


def decide(tx: Tx, wish: Wish, queue: Sequence[Waiter], ticket: int | None = None) -> Granted | Refused:
    """Decide one wish of the caller and write nothing: who is gone holds nothing up."""
    found = live(tx, near(tx, wish))
    outcome = rules.grant(wish, session=tx.me.session, leases=found, waiters=queue, now=tx.now, ticket=ticket)
    if isinstance(outcome, Granted):
        return outcome
    holders = tuple(lease for lease in outcome.holders if not is_gone(tx, lease.session))
    ahead = tuple(waiter for waiter in outcome.ahead if not is_gone(tx, waiter.session))
    return Refused(holders, ahead) if holders or ahead else Granted()


def forbidding(tx: Tx, wishes: Sequence[Wish]) -> list[Lease]:
    """Return the leases of others that forbid these wishes; who waits is not counted."""
    outcomes = (decide(tx, wish, ()) for wish in wishes)
    found = {lease.token: lease for out in outcomes if isinstance(out, Refused) for lease in out.holders}
    return list(found.values())


def grant(tx: Tx, wishes: Sequence[Wish], *, ticket: int | None = None) -> tuple[Lease, ...]:
    """Grant all wishes of the caller, or raise LeaseHeld for the first that is refused, with nothing written."""
    check_session(tx)
    queue = waiters(tx)
    outcomes = [decide(tx, wish, queue, ticket) for wish in wishes]
    for wish, outcome in zip(wishes, outcomes, strict=True):
        if isinstance(outcome, Refused):
            raise words.refusal(wish, outcome, now=tx.now, wall=tx.wall)
    _check_room(tx, len(wishes))
    return tuple(_put(tx, wish, out) for wish, out in zip(wishes, outcomes, strict=True) if isinstance(out, Granted))


def check_session(tx: Tx) -> None:
    """Raise WhoAreYou when the caller has no session: only one can hold a lease or wait for it."""
    if not tx.me.session:
        raise WhoAreYou("only a session can hold a lease or wait for one", hint="join first: `roost join NAME`")


def _check_room(tx: Tx, count: int) -> None:
    have = tx.value("leases.count_of_session", session=tx.me.session)
    if have + count > rules.HELD_MAX:
        raise LimitReached(
            f"a session holds at most {rules.HELD_MAX} leases, and you hold {have}",
            hint="release some, or lease their folder",
        )


def _put(tx: Tx, wish: Wish, granted: Granted) -> Lease:
    if granted.renews:
        return _again(tx, granted.renews, wish)
    _clear(tx, wish)
    lease = Lease(
        token=tx.store_epoch << TOKEN_BITS | number(tx),
        kind=wish.kind,
        key=wish.key,
        mode=wish.mode,
        implicit=wish.implicit,
        worktree=wish.worktree,
        agent=tx.me.agent,
        session=tx.me.session,
        holder=tx.me.name,
        reason=wish.reason,
        ttl_ms=wish.ttl_ms,
        granted_at=tx.now,
        expires_at=tx.now + wish.ttl_ms,
    )
    tx.run("leases.insert", lease, head=paths.head(lease.key) if lease.kind == "path" else lease.key)
    data = {"token": lease.token, "agent": lease.agent, "mode": lease.mode, "expires_at": lease.expires_at}
    tx.record("lease.granted", _object(lease), data | ({"worktree": lease.worktree} if lease.implicit else {}))
    return lease


def _again(tx: Tx, last: Lease, wish: Wish) -> Lease:
    """Renew by a nested acquire, which takes no time away. Edits are not counted: nothing gives them back singly."""
    until = max(last.expires_at, tx.now + wish.ttl_ms)
    held = last.held if wish.implicit else last.held + 1
    ttl_ms = max(last.ttl_ms, wish.ttl_ms)
    return renew(tx, last, ttl_ms=ttl_ms, held=held, reason=wish.reason or last.reason, until=until)


def _clear(tx: Tx, wish: Wish) -> None:
    """End what stands in the way on paper only: leases that ran out, and those of sessions that are gone."""
    for lease in near(tx, wish):
        if not rules.is_live(lease, tx.now, tx.store_epoch):
            end(tx, lease, cause(tx, lease))
        elif lease.session != tx.me.session and rules.clash(lease, wish):
            end(tx, lease, "orphaned")


def renew(tx: Tx, lease: Lease, *, ttl_ms: int, held: int, reason: str, until: int | None = None) -> Lease:
    """Write how a live lease goes on, `until` or for its ttl; never logged, because it is a sign of life."""
    expires_at = tx.now + ttl_ms if until is None else until
    renewed = msgspec.structs.replace(lease, ttl_ms=ttl_ms, held=held, reason=reason, expires_at=expires_at)
    tx.run("leases.renew", renewed, now=tx.now)
    return renewed


def end(tx: Tx, lease: Lease, why: LeaseEnd, **details: str) -> Lease:
    """End a lease, tell the log, and wake those who wait for it."""
    tx.run("leases.end", token=lease.token, now=tx.now, end=why)
    tx.record(f"lease.{why}", _object(lease), {"token": lease.token, "agent": lease.agent, **details})
    for waiter in waiters(tx):
        if waiter.bell and wants(waiter, lease):
            tx.ring(waiter.bell)
    return msgspec.structs.replace(lease, ended_at=tx.now, end=why)


def cause(tx: Tx, lease: Lease) -> LeaseEnd:
    """Return why a lease that is not live any more ended."""
    return "expired" if lease.token >> TOKEN_BITS == tx.store_epoch else "restored"


def wants(waiter: Waiter, lease: Lease) -> bool:
    """Say whether a lease keeps somebody waiting."""
    return waiter.session != lease.session and any(rules.clash(wish, lease) for wish in waiter.wishes)


def number(tx: Tx) -> int:
    """Draw the project's next number for a token or ticket."""
    return int(tx.value("leases.count"))


def _object(lease: Lease) -> str:
    return f"{lease.kind}:{lease.key}"

"""Who gets a lease, who waits for whom, and what the limits are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from roost.errors import InvalidInput, InvalidKey
from roost.leases import paths
from roost.leases.model import TOKEN_BITS, Claim, Granted, Lease, LeaseKind, Refused, Waiter, Wish
from roost.names import check_name

TTL_SECONDS = 1_800.0
"""What a lease gets that names no time: a long tool call, and the turns of the session renew it."""
EDIT_SECONDS = 600.0
"""What an edit gets; the next edit of the same file begins it again."""
PATIENCE_SECONDS = 60.0
"""A place in the queue lapses when its owner has not looked for so long: the next one must not wait for the dead."""
KEYS_MAX = 100
"""Keys of one call."""
HELD_MAX = 1_000
"""Live leases of one session."""
WAITS_MAX = 16
"""Places in queues of one session."""
QUEUE_MAX = 200
"""Places in all queues of a project: each new one is checked for a cycle against all others."""

KINDS: tuple[LeaseKind, ...] = ("path", "resource", "role", "endpoint", "task")


def grant(
    wish: Wish,
    *,
    session: str,
    leases: Iterable[Lease],
    waiters: Iterable[Waiter],
    now: int,
    ticket: int | None = None,
) -> Granted | Refused:
    """Decide one wish; `ticket` is the asker's place in the queue, if it has one.

    A session's own lease on the same key is renewed whatever happens around it: a nested acquire must not deadlock.
    Everybody else waits behind those who asked earlier, so that nobody starves.
    """
    live = [lease for lease in leases if lease.expires_at > now]
    for lease in live:
        if lease.session == session and is_same(lease, wish):
            return Granted(renews=lease)
    holders = tuple(lease for lease in live if lease.session != session and clash(lease, wish))
    ahead = tuple(
        waiter for waiter in _others(waiters, session, now) if _is_ahead(waiter, ticket) and _wants(waiter, wish)
    )
    return Refused(holders, ahead) if holders or ahead else Granted()


def clash(a: Claim, b: Claim) -> bool:
    """Say whether two sessions must not have both at once.

    Edits in different worktrees change different files; an explicit lease counts in all of them.
    """
    if a.kind != b.kind or a.mode == b.mode == "shared":
        return False
    if a.implicit and b.implicit and a.worktree != b.worktree:
        return False
    return paths.overlaps(a.key, b.key) if a.kind == "path" else a.key == b.key


def is_same(a: Claim, b: Claim) -> bool:
    """Say whether one lease serves both."""
    return (a.kind, a.key, a.mode, a.implicit, a.worktree) == (b.kind, b.key, b.mode, b.implicit, b.worktree)


def is_live(lease: Lease, now: int, store_epoch: int) -> bool:
    """Say whether a lease counts: not ended, not run out, and granted by this state of the store."""
    return lease.ended_at is None and lease.expires_at > now and lease.token >> TOKEN_BITS == store_epoch


def cycle(
    session: str, wishes: Sequence[Wish], *, leases: Sequence[Lease], waiters: Sequence[Waiter], now: int
) -> tuple[str, ...] | None:
    """Return the ring of sessions, from `session` on, that a wait for `wishes` would close; None if it closes none."""
    came_from: dict[str, str] = {}
    open_ends = [session]
    while open_ends:
        here = open_ends.pop()
        for there in _waits_for(here, session, wishes, leases, waiters, now):
            if there == session:
                return _way_back(came_from, here, session)
            if there not in came_from:
                came_from[there] = here
                open_ends.append(there)
    return None


def parse(text: str, kind: LeaseKind | None = None) -> tuple[LeaseKind, str]:
    """Return the kind and stored key of `text`: `role:reviewer`, `resource:deploy`; everything else is a path.

    Raises InvalidKey, and InvalidName for a role that is no name.
    """
    paths.check_characters(text)
    before, colon, rest = text.partition(":")
    if kind is None:
        kind, text = (before, rest) if colon and before in KINDS else ("path", text)
    if kind not in KINDS:
        raise InvalidInput(f"{kind!r} is no kind of lease", hint=f"use one of {', '.join(KINDS)}")
    if kind == "path":
        return kind, paths.normalise(text)
    if kind == "role":
        return kind, check_name(text, what="role")
    if text != text.strip() or not text:
        raise InvalidKey(f"{text!r} begins or ends with a blank, or is empty", hint=f"name the {kind}")
    return kind, text


def name_of(claim: Claim) -> str:
    """Return what a lease is on, as people write it."""
    return shown(claim.kind, claim.key)


def shown(kind: LeaseKind, key: str) -> str:
    """Return a kind and stored key as people write them."""
    return paths.shown(key) if kind == "path" else f"{kind}:{key}"


def _waits_for(
    who: str, asker: str, wishes: Sequence[Wish], leases: Sequence[Lease], waiters: Sequence[Waiter], now: int
) -> Iterator[str]:
    """Yield the sessions that `who` waits for: holders, and those before it in the queue."""
    mine: list[tuple[int | None, Sequence[Wish]]] = [
        (waiter.ticket, waiter.wishes) for waiter in waiters if waiter.session == who and waiter.expires_at > now
    ]
    if who == asker:
        mine.append((None, wishes))
    for ticket, wanted in mine:
        for wish in wanted:
            outcome = grant(wish, session=who, leases=leases, waiters=waiters, now=now, ticket=ticket)
            if isinstance(outcome, Refused):
                yield from (lease.session for lease in outcome.holders)
                yield from (waiter.session for waiter in outcome.ahead)


def _way_back(came_from: dict[str, str], last: str, first: str) -> tuple[str, ...]:
    way = [last]
    while way[-1] != first:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))


def _others(waiters: Iterable[Waiter], session: str, now: int) -> Iterator[Waiter]:
    return (waiter for waiter in waiters if waiter.session != session and waiter.expires_at > now)


def _is_ahead(waiter: Waiter, ticket: int | None) -> bool:
    return ticket is None or waiter.ticket < ticket


def _wants(waiter: Waiter, wish: Wish) -> bool:
    return any(clash(wanted, wish) for wanted in waiter.wishes)

"""Leases: the right of one session to something, until a time, with a token that fences what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from roost.errors import BatchTooLarge, Forbidden, InvalidInput, LeaseHeld, StaleToken, UnknownLease
from roost.leases import book, paths, places, rules, waits
from roost.leases.model import TOKEN_BITS, Lease, LeaseEnd, LeaseKind, LeaseMode, Ticket, Waiter, Wish
from roost.limits import DAY, HOUR, check_duration, check_ttl
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.text import check_display
from roost.verbs import M, Service, Sync, query, verb, waiting

TIDIED_MAX = 200
"""Rows that one round of tidying ends or purges."""

Held = tuple[Lease, ...]


class Leases(Service[M]):
    """Rights to paths and globs, named resources, roles, endpoints and tasks."""

    @verb
    def acquire(
        self,
        key: str,
        *,
        ttl: float = rules.TTL_SECONDS,
        mode: LeaseMode = "exclusive",
        kind: LeaseKind | None = None,
        reason: str = "",
    ) -> Lease:
        """Give the caller the lease for `ttl` seconds (1 s to 24 h); its own one is renewed and held once more.

        `key` is a path or glob relative to the repository, or `role:`, `resource:`, `endpoint:`, `task:` with a name.
        Raises LeaseHeld, InvalidKey, InvalidTtl, LimitReached.
        """
        return book.grant(self.tx, _wishes([key], ttl, mode, kind, reason))[0]

    @verb
    def acquire_all(
        self,
        keys: Sequence[str],
        *,
        ttl: float = rules.TTL_SECONDS,
        mode: LeaseMode = "exclusive",
        kind: LeaseKind | None = None,
        reason: str = "",
    ) -> Held:
        """Give the caller every one of up to 100 leases, or none. Raises as `acquire` does."""
        return book.grant(self.tx, _wishes(keys, ttl, mode, kind, reason))

    @verb
    def edit(self, files: Sequence[str], *, worktree: str = "", ttl: float = rules.EDIT_SECONDS) -> Held:
        """Note that the caller edits these files (paths relative to its worktree): an implicit lease each, or none.

        It holds among the sessions of one worktree, and each edit begins its `ttl` again. Raises LeaseHeld.
        """
        return book.grant(self.tx, self._edits(files, worktree, ttl))

    @verb
    def renew(
        self, key: str, *, ttl: float | None = None, token: int | None = None, kind: LeaseKind | None = None
    ) -> Lease:
        """Hold the caller's lease for another `ttl` seconds from now. Raises LeaseLost: what ran out is not revived."""
        lease = book.own(self.tx, *rules.parse(key, kind), token)
        ttl_ms = lease.ttl_ms if ttl is None else check_ttl(ttl)
        return book.renew(self.tx, lease, ttl_ms=ttl_ms, held=lease.held, reason=lease.reason)

    @verb
    def release(
        self, key: str, *, token: int | None = None, kind: LeaseKind | None = None, whole: bool = False
    ) -> Lease:
        """Give the lease back; one acquired several times is free at the last release, or at once with `whole`.

        Raises LeaseLost when the caller does not hold it (any more).
        """
        lease = book.own(self.tx, *rules.parse(key, kind), token)
        if lease.held == 1 or whole:
            return book.end(self.tx, lease, "released")
        rest = lease.held - 1
        return book.renew(self.tx, lease, ttl_ms=lease.ttl_ms, held=rest, reason=lease.reason, until=lease.expires_at)

    @verb
    def release_edits(self, files: Sequence[str] | None = None, *, worktree: str = "") -> Held:
        """End the caller's implicit leases in a worktree, all or those on some files: their edits are committed."""
        worktree = worktree or self._worktree()
        keys = None if files is None else {paths.of_file(file) for file in files}
        return tuple(
            book.end(self.tx, lease, "released")
            for lease in book.held_by(self.tx, self.tx.me.session)
            if lease.implicit and lease.worktree == worktree and (keys is None or lease.key in keys)
        )

    @verb
    def revoke(self, key: str, *, reason: str, token: int | None = None, kind: LeaseKind | None = None) -> Held:
        """Take a lease from whoever holds it: for the project's person, and for another session of the same agent.

        Raises Forbidden, UnknownLease.
        """
        check_display(reason, what="reason")
        me = self.tx.me
        taken = [lease for lease in book.on(self.tx, *rules.parse(key, kind)) if token in (None, lease.token)]
        if not taken:
            raise UnknownLease(f"nobody holds {key!r}", hint="see `roost lease list`", key=key)
        for lease in taken:
            if me.kind not in ("human", "system") and lease.agent != me.agent:
                raise Forbidden(f"only {lease.holder} or the project's person may end this lease", hint="ask them")
        return tuple(self._revoked(lease, reason) for lease in taken)

    @verb
    def stand(
        self,
        keys: Sequence[str],
        *,
        ttl: float = rules.TTL_SECONDS,
        mode: LeaseMode = "exclusive",
        kind: LeaseKind | None = None,
        reason: str = "",
        patience: float = rules.PATIENCE_SECONDS,
    ) -> Ticket:
        """Take a place in the queue for these keys; asking again for the same keeps the place.

        It lapses unless `claim` is called every `patience` seconds (1 s to 1 h). Raises Cycle, with its names, for a
        wait that would never end.
        """
        patience_ms = check_duration(patience, what="patience", least=1, most=HOUR)
        return places.ticket(self.tx, places.stand(self.tx, _wishes(keys, ttl, mode, kind, reason), patience_ms))

    @verb
    def claim(self, ticket: int) -> Held:
        """Take what the ticket stands for if it is its turn; an empty answer means not yet, and the place is kept.

        Raises LeaseLost when the place has lapsed.
        """
        place = places.place(self.tx, ticket)
        try:
            leases = book.grant(self.tx, place.wishes, ticket=ticket)
        except LeaseHeld:
            places.stay(self.tx, place)
            return ()
        places.drop(self.tx, place, "claimed")
        return leases

    @query
    def look(self, ticket: int) -> Ticket:
        """Say how a wait stands. Raises LeaseLost when the place has lapsed."""
        return places.ticket(self.tx, places.place(self.tx, ticket))

    @verb
    def leave(self, ticket: int) -> None:
        """Give up a place in the queue; one that is gone already is no error."""
        for waiter in book.waiters(self.tx):
            if waiter.ticket == ticket and waiter.session == self.tx.me.session:
                places.drop(self.tx, waiter, "left")

    @waiting
    def wait(
        self,
        key: str,
        *,
        timeout: float = 300.0,
        ttl: float = rules.TTL_SECONDS,
        mode: LeaseMode = "exclusive",
        kind: LeaseKind | None = None,
        reason: str = "",
    ) -> Lease:
        """Return the lease as soon as the caller has it. Raises TimedOut after `timeout` seconds, Cycle, InvalidKey."""
        return self._wait([key], timeout, ttl=ttl, mode=mode, kind=kind, reason=reason)[0]

    @waiting
    def wait_all(
        self,
        keys: Sequence[str],
        *,
        timeout: float = 300.0,
        ttl: float = rules.TTL_SECONDS,
        mode: LeaseMode = "exclusive",
        kind: LeaseKind | None = None,
        reason: str = "",
    ) -> Held:
        """Return all these leases as soon as the caller can have them together. Raises as `wait` does."""
        return self._wait(keys, timeout, ttl=ttl, mode=mode, kind=kind, reason=reason)

    @query
    def who(self, key: str, *, kind: LeaseKind | None = None) -> Held:
        """Return every live lease that touches a path, glob or name."""
        return tuple(book.touching(self.tx, *rules.parse(key, kind)))

    @query
    def check(self, files: Sequence[str], *, worktree: str = "") -> Held:
        """Return the leases of others that forbid the caller to edit these files; nothing is taken."""
        return tuple(book.forbidding(self.tx, self._edits(files, worktree, rules.EDIT_SECONDS)))

    @query
    def in_worktree(self, worktree: str = "") -> Held:
        """Return the paths that others hold in a worktree: while there are any, no command may rewrite it."""
        worktree = worktree or self._worktree()
        return tuple(
            lease
            for lease in book.every(self.tx)
            if lease.kind == "path"
            and lease.session != self.tx.me.session
            and (not lease.implicit or lease.worktree == worktree)
            and not book.is_gone(self.tx, lease.session)
        )

    @query
    def queue(self) -> tuple[Waiter, ...]:
        """Return everybody who waits for a lease, those who asked first in front."""
        return tuple(book.waiters(self.tx))

    @query
    def verify(self, key: str, token: int, *, kind: LeaseKind | None = None) -> Lease:
        """Return the live lease behind a fencing token, if it covers `key` or a part of it.

        Raises StaleToken, and EpochChanged for a token from before a restore: what was to be done with it must not be.
        """
        lease = book.by_token(self.tx, token)
        if lease is not None and lease in book.touching(self.tx, *rules.parse(key, kind)):
            return lease
        raise StaleToken(
            f"token {token} for {key!r} is over; nothing was changed",
            hint="acquire the lease again and use its token",
            key=key,
            token=token,
        )

    @verb
    def violated(self, files: Sequence[str], *, how: str, worktree: str = "", digest: str = "") -> Held:
        """Record that the caller changed files that others hold; return their leases, so that both can be told."""
        check_display(how, what="description")
        broken: dict[int, Lease] = {}
        for wish in self._edits(files, worktree, rules.EDIT_SECONDS):
            for lease in book.forbidding(self.tx, [wish]):
                data = {"token": lease.token, "holder": lease.agent, "how": how, "digest": digest}
                self.tx.record("lease.violated", f"path:{wish.key}", data)
                broken[lease.token] = lease
        return tuple(broken.values())

    @query
    def list(self, *, kind: LeaseKind | None = None, mine: bool = False) -> Held:
        """Return the live leases in the order they were granted: all, of one kind, or the caller's.

        What the session of a process that is gone still has in the store is nobody's any more.
        """
        me = self.tx.me.session
        wanted = [
            lease for lease in book.every(self.tx) if kind in (None, lease.kind) and (not mine or lease.session == me)
        ]
        living = {session: self._lives(session) for session in {lease.session for lease in wanted}}
        return tuple(lease for lease in wanted if living[lease.session])

    def release_session(self, session: str, *, end: LeaseEnd = "orphaned") -> Held:
        """Free everything that a session holds and waits for: it is over."""
        for waiter in self.tx.all(Waiter, "leases.waits"):
            if waiter.session == session:
                places.drop(self.tx, waiter, "left")
        return tuple(book.end(self.tx, lease, end) for lease in book.held_by(self.tx, session))

    def keep(self, session: str) -> int:
        """Renew the explicit leases of a session that shows life; return how many. Never part of the log."""
        return self.tx.run("leases.keep", session=session, now=self.tx.now)

    def waited_for(self, session: str) -> tuple[tuple[Lease, Waiter], ...]:
        """Return what a session holds that somebody waits for."""
        waiters = [waiter for waiter in book.waiters(self.tx) if waiter.session != session]
        held = book.held_by(self.tx, session) if waiters else []
        return tuple((lease, waiter) for lease in held for waiter in waiters if book.wants(waiter, lease))

    def ready(self) -> tuple[Ticket, ...]:
        """Return the caller's tickets whose turn it is."""
        mine = [waiter for waiter in book.waiters(self.tx) if waiter.session == self.tx.me.session]
        return tuple(ticket for ticket in (places.ticket(self.tx, waiter) for waiter in mine) if ticket.ready)

    def tidy(self) -> int:
        """End what ran out, tell the log and the queue, purge what ended long ago; return how many were ended."""
        overdue = self.overdue()
        for lease in overdue:
            self.run_out(lease)
        self.tidy_queue()
        return len(overdue)

    def overdue(self) -> Sequence[Lease]:
        """Return leases that ran out, and that nobody ended yet."""
        oldest = self.tx.store_epoch << TOKEN_BITS
        return self.tx.all(Lease, "leases.overdue", now=self.tx.now, oldest_token=oldest, limit=TIDIED_MAX)

    def run_out(self, lease: Lease) -> None:
        """End a lease that ran out, and tell the log and the queue."""
        book.end(self.tx, lease, book.cause(self.tx, lease))

    def tidy_queue(self) -> None:
        """Drop who waited too long, and purge what ended long ago."""
        for waiter in self.tx.all(Waiter, "leases.waits"):
            if waiter.expires_at <= self.tx.now:
                places.drop(self.tx, waiter, "lapsed")
        kept = self.tx.config.retention.leases
        if kept != "forever":
            self.tx.run("leases.purge", before=self.tx.now - round(kept * DAY * 1000), limit=TIDIED_MAX)

    def _wait(self, keys: Sequence[str], timeout: float, **wish: Any) -> Held:
        check_duration(timeout, what="timeout", most=DAY)
        leases = Leases[Sync](self._caller)
        return waits.until_granted(leases, partial(leases.stand, keys, **wish), timeout, self._caller.idle)

    def _edits(self, files: Sequence[str], worktree: str, ttl: float) -> tuple[Wish, ...]:
        worktree = worktree or self._worktree()
        ttl_ms = check_ttl(ttl)
        keys = dict.fromkeys(paths.of_file(file) for file in _several(files))
        return tuple(Wish(kind="path", key=key, implicit=True, worktree=worktree, ttl_ms=ttl_ms) for key in keys)

    def _lives(self, session: str) -> bool:
        found = self.tx.one(Session, "sessions.get", id=session)
        return found is not None and Sessions[Sync](self._caller).lives(found)

    def _worktree(self) -> str:
        session = self.tx.one(Session, "sessions.get", id=self.tx.me.session)
        return session.worktree if session else ""

    def _revoked(self, lease: Lease, reason: str) -> Lease:
        bell = self.tx.value("sessions.bell_of", agent=lease.agent)
        if bell:
            self.tx.ring(bell)
        return book.end(self.tx, lease, "revoked", reason=reason)


def _wishes(keys: Sequence[str], ttl: float, mode: LeaseMode, kind: LeaseKind | None, reason: str) -> tuple[Wish, ...]:
    if mode not in ("exclusive", "shared"):
        raise InvalidInput(f"{mode!r} is no mode of a lease", hint="use exclusive or shared")
    ttl_ms = check_ttl(ttl)
    if reason:
        check_display(reason, what="reason")
    named = dict.fromkeys(rules.parse(key, kind) for key in _several(keys))
    return tuple(Wish(kind=kind, key=key, mode=mode, ttl_ms=ttl_ms, reason=reason) for kind, key in named)


def _several(keys: Sequence[str]) -> Sequence[str]:
    if isinstance(keys, (str, bytes)) or not 1 <= len(keys) <= rules.KEYS_MAX:
        raise BatchTooLarge(f"give a list of 1 to {rules.KEYS_MAX} keys", hint="split the call, or lease a folder")
    return keys

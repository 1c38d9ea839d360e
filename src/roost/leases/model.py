"""A lease: the right of one session to something until a time, with a token that fences what comes after."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

LeaseKind = Literal["path", "resource", "role", "endpoint", "task"]
LeaseMode = Literal["exclusive", "shared"]
LeaseEnd = Literal["", "released", "expired", "revoked", "orphaned", "restored"]
"""Why a lease is over; `orphaned`: its session ended, `restored`: an older state of the store was put back."""

TOKEN_BITS = 40
"""A fencing token is `store epoch << 40 | n`; n counts all grants of the project, so tokens grow for every key."""


class Claim(Protocol):
    """What is wanted or held: all that decides whether two of them can stand side by side."""

    @property
    def kind(self) -> LeaseKind: ...
    @property
    def key(self) -> str: ...
    @property
    def mode(self) -> LeaseMode: ...
    @property
    def implicit(self) -> bool: ...
    @property
    def worktree(self) -> str: ...


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a session asks for; `worktree` is set for implicit ones alone."""

    kind: LeaseKind
    key: str
    mode: LeaseMode = "exclusive"
    implicit: bool = False
    worktree: str = ""
    ttl_ms: int
    reason: str = ""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One grant, live or over; times are milliseconds on the store clock.

    An implicit lease comes from an edit: it counts in its worktree only, and each edit renews it. `held` counts the
    nested acquires of one session; `holder` is the agent's name.
    """

    token: int
    kind: LeaseKind
    key: str
    mode: LeaseMode = "exclusive"
    implicit: bool = False
    worktree: str = ""
    agent: str
    session: str
    holder: str = ""
    reason: str = ""
    ttl_ms: int
    held: int = 1
    granted_at: int
    expires_at: int
    ended_at: int | None = None
    end: LeaseEnd = ""


class Waiter(msgspec.Struct, frozen=True, kw_only=True):
    """One session's place in the queue; all its wishes are granted together, or none. It lapses at `expires_at`."""

    ticket: int
    agent: str
    session: str
    waiter: str = ""
    bell: str | None = ""
    wishes: tuple[Wish, ...]
    patience_ms: int
    asked_at: int
    expires_at: int


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """How a wait stands: `ready` means that `claim` would be granted now.

    `held_by` names who holds, `behind` who waits in front; both may change only with a commit, or after
    `look_again_seconds`. The place is lost in `lapses_in_seconds` unless its owner claims before.
    """

    number: int
    keys: tuple[str, ...]
    ready: bool
    held_by: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    lapses_in_seconds: float
    look_again_seconds: float


class Granted(msgspec.Struct, frozen=True):
    """The wish may be granted; `renews` is the session's own lease that it only makes longer."""

    renews: Lease | None = None


class Refused(msgspec.Struct, frozen=True):
    """Others stand in the way: those who hold, and those who asked earlier and still wait."""

    holders: tuple[Lease, ...]
    ahead: tuple[Waiter, ...] = ()

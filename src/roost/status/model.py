"""What a person sees at one look: what changed since the last one, who is there, what is held and what waits."""

from __future__ import annotations

import msgspec

from roost.duties.model import Failing, Overdue
from roost.leases.model import Lease
from roost.sessions.model import Activity, Moment


class EndedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is over, with its cause; `back`: its agent has a new one. `at` is on the store clock,
    milliseconds."""

    agent: str
    session: str
    client: str = ""
    reason: str = ""
    at: int
    back: bool = False


class FreedLease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that its holder did not give back itself: expired, orphaned, revoked or restored; `what` is
    `path:src/a.py`."""

    what: str
    agent: str
    why: str
    at: int


class RefusedEdit(msgspec.Struct, frozen=True, kw_only=True):
    """An edit of `files`, or a command that rewrites a worktree, that was refused because others hold a path."""

    agent: str
    files: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    at: int


class LostMail(msgspec.Struct, frozen=True, kw_only=True):
    """A message that did not reach a recipient: dead, expired or cancelled, and why."""

    number: int
    sender: str
    recipient: str
    state: str
    reason: str
    at: int


class Stranded(msgspec.Struct, frozen=True, kw_only=True):
    """Mail that waits for an agent without a live session: `since` its last one ended, 0 if it never had one."""

    agent: str
    waiting: int
    since: int = 0


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Mail that is held: all of it (`agent` is ''), or one agent's; since when on the store clock, by whom, and why."""

    agent: str = ""
    at: int
    by: str = ""
    reason: str = ""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What happened after event number `after`, newest first; `more` counts what a list left out."""

    after: int
    ended: tuple[EndedSession, ...] = ()
    lost: tuple[LostMail, ...] = ()
    freed: tuple[FreedLease, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()
    more: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One agent: what it does, how much mail waits for it, and how many leases it holds."""

    activity: Activity
    kind: str
    waiting: int = 0
    leases: int = 0


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """How much mail of one band of priorities is on its way."""

    priority: str
    held: int = 0
    pending: int = 0
    offered: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a project. Give `seq` to `looked` once it was shown."""

    project: str
    me: str
    seq: int
    clock: Moment
    durability: str
    paused: bool
    changes: Changes
    pauses: tuple[Pause, ...] = ()
    stranded: tuple[Stranded, ...] = ()
    dead: int = 0
    overdue: Overdue | None = None
    failing: tuple[Failing, ...] = ()
    agents: tuple[Line, ...] = ()
    leases: tuple[Lease, ...] = ()
    queue: tuple[Depth, ...] = ()


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From stored to delivered by one rung, in milliseconds, over the newest deliveries."""

    rung: str
    count: int
    p50_ms: int
    p95_ms: int
    max_ms: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the whole project, and how long mail took to arrive."""

    deliveries: dict[str, int] = {}
    queue: tuple[Depth, ...] = ()
    latency: tuple[Latency, ...] = ()
    sessions: int = 0
    briefings: int = 0
    compactions: int = 0
    wakes: int = 0
    refused_edits: int = 0
    violated_leases: int = 0
    reminders: int = 0
    lease_waits: int = 0
    lease_wait_oldest_seconds: float = 0.0
    events: dict[str, int] = {}

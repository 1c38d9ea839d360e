"""A session: one live run of an agent, and the caller that it makes."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from roost.agents.model import Kind

State = Literal["starting", "idle", "busy", "waiting", "paused", "exhausted", "stalled", "offline", "retired"]
Mark = Literal["", "producing", "tool", "waiting", "idle"]


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of one boot of one host: a pid alone names nobody, because pids are used again."""

    host: str
    boot_id: str
    pid: int
    started: int
    """Kernel start time in clock ticks after boot (proc(5), field 22)."""


class Host(Protocol):
    """Facts about processes, as seen from here."""

    def alive(self, process: Process) -> bool | None:
        """Return whether the process lives; None where that cannot be seen."""
        ...

    def process(self, pid: int) -> Process | None:
        """Return the process that has this pid now."""
        ...

    def beat(self, bell: str) -> Beat | None:
        """Return the newest sign of life that a session's hook left, or None where there is none."""
        ...


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life that is cheaper than a transaction: how old it is, and what the agent did."""

    age_seconds: float
    mark: Mark


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One live run of an agent.

    `epoch` fences: it grows with a new process or a takeover. `context` grows at start, clear, compaction and resume:
    it names what the model can still see. `beat_at` is the last sign of life that reached the store; hooks beat into
    files in between.
    """

    id: str
    agent: str
    epoch: int
    context: int = 1
    client: str
    client_session: str = ""
    bell: str
    key_hash: bytes = b""
    process: Process | None = None
    worktree: str = ""
    transcript: str = ""
    transcript_offset: int = 0
    state: State = "starting"
    mark: Mark = ""
    operation: str = ""
    since: int = 0
    activity_count: int = 0
    ttl_ms: int = 120_000
    wakes: tuple[int, ...] = ()
    stops: int = 0
    started_at: int
    beat_at: int
    ended_at: int | None = None
    end_reason: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach a session, and when it last worked."""

    session: str
    kind: str
    address: str = ""
    ready_at: int
    worked_at: int | None = None
    failed_at: int | None = None
    last_error: str = ""


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: proved before the verb begins, never given as an argument."""

    agent: str
    name: str
    kind: Kind | Literal["system"]
    session: str
    epoch: int
    key_version: int = 1


SYSTEM = Me(agent="", name="roost", kind="system", session="", epoch=0)
"""Roost itself: duties, and the hook before it knows whose turn it is."""


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is doing: `since` on the store clock in milliseconds, `silent_seconds` since its last sign of
    life. Offline is it since its session ended, or where its process is gone, since its last sign; 0 if it never was
    here."""

    agent: str
    state: State
    mark: Mark = ""
    operation: str = ""
    since: int = 0
    silent_seconds: float = 0.0
    activity_count: int = 0
    client: str = ""
    session: str = ""


class Moment(msgspec.Struct, frozen=True):
    """The store's two clocks at one moment, in milliseconds: what takes times of the one to the other."""

    now: int
    wall: int

"""The log: one line for every change of state, in one gap-free sequence per project; and what is read out of it."""

from __future__ import annotations

from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state; `at` is on the store clock, `wall` for people, both in milliseconds.

    `object` is what changed, `actor` the agent who did it ('' for Roost itself), both as ids; `name` is the actor's
    name now. Reading goes on behind this event from `cursor`.
    """

    seq: int
    at: int
    wall: int
    kind: str
    actor: str
    name: str = ""
    session: str
    object: str
    data: dict[str, Any] = {}
    hash: bytes = b""
    cursor: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it is stored: what its hash covers is this, `data` as text."""

    seq: int
    at: int
    wall: int
    kind: str
    actor: str
    session: str
    object: str
    data: str
    hash: bytes


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the log. `cursor` is where to go on, also when no event fitted; `more` says that there is more
    already.
    """

    events: tuple[Event, ...]
    cursor: str
    more: bool = False


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log is now; `first` is the oldest event that is still here."""

    project: str
    epoch: int
    first: int
    seq: int
    hash: bytes
    cursor: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with the log, and where; `seq` 0 where it is no single event."""

    seq: int
    what: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What verification found: good only without problems. `first` and `last` are what was checked."""

    first: int
    last: int
    events: int
    messages: int
    problems: tuple[Problem, ...] = ()
    more_problems: int = 0

    @property
    def good(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.problems


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the log that was copied to an archive and may be cut: its range, its last hash, the archive's name and
    SHA-256.

    `state` is what the log had come to at `last` (a `Moment` as JSON), from which later states are reckoned.
    """

    first: int
    last: int
    head: bytes
    archive: str
    archive_hash: str
    state: str = ""


class ArchiveRow(msgspec.Struct, frozen=True, kw_only=True):
    """An archive of rows: its number, its kind, the file's name and SHA-256, and how many lines it has."""

    n: int
    kind: str
    archive: str
    archive_hash: str
    lines: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What left the store of one kind, or would leave it: how many things (for messages: threads), into which files.

    `stays` says how many older ones stay and why; `more` that a further call has more to do.
    """

    kind: str
    count: int = 0
    files: tuple[str, ...] = ()
    stays: dict[str, int] = {}
    more: bool = False


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """What one round of retention did, kind by kind; with `dry_run` what it would do."""

    kinds: tuple[Left, ...]
    dry_run: bool = False


class SessionThen(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was live."""

    id: str
    agent: str
    epoch: int
    context: int = 1
    client: str = ""
    since: int


class LeaseThen(msgspec.Struct, frozen=True, kw_only=True):
    """A lease whose end was not in the log yet; renewals are no events, so how long it was good for is not known."""

    token: int
    what: str
    agent: str
    mode: str
    since: int


class DeliveryThen(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that was not done, or dead; `session` is set while it was offered to one."""

    message: str
    number: int
    recipient: str
    state: str
    session: str = ""
    requires_ack: bool = False
    since: int


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a project after event `seq`, read out of its log. Agents are named as they were called then.

    `since` in each part is the store clock of the event that brought it there. `done` counts the deliveries that had
    arrived, expired or been cancelled.
    """

    seq: int
    at: int
    wall: int
    agents: dict[str, str] = {}
    sessions: tuple[SessionThen, ...] = ()
    leases: tuple[LeaseThen, ...] = ()
    deliveries: tuple[DeliveryThen, ...] = ()
    done: int = 0

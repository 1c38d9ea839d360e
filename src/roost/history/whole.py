"""What reads the whole log: verification, and the state at a moment. Short reads, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from roost.errors import Archived, Forbidden, InvalidInput, WrongState
from roost.history.model import Head, Line, Moment, Problem, Seal, Verdict
from roost.history.moments import Fold
from roost.history.rules import HASH_BYTES, breaks, told_hash
from roost.limits import check_number

if TYPE_CHECKING:
    from roost.history.service import History
    from roost.stores.base import Tx
    from roost.verbs import Sync

CHUNK = 2_000
"""Rows of one transaction: short reads let the WAL begin again."""
PROBLEMS_MAX = 20
RESTARTS_MAX = 3


class StoredBody(msgspec.Struct, frozen=True):
    """A message's body, its hash behind its salt, and what the event of its sending says: which message, which hash."""

    id: str
    number: int
    seq: int
    body: str
    body_hash: bytes
    object: str
    told: str


class Vanished(msgspec.Struct, frozen=True):
    """A message that the log saw and that is not here."""

    seq: int
    id: str


def verify(history: History[Sync]) -> Verdict:
    """Recompute everything from the oldest event that is here to the last. Raises WrongState if the log is cut
    meanwhile.
    """
    for _ in range(RESTARTS_MAX):
        head = history.head()
        verdict = _verified(history, head)
        if history.head().first == head.first:
            return verdict
    raise WrongState("the log was cut while it was verified", hint="verify again")


def state_at(history: History[Sync], seq: int | None, wall: int | None) -> Moment:
    """Fold the log up to event `seq`, and not beyond the wall time."""
    head = history.head()
    last = head.seq if seq is None else check_number(seq, what="seq")
    if wall is not None:
        check_number(wall, what="wall")
    if last > head.seq:
        raise InvalidInput(f"there is no event {last} yet", hint=f"the last one is {head.seq}")
    if last < head.first - 1:
        raise archived(head.first)
    start = history.sealed_state(head.first - 1)
    if wall is not None and start.seq and wall < start.wall:
        raise archived(head.first)
    fold = Fold(start)
    for line in _between(history, head.first - 1, last):
        if wall is not None and line.wall > wall:
            break
        fold.add(line)
    return fold.moment()


def archived(first: int) -> Archived:
    """Return the error for events that were cut."""
    return Archived(
        f"the events before {first} were cut",
        hint="they lie in .roost/archives; begin with no cursor for what is here",
        first=first,
    )


def refuse_agents(tx: Tx) -> None:
    """Raise Forbidden unless the project's person or Roost itself calls."""
    if tx.me.kind not in ("human", "system"):
        raise Forbidden("an agent may not seal or cut the log", hint="ask the project's person")


def facts(seal: Seal) -> dict[str, str | int]:
    """Return what the event of a seal says of it."""
    return {
        "first": seal.first,
        "last": seal.last,
        "head": seal.head.hex(),
        "archive": seal.archive,
        "archive_hash": seal.archive_hash,
        "state": hashlib.sha256(seal.state.encode()).hexdigest(),
    }


def body_problems(body: StoredBody, first: int) -> Iterator[Problem]:
    """Yield what is wrong with a stored message; `first` is the oldest event that is here."""
    salt, hashed = body.body_hash[:-HASH_BYTES], body.body_hash[-HASH_BYTES:]
    if hashlib.sha256(salt + body.body.encode()).digest() != hashed:
        yield Problem(seq=body.seq, what=f"the body of message m{body.number} was edited")
    elif body.seq >= first and (body.object, body.told) != (body.id, told_hash(body.body_hash)):
        yield Problem(seq=body.seq, what=f"message m{body.number} is not the one that event {body.seq} tells of")


def _verified(history: History[Sync], head: Head) -> Verdict:
    before = head.first - 1
    problems = list(history.seal_problems(before))
    events = _Counted(_between(history, before, head.seq))
    start = None if problems else history.sealed_head(before)
    problems += breaks(head.project, before, start, events)
    if events.last is None or (events.last.seq, events.last.hash) != (head.seq, head.hash):
        problems += _wrong_end(events.last.seq if events.last else before, head)
    for after in range(before, head.seq, CHUNK):
        problems += history.vanished(after, min(after + CHUNK, head.seq))
    messages, wrong = _verified_bodies(history)
    problems += wrong
    return Verdict(
        first=head.first,
        last=head.seq,
        events=events.count,
        messages=messages,
        problems=tuple(problems[:PROBLEMS_MAX]),
        more_problems=max(0, len(problems) - PROBLEMS_MAX),
    )


def _wrong_end(last: int, head: Head) -> Iterator[Problem]:
    if last < head.seq:
        yield Problem(seq=last + 1, what=f"the log ends with event {last}, and should end with {head.seq}")
    elif head.seq:
        yield Problem(seq=last, what=f"event {last} is not the one that the project's head names")


def _verified_bodies(history: History[Sync]) -> tuple[int, list[Problem]]:
    count, number, problems = 0, 0, list[Problem]()
    while True:
        number, looked_at, wrong = history.wrong_bodies(number)
        count += looked_at
        problems += wrong
        if not looked_at:
            return count, problems


def _between(history: History[Sync], after: int, last: int) -> Iterator[Line]:
    while after < last:
        chunk = history.lines(after)
        if not chunk:
            return
        yield from (line for line in chunk if line.seq <= last)
        after = chunk[-1].seq


class _Counted:
    """Passes lines on, and remembers how many and the last one."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.count = 0
        self.last: Line | None = None

    def __iter__(self) -> Iterator[Line]:
        for line in self._lines:
            yield line
            self.count, self.last = self.count + 1, line

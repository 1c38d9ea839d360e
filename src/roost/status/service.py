"""Status: what changed since somebody last looked, and how things stand."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roost.agents.service import Agents
from roost.duties.service import Duties
from roost.errors import InvalidInput
from roost.leases.model import Lease
from roost.leases.service import Leases
from roost.limits import check_number
from roost.priorities import NAMES, priority_word
from roost.sessions.model import Moment, Session
from roost.sessions.service import Sessions
from roost.status.model import (
    Changes,
    Depth,
    EndedSession,
    FreedLease,
    Latency,
    Line,
    LostMail,
    Metrics,
    Pause,
    RefusedEdit,
    Status,
    Stranded,
)
from roost.status.rules import latencies
from roost.verbs import M, Service, Sync, long_query, verb

CHANGES_MAX = 50
"""Lines of each list of changes."""
ARRIVALS_MAX = 10_000
"""How many of the newest deliveries the times to delivery are taken from."""
_KINDS = (
    "session.ended",
    "lease.expired",
    "lease.orphaned",
    "lease.revoked",
    "lease.restored",
    "edit.refused",
    "delivery.dead",
    "delivery.expired",
)


class Statuses(Service[M]):
    """One look at the whole project, and the counts behind it."""

    @long_query
    def report(self, *, after: int | None = None) -> Status:
        """Return how things stand, and what changed after event `after`, or since the caller last looked.

        Looking is not noted by itself: give the answer's `seq` to `looked` once it was shown.
        """
        me = self.tx.me
        since = (
            int(self.tx.value("status.looked", agent=me.agent) or 0)
            if after is None
            else check_number(after, what="after")
        )
        leases, duties = Leases[Sync](self._caller).list(), Duties[Sync](self._caller)
        waiting = self.tx.all(_Waiting, "status.waiting")
        lines = self._lines({one.id: one.count for one in waiting}, leases)
        offline = {line.activity.agent for line in lines if line.activity.state == "offline"}
        return Status(
            project=str(self.tx.value("status.project_name")),
            me=me.name,
            seq=self.tx.seq,
            clock=Moment(self.tx.now, self.tx.wall),
            durability="D2" if self.tx.config.synchronous == "FULL" else "D1",
            paused=bool(self.tx.value("messages.paused")),
            changes=self._changes(since),
            pauses=tuple(self.tx.all(Pause, "status.pauses")),
            stranded=tuple(self._stranded(one) for one in waiting if one.retired or one.name in offline),
            dead=self.tx.value("status.count_dead"),
            overdue=duties.oldest_overdue(),
            failing=duties.failing(),
            agents=lines,
            leases=leases,
            queue=self._queue(),
        )

    @verb
    def looked(self, seq: int) -> int:
        """Remember that the caller saw everything up to event `seq`; return it. A look never goes back."""
        if check_number(seq, what="seq") > self.tx.seq:
            raise InvalidInput(f"seq = {seq!r} is no event of this project", hint="give the `seq` of a report")
        self.tx.run("status.put_looked", agent=self.tx.me.agent, seq=seq)
        return int(self.tx.value("status.looked", agent=self.tx.me.agent))

    @long_query
    def metrics(self) -> Metrics:
        """Return the project's counts, and how long mail took to arrive by each rung."""
        events = {row.name: row.count for row in self.tx.all(_Count, "status.events")}
        started, contexts = events.get("session.started", 0), events.get("session.context", 0)
        return Metrics(
            deliveries={row.name: row.count for row in self.tx.all(_Count, "status.deliveries")},
            queue=self._queue(),
            latency=self._latency(),
            sessions=started,
            briefings=started + contexts,  # each new context begins with one
            compactions=self.tx.value("status.compactions"),
            wakes=events.get("session.woken", 0),
            refused_edits=events.get("edit.refused", 0),
            violated_leases=events.get("lease.violated", 0),
            reminders=events.get("delivery.reminded", 0),
            lease_waits=(waits := self.tx.one(_Waits, "status.lease_waits", now=self.tx.now) or _Waits()).count,
            lease_wait_oldest_seconds=waits.oldest_ms / 1000,
            events=events,
        )

    def _changes(self, after: int) -> Changes:
        span = {"after": after, "limit": CHANGES_MAX}
        lists: tuple[tuple[object, ...], ...] = (
            ended := tuple(self.tx.all(EndedSession, "status.ended", span)),
            lost := tuple(self.tx.all(LostMail, "status.lost", span)),
            freed := tuple(self.tx.all(FreedLease, "status.freed", span)),
            refused := tuple(self.tx.all(RefusedEdit, "status.refused", span)),
        )
        full = any(len(one) == CHANGES_MAX for one in lists)
        more = self.tx.value("status.count_after", after=after, kinds=_KINDS) - sum(map(len, lists)) if full else 0
        return Changes(after=after, ended=ended, lost=lost, freed=freed, refused=refused, more=max(0, more))

    def _lines(self, waiting: dict[str, int], leases: Iterable[Lease]) -> tuple[Line, ...]:
        held: dict[str, int] = {}
        for lease in leases:
            held[lease.agent] = held.get(lease.agent, 0) + 1
        agents = {agent.name: agent for agent in Agents[Sync](self._caller).list()}
        return tuple(
            Line(
                activity=activity,
                kind=agents[activity.agent].kind,
                waiting=waiting.get(agents[activity.agent].id, 0),
                leases=held.get(agents[activity.agent].id, 0),
            )
            for activity in Sessions[Sync](self._caller).activity()
        )

    def _stranded(self, waiting: _Waiting) -> Stranded:
        last = self.tx.one(Session, "sessions.last_of", agent=waiting.id)
        since = (last.ended_at or last.beat_at) if last else 0  # a session that died unseen was last seen at its beat
        return Stranded(agent=waiting.name, waiting=waiting.count, since=since)

    def _queue(self) -> tuple[Depth, ...]:
        counts: dict[str, dict[str, int]] = {}
        for row in self.tx.all(_Queued, "status.queue"):
            band = counts.setdefault(priority_word(row.priority), {})
            band[row.state] = band.get(row.state, 0) + row.count
        return tuple(Depth(priority=word, **counts[word]) for word in reversed(NAMES) if word in counts)

    def _latency(self) -> tuple[Latency, ...]:
        found = self.tx.all(_Arrival, "status.arrivals", limit=ARRIVALS_MAX)
        return latencies((row.rung, row.ms) for row in found)


class _Waiting(msgspec.Struct, frozen=True):
    name: str
    id: str
    count: int
    retired: bool


class _Waits(msgspec.Struct, frozen=True):
    count: int = 0
    oldest_ms: int = 0


class _Count(msgspec.Struct, frozen=True):
    name: str
    count: int


class _Queued(msgspec.Struct, frozen=True):
    priority: int
    state: str
    count: int


class _Arrival(msgspec.Struct, frozen=True):
    rung: str
    ms: int

"""Duties: what time brings, done by whoever writes next, and otherwise by whoever waits beside an idle session.

Nothing here decides anything: what has expired is expired whether or not a duty said so. Duties tidy and tell. With no
process alive nothing is done on time; `oldest_overdue` says how far behind they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import msgspec

from roost.agents.model import Agent
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.deliveries.reminders import REMINDERS_MAX, next_step
from roost.duties import due, notices
from roost.duties.model import Failing, Overdue
from roost.duties.trying import LOOKED_AT_MAX, ROWS_MAX, Tell, Trying
from roost.leases.service import Leases
from roost.messages.model import Message
from roost.operations.service import Operations
from roost.sessions.model import SYSTEM, Session
from roost.sessions.rules import GENERATED_RETIRES_AFTER_MS, GONE, SILENT
from roost.turns.ending import end_session
from roost.verbs import M, Service, Sync, query, verb

REAP = "end sessions that live no more"
LET_GO = "let go mail whose time has come"
EXPIRE = "end expired mail"
REMIND = "remind of acknowledgements"
END_LEASES = "end expired leases"
END_OPERATIONS = "end operations whose time passed"
RETIRE = "retire agents that are done"
TELL = "tell senders what did not arrive"

R = TypeVar("R")


class Duties(Service[M]):
    """Work that is due by the clock and that no agent asks for."""

    _trying: Trying

    @verb
    def tick(self) -> None:
        """Do what is due now, as Roost itself; each duty at most ROWS_MAX rows.

        A duty that fails is undone, noted and tried again later, and so is one row of it: neither must refuse the
        others or the call that it rides on. Raises only what leaves nothing of the transaction, like a full disk.
        """
        self.do()

    @query
    def oldest_overdue(self) -> Overdue | None:
        """Return the duty that has been due longest, or None while all are done."""
        found = [self._overdue(row) for row in self.tx.all(_Due, "duties.overdue", now=self.tx.now, wall=self.tx.wall)]
        return max((one for one in found if one), key=lambda one: one.seconds, default=None)

    @query
    def failing(self) -> tuple[Failing, ...]:
        """Return the duties, and rows of duties, that failed when they were last tried, what fails longest first."""
        return tuple(self.tx.all(Failing, "duties.failing"))

    def do(self, tell: Tell = lambda failing, error: None) -> None:
        """Do what `tick` does, and `tell` of a failure, now and then of one that stays."""
        self._trying = Trying(self.tx, tell)
        with self._as_roost():
            self.tx.duties_due = False
            for name, duty in self._duties():
                if self._trying.attempt(name, duty) >= ROWS_MAX:
                    self.tx.duties_due = True  # more is waiting: the next call goes on
        self._trying.tell()

    def _duties(self) -> tuple[tuple[str, Callable[[], int]], ...]:
        return (
            (REAP, self._reap),
            (LET_GO, self._let_go),
            (EXPIRE, self._expire),
            (REMIND, self._remind),
            (END_LEASES, self._end_leases),
            (END_OPERATIONS, self._end_operations),
            (RETIRE, self._retire),
            (TELL, self._tell),  # last, so that it tells what the others ended
        )

    def _reap(self) -> int:
        """End sessions that live no more: their process is gone, or where that cannot be seen, they fell silent."""
        gone = [session for session in due.some_live(self.tx) if not due.is_alive(self.tx, session)]
        self._trying.each(REAP, gone, _id, self._end)
        return 0

    def _end(self, session: Session) -> int:
        end_session(Service[Sync](self._caller), session, self._cause(session))
        return 1

    def _let_go(self) -> int:
        """Let go held mail whose time has come."""
        recipients = self.tx.all(_Id, "duties.lifting", wall=self.tx.wall, limit=LOOKED_AT_MAX)
        return self._trying.each(LET_GO, recipients, _id, self._release)

    def _release(self, recipient: _Id) -> int:
        Ledger(self.tx).release(recipient.id)
        return 1

    def _expire(self) -> int:
        """End mail whose time passed. All of one message together, so that its sender hears of it once."""
        messages = self.tx.all(_Id, "duties.expiring", wall=self.tx.wall, limit=LOOKED_AT_MAX)
        return self._trying.each(EXPIRE, messages, _id, self._expire_all)

    def _expire_all(self, message: _Id) -> int:
        deliveries = self.tx.all(Delivery, "deliveries.of_message", message=message.id)
        return sum(Ledger(self.tx).expire_if_due(delivery) for delivery in deliveries)

    def _remind(self) -> int:
        """Remind of acknowledgements that are owed, three times; then tell the sender, once."""
        owed = self.tx.all(Delivery, "deliveries.reminding", now=self.tx.now, limit=LOOKED_AT_MAX)
        return self._trying.each(REMIND, owed, lambda one: f"m{one.number} for {one.recipient}", self._remind_of)

    def _remind_of(self, delivery: Delivery) -> int:
        done = delivery.reminders + 1
        after = next_step(last_at=self.tx.now, done=done)
        Ledger(self.tx).remind(delivery, done=done, next_at=after.at if after else None, ring=done <= REMINDERS_MAX)
        if done > REMINDERS_MAX:
            message = self.tx.one(Message, "messages.get", id=delivery.message)
            assert message is not None
            notices.tell_unacknowledged(self.tx, message, delivery)
        return 1

    def _end_leases(self) -> int:
        leases = Leases[Sync](self._caller)
        done = self._trying.each(END_LEASES, leases.overdue(), lambda one: str(one.token), _once(leases.run_out))
        leases.tidy_queue()
        return done

    def _end_operations(self) -> int:
        operations = Operations[Sync](self._caller)
        return self._trying.each(END_OPERATIONS, operations.overdue(), _id, _once(operations.run_out))

    def _retire(self) -> int:
        """Retire agents that Roost named, after a day without session, mail or lease."""
        before = self.tx.now - GENERATED_RETIRES_AFTER_MS
        idle = self.tx.all(Agent, "duties.retiring", before=before, limit=LOOKED_AT_MAX)
        return self._trying.each(RETIRE, idle, _id, self._retire_one)

    def _retire_one(self, agent: Agent) -> int:
        self.tx.run("agents.update", msgspec.structs.replace(agent, retired_at=self.tx.now))
        self.tx.record("agent.retired", agent.id, {"name": agent.name, "why": "nothing of it is left to do"})
        return 1

    def _tell(self) -> int:
        """Tell senders what became of mail that did not arrive."""
        messages = self.tx.all(_Id, "duties.untold", limit=LOOKED_AT_MAX)
        return self._trying.each(TELL, messages, _id, self._tell_of)

    def _tell_of(self, row: _Id) -> int:
        message = self.tx.one(Message, "messages.get", id=row.id)
        if message is not None:
            notices.tell_ends(self.tx, message)
        return 1

    @contextlib.contextmanager
    def _as_roost(self) -> Iterator[None]:
        """Let the log name Roost, and not the caller whose transaction this is."""
        me, self.tx.me = self.tx.me, SYSTEM
        try:
            yield
        finally:
            self.tx.me = me

    def _cause(self, session: Session) -> str:
        if session.process is not None and self.tx.host.alive(session.process) is False:
            return GONE
        return f"{SILENT} for {(self.tx.now - session.beat_at) / 1000:.0f} s"

    def _overdue(self, row: _Due) -> Overdue | None:
        if row.wall is None and row.at is None:
            return None
        late = self.tx.wall - row.wall if row.wall is not None else self.tx.now - (row.at or 0)
        return Overdue(duty=row.duty, seconds=max(0, late) / 1000)


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def _id(row: _Named) -> str:
    return row.id


def _once(do: Callable[[R], None]) -> Callable[[R], int]:
    def done(row: R) -> int:
        do(row)
        return 1

    return done


class _Due(msgspec.Struct, frozen=True):
    duty: str
    wall: int | None
    at: int | None

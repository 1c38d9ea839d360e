"""Duties: what time brings, done by whoever writes next, and otherwise by whoever waits beside an idle session.

Nothing here decides anything: what has expired is expired whether or not a duty said so. Duties tidy and tell. With no
process alive nothing is done on time; `oldest_overdue` says how far behind they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec

from roost.agents.model import Agent
from roost.deliveries.ledger import Ledger
from roost.deliveries.model import Delivery
from roost.deliveries.reminders import REMINDERS_MAX, next_step
from roost.duties import due, notices, rules
from roost.duties.model import Failing, Overdue
from roost.leases.service import Leases
from roost.messages.model import Message
from roost.operations.service import Operations
from roost.sessions.model import SYSTEM, Session
from roost.sessions.rules import GENERATED_RETIRES_AFTER_MS, GONE, SILENT
from roost.turns.ending import end_session
from roost.verbs import M, Service, Sync, query, verb

Tell = Callable[[Failing, Exception], None]
"""Hears of a duty that failed, and of its error."""

ROWS_MAX = 50
"""Rows that one duty takes up at a time, so that the call it rides on does not wait for it; the rest follows."""


class Duties(Service[M]):
    """Work that is due by the clock and that no agent asks for."""

    @verb
    def tick(self) -> None:
        """Do what is due now, as Roost itself; each duty at most ROWS_MAX rows.

        A duty that fails is undone, noted and tried again later: it must refuse neither the others nor the call that
        it rides on. Raises only what leaves nothing of the transaction, like a full disk.
        """
        self.do()

    @query
    def oldest_overdue(self) -> Overdue | None:
        """Return the duty that has been due longest, or None while all are done."""
        found = [self._overdue(row) for row in self.tx.all(_Due, "duties.overdue", now=self.tx.now, wall=self.tx.wall)]
        return max((one for one in found if one), key=lambda one: one.seconds, default=None)

    @query
    def failing(self) -> tuple[Failing, ...]:
        """Return the duties that failed when they were last tried, the one that fails longest first."""
        return tuple(self.tx.all(Failing, "duties.failing"))

    # --- inside a transaction only ------------------------------------------------------------------------------------

    def do(self, tell: Tell = lambda failing, error: None) -> None:
        """Do what `tick` does, and `tell` of a failure, now and then of one that stays."""
        failing = {one.duty: one for one in self.tx.all(Failing, "duties.failing")}
        with self._as_roost():
            self.tx.duties_due = False
            for name, duty in self._duties():
                before = failing.get(name)
                if before is None or before.again_at <= self.tx.now:
                    self._try(name, duty, before, tell)

    def _try(self, name: str, duty: Callable[[], int], before: Failing | None, tell: Tell) -> None:
        try:
            with self.tx.savepoint():
                done = duty()
        except Exception as error:
            if self.tx.is_lost(error):
                raise
            noted = rules.failed(before, name, error, self.tx.now)
            self.tx.run("duties.put_failure", noted)
            if rules.is_told(noted):
                tell(noted, error)
            return
        if before is not None:
            self.tx.run("duties.forget_failure", duty=name)
        if done >= ROWS_MAX:
            self.tx.duties_due = True  # more is waiting: the next call goes on

    # --- the duties, each answering how many rows it took up ----------------------------------------------------------

    def _duties(self) -> tuple[tuple[str, Callable[[], int]], ...]:
        return (
            ("end sessions that live no more", self._reap),
            ("let go mail whose time has come", self._let_go),
            ("end expired mail", self._expire),
            ("remind of acknowledgements", self._remind),
            ("end expired leases", lambda: Leases[Sync](self._caller).tidy()),
            ("end operations whose time passed", lambda: Operations[Sync](self._caller).tidy()),
            ("retire agents that are done", self._retire),
            ("tell senders what did not arrive", self._tell),  # last, so that it tells what the others ended
        )

    def _reap(self) -> int:
        """End sessions that live no more: their process is gone, or where that cannot be seen, they fell silent."""
        for session in due.some_live(self.tx):
            if not due.is_alive(self.tx, session):
                end_session(Service[Sync](self._caller), session, self._cause(session))
        return 0

    def _let_go(self) -> int:
        """Let go held mail whose time has come."""
        recipients = self.tx.all(_Id, "duties.lifting", wall=self.tx.wall, limit=ROWS_MAX)
        for recipient in recipients:
            Ledger(self.tx).release(recipient.id)
        return len(recipients)

    def _expire(self) -> int:
        """End mail whose time passed. All of one message together, so that its sender hears of it once."""
        messages, done = self.tx.all(_Id, "duties.expiring", wall=self.tx.wall, limit=ROWS_MAX), 0
        for message in messages:
            if done >= ROWS_MAX:
                break
            for delivery in self.tx.all(Delivery, "deliveries.of_message", message=message.id):
                done += Ledger(self.tx).expire_if_due(delivery)
        return done

    def _remind(self) -> int:
        """Remind of acknowledgements that are owed, three times; then tell the sender, once."""
        owed = self.tx.all(Delivery, "deliveries.reminding", now=self.tx.now, limit=ROWS_MAX)
        for delivery in owed:
            self._remind_of(delivery)
        return len(owed)

    def _remind_of(self, delivery: Delivery) -> None:
        done = delivery.reminders + 1
        after = next_step(last_at=self.tx.now, done=done)
        Ledger(self.tx).remind(delivery, done=done, next_at=after.at if after else None, ring=done <= REMINDERS_MAX)
        if done > REMINDERS_MAX:
            message = self.tx.one(Message, "messages.get", id=delivery.message)
            assert message is not None
            notices.tell_unacknowledged(self.tx, message, delivery)

    def _retire(self) -> int:
        """Retire agents that Roost named, after a day without session, mail or lease."""
        before = self.tx.now - GENERATED_RETIRES_AFTER_MS
        idle = self.tx.all(Agent, "duties.retiring", before=before, limit=ROWS_MAX)
        for agent in idle:
            self.tx.run("agents.update", msgspec.structs.replace(agent, retired_at=self.tx.now))
            self.tx.record("agent.retired", agent.id, {"name": agent.name, "why": "nothing of it is left to do"})
        return len(idle)

    def _tell(self) -> int:
        """Tell senders what became of mail that did not arrive."""
        messages = self.tx.all(_Id, "duties.untold", limit=ROWS_MAX)
        for row in messages:
            message = self.tx.one(Message, "messages.get", id=row.id)
            if message is not None:
                notices.tell_ends(self.tx, message)
        return len(messages)

    # --- helpers ------------------------------------------------------------------------------------------------------

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


class _Due(msgspec.Struct, frozen=True):
    duty: str
    wall: int | None
    at: int | None

"""Operations: take the input of several agents, tell them something in order and undisturbed, then let others speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.ledger import Ledger
from roost.errors import InvalidInput, LimitReached, TooManyRecipients, UnknownAgent, UnknownOperation, WrongState
from roost.ids import new_id
from roost.limits import check_limit, check_ttl
from roost.messages.model import Draft, Sent
from roost.messages.sending import Sender
from roost.operations import closing, rules
from roost.operations.model import Operation, Progress
from roost.operations.steps import find_operation
from roost.text import check_display
from roost.verbs import M, Service, Sync, query, verb

OVERDUE_MAX = 100
"""Operations tidied in one go."""


class Operations(Service[M]):
    """Exclusive, ordered sequences of messages.

    From its begin to its close nothing else reaches the targets; what others send them is taken, held, and follows in
    order. Where a verb takes an operation's id, '' stands for the only one that the caller's session has open.
    """

    @verb
    def begin(self, targets: Sequence[str], *, title: str = "", ttl: float = rules.TTL_SECONDS) -> Operation:
        """Take the input of all these agents or of none, for at most `ttl` seconds (1 s to 24 h).

        The session that owns an open operation may begin it again, for the same or more targets; each begin then wants
        its own `seal`. Raises OperationOpen with who and how long, UnknownAgent, TooManyRecipients, InvalidTtl.
        """
        return self._begin(self._agents(targets), title=title, ttl=ttl)

    @verb
    def add(
        self,
        operation: str,
        text: str,
        *,
        to: str | Sequence[str] = (),
        subject: str = "",
        type: str = "",
        severity: str = "",
        tags: Sequence[str] = (),
        requires_ack: bool = False,
        idempotency_key: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Sent:
        """Send the next step, to every target or to some of them; steps arrive in the order in which they were added.

        Raises Forbidden to all but the session that began it, WrongState once it is sealed or over, and all of `send`.
        """
        found = self._open(operation)
        return Sender(self.tx).send(
            Draft(
                to=((to,) if isinstance(to, str) else tuple(to)) or self._targets(found),
                text=text,
                subject=subject,
                type=type,
                severity=severity,
                tags=tuple(tags),
                requires_ack=requires_ack,
                idempotency_key=idempotency_key,
                metadata=metadata,
                operation=found.id,
            )
        )

    @verb
    def seal(self, operation: str = "") -> Operation:
        """Say that the operation is complete. It closes by itself when each step arrived, ended, or its time is over.

        From now on it belongs to the store: neither the end of this session nor of every process stops it. The seal of
        a nested begin only goes one level up. Raises Forbidden, WrongState, UnknownOperation.
        """
        return self._seal(self._open(operation))

    @verb
    def run(
        self, targets: Sequence[str], texts: Sequence[str], *, title: str = "", ttl: float = rules.TTL_SECONDS
    ) -> Operation:
        """Begin, add one step for each text and seal, all or nothing. Raises what `begin`, `add` and `seal` raise."""
        if isinstance(texts, str) or not texts:
            raise InvalidInput("an operation needs a list of texts", hint="give one text for each step")
        begun = self._begin(self._agents(targets), title=title, ttl=ttl)
        sender, to = Sender(self.tx), self._targets(begun)
        for text in texts:
            sender.send(Draft(to=to, text=text, operation=begun.id))
        return self._seal(begun)

    @verb
    def abort(self, operation: str = "", *, reason: str = "") -> Operation:
        """End an operation now; steps that have not arrived are cancelled.

        Raises Forbidden unless it is the caller's agent's or the caller is a person, WrongState when it is over.
        """
        found = self._one(operation)
        me = self.tx.me
        rules.check_owner(found, session=me.session, agent=me.agent, kind=me.kind, to="abort")
        if not rules.is_live(found, self.tx.now):
            raise WrongState(f"the operation {rules.over_because(found, self.tx.now)}", hint="nothing was changed")
        why = f": {check_display(reason, what='reason')}" if reason else ""
        closing.abort(Ledger(self.tx), found, f"aborted by {me.name}{why}", tell=found.owner != me.agent)
        return find_operation(self.tx, found.id)

    @query
    def get(self, operation: str = "") -> Progress:
        """Return an operation with how far its deliveries got. Raises UnknownOperation."""
        found = self._one(operation)
        counts = {row.state: row.count for row in self.tx.all(Count, "operations.states", operation=found.id)}
        delivered = counts.get("delivered", 0) + counts.get("acknowledged", 0)
        waiting = sum(counts.get(state, 0) for state in ("held", "pending", "offered"))
        total = sum(counts.values())
        return Progress(
            operation=found,
            deliveries=total,
            delivered=delivered,
            waiting=waiting,
            failed=total - delivered - waiting,
        )

    @query
    def list(self, *, ended: bool = False, limit: int = 100) -> tuple[Operation, ...]:
        """Return the operations that hold somebody's input now, newest first, or (`ended`) those that are over too."""
        return tuple(self.tx.all(Operation, "operations.list", now=self.tx.now, ended=ended, limit=check_limit(limit)))

    def session_ended(self, session: str) -> int:
        """Abort what a session that is over had open; what it sealed goes on. Return how many that were."""
        left = self.tx.all(Operation, "operations.of_session", session=session)
        for operation in left:
            closing.abort(Ledger(self.tx), operation, f"the session of {operation.owner_name} that began it ended")
        return len(left)

    def tidy(self) -> int:
        """End operations whose time passed; they hold nothing since then anyway. Return how many that were."""
        overdue = self.overdue()
        for operation in overdue:
            self.run_out(operation)
        return len(overdue)

    def overdue(self) -> Sequence[Operation]:
        """Return operations whose time passed, and that nobody ended yet."""
        return self.tx.all(Operation, "operations.overdue", now=self.tx.now, limit=OVERDUE_MAX)

    def run_out(self, operation: Operation) -> None:
        """End an operation whose time passed."""
        closing.run_out(Ledger(self.tx), operation)

    def _begin(self, targets: dict[str, Agent], *, title: str, ttl: float) -> Operation:
        until = self.tx.now + check_ttl(ttl)
        about = check_display(title, what="title") if title else ""
        holders = self._holders(targets)
        outer = rules.entered(holders, self.tx.me.session, self.tx.now)
        if outer is None:
            operation = self._new(about, until)
        else:
            operation = outer
            self.tx.run("operations.deepen", id=outer.id, depth=outer.depth + 1, expires_at=until)
        held = self._targets(operation)
        self._take(operation, [agent for agent in targets.values() if agent.id not in held])
        return find_operation(self.tx, operation.id)

    def _new(self, title: str, until: int) -> Operation:
        me = self.tx.me
        if not me.session:
            raise InvalidInput("an operation needs a session that owns it", hint="join first: `roost join NAME`")
        if len(self.tx.all(Operation, "operations.of_session", session=me.session)) >= rules.OPEN_MAX:
            raise LimitReached(f"this session has {rules.OPEN_MAX} operations open", hint="seal or abort one")
        operation = Operation(
            id=new_id(),
            owner=me.agent,
            owner_name=me.name,
            session=me.session,
            title=title,
            opened_at=self.tx.now,
            expires_at=until,
        )
        self.tx.run("operations.insert", operation)
        return operation

    def _take(self, operation: Operation, targets: Sequence[Agent]) -> None:
        """Hold the input of these agents, and back what waits for them."""
        ids = [agent.id for agent in targets]
        names = (*operation.targets, *sorted(agent.name for agent in targets))
        self.tx.run("operations.set_targets", id=operation.id, targets=names)
        self.tx.run_many("operations.put_target", [{"agent": agent, "operation": operation.id} for agent in ids])
        about = {"targets": ids, "title": operation.title, "expires_at": operation.expires_at}
        self.tx.record("operation.begun", operation.id, about)
        ledger = Ledger(self.tx)
        for agent in ids:
            ledger.release(agent)

    def _holders(self, targets: dict[str, Agent]) -> Sequence[Operation]:
        """Return the operations that have one of these targets, after ending those whose time or owner is gone."""
        found: dict[str, Operation] = {}
        for target in targets:
            holder = self.tx.one(Operation, "operations.on_target", agent=target)
            if holder is not None and holder.id not in found and closing.stands(Ledger(self.tx), holder):
                found[holder.id] = holder
        return tuple(found.values())

    def _seal(self, found: Operation) -> Operation:
        now = find_operation(self.tx, found.id)
        if now.depth > 1:
            self.tx.run("operations.deepen", id=now.id, depth=now.depth - 1, expires_at=now.expires_at)
            return find_operation(self.tx, now.id)
        self.tx.run("operations.seal", id=now.id)
        self.tx.record("operation.sealed", now.id, {"steps": now.steps})
        sealed = find_operation(self.tx, now.id)
        closing.close_if_done(Ledger(self.tx), sealed)
        return find_operation(self.tx, now.id)

    def _open(self, operation: str) -> Operation:
        """Return an operation that the caller's session may add to or seal."""
        found = self._one(operation)
        me = self.tx.me
        rules.check_owner(found, session=me.session, agent=me.agent, kind=me.kind, to="seal")
        if found.state != "open" or not rules.is_live(found, self.tx.now):
            raise WrongState(f"the operation {rules.over_because(found, self.tx.now)}", hint="begin a new one")
        return found

    def _one(self, operation: str) -> Operation:
        if operation:
            return find_operation(self.tx, operation)
        mine = self.tx.all(Operation, "operations.of_session", session=self.tx.me.session) if self.tx.me.session else []
        if len(mine) != 1:
            what = "no operation" if not mine else f"{len(mine)} operations"
            raise UnknownOperation(f"this session has {what} open", hint="name one by its id: `roost operation list`")
        return mine[0]

    def _agents(self, names: Sequence[str]) -> dict[str, Agent]:
        """Return the targets by id. Raises UnknownAgent, InvalidInput, TooManyRecipients."""
        if isinstance(names, str) or not names:
            raise InvalidInput("an operation needs a list of targets", hint="name one agent or several")
        most = self.tx.config.limits.recipients_max
        if len(names) > most:
            raise TooManyRecipients(f"{len(names):,} targets are more than {most:,}", hint="begin two operations")
        found = [Agents[Sync](self._caller).get(name) for name in names]
        for agent in found:
            if agent.retired_at is not None:
                raise UnknownAgent(f"{agent.name} is retired", hint="`roost join` under that name brings it back")
        return {agent.id: agent for agent in found}

    def _targets(self, operation: Operation) -> tuple[str, ...]:
        """Return the ids of the targets: names may have changed since the begin."""
        return tuple(row.id for row in self.tx.all(closing.Target, "operations.targets", operation=operation.id))


class Count(msgspec.Struct, frozen=True):
    """How many deliveries are in one state."""

    state: str
    count: int

"""Sessions of agents: who is live, since when, doing what, and how each can be reached."""

from __future__ import annotations

import msgspec

from roost.agents.model import Agent, Kind
from roost.agents.service import Agents
from roost.errors import Conflict, InvalidText, SessionEnded, UnknownSession, WhoAreYou
from roost.ids import new_id
from roost.sessions import rules
from roost.sessions.model import Activity, Endpoint, Mark, Me, Moment, Process, Session, State
from roost.stores.base import Tx
from roost.verbs import M, Service, Sync, query, verb

OPERATION_CHARACTERS_MAX = 200
"""What everybody is told of everybody is short."""

SELF_READING = ("library", "shell", "terminal", "token")
"""Clients without hooks: their sessions ask for their mail."""


class Sessions(Service[M]):
    """Live runs of agents. Starting and ending one belongs to `turns`, which also frees what a session held."""

    @query
    def me(self) -> Me:
        """Return who is calling."""
        return self.tx.me

    @query
    def clock(self) -> Moment:
        """Return the store's clocks: `now` for leases and ages, `wall` for people."""
        return Moment(self.tx.now, self.tx.wall)

    @query
    def get(self, session: str) -> Session:
        """Return one session, live or ended. Raises UnknownSession."""
        return self.known(session)

    @query
    def of(self, agent: str) -> Session | None:
        """Return the agent's live session, or None. Raises UnknownAgent."""
        return self.live(Agents[Sync](self._caller).get(agent).id)

    @query
    def list(self) -> tuple[Session, ...]:
        """Return every session that lives, oldest first."""
        return tuple(session for session in self.tx.all(Session, "sessions.live") if self.lives(session))

    @query
    def endpoints(self, session: str) -> tuple[Endpoint, ...]:
        """Return the ways to reach a session, with when each last worked."""
        return tuple(self.tx.all(Endpoint, "sessions.endpoints", session=session))

    def reads_itself(self, session: str) -> bool:
        """Say whether a session asks for its mail, because no hook brings it. Inside a transaction only."""
        return all(way.kind != "hook" for way in self.tx.all(Endpoint, "sessions.endpoints", session=session))

    @query
    def is_active(self, agent: str) -> bool:
        """Say whether an agent is doing something now: its session lives, and is neither idle nor paused."""
        return rules.is_working(self._activity(Agents[Sync](self._caller).get(agent)).state)

    @query
    def activity(self, agent: str = "") -> tuple[Activity, ...]:
        """Return what one agent, or each agent that is not retired, is doing, by name."""
        agents = Agents[Sync](self._caller)
        chosen = (agents.get(agent),) if agent else agents.list()
        return tuple(self._activity(each) for each in chosen)

    @verb
    def beat(self, state: State = "busy", *, operation: str = "", mark: Mark | None = None) -> Activity:
        """Tell what the caller is doing now: a state, and the operation in words. Never part of the log.

        Raises InvalidText for more than 200 characters.
        """
        if len(operation) > OPERATION_CHARACTERS_MAX:
            raise InvalidText(
                f"operation has {len(operation)} characters", hint=f"at most {OPERATION_CHARACTERS_MAX} are allowed"
            )
        session = self.known(self.tx.me.session)
        self.note(session, state, operation=operation, mark=rules.mark_of(state) if mark is None else mark)
        return self._activity(Agents[Sync](self._caller).get(self.tx.me.agent))

    def known(self, session: str) -> Session:
        """Return one session, live or ended. Raises UnknownSession."""
        found = self.tx.one(Session, "sessions.get", id=session)
        if found is None:
            raise UnknownSession(f"no session has the id {session!r}", hint="see `roost who`", session=session)
        return found

    def live(self, agent: str) -> Session | None:
        """Return the live session of an agent's id."""
        session = self.tx.one(Session, "sessions.live_of", agent=agent)
        return session if session is not None and self.lives(session) else None

    def lives(self, session: Session) -> bool:
        """Say whether a session lives, by what can be seen of its process."""
        seen = self.tx.host.alive(session.process) if session.process else None
        return rules.lives(session, seen, self.tx.now)

    def begin(
        self,
        agent: Agent,
        *,
        client: str,
        client_session: str = "",
        process: Process | None,
        worktree: str = "",
        transcript: str = "",
        state: State = "starting",
        key_hash: bytes = b"",
        hooked: bool = True,
    ) -> Session:
        """Start a session of an agent that has none: a new epoch, which fences every earlier one.

        One that is not `hooked` asks for its mail.
        """
        session = Session(
            id=new_id(),
            agent=agent.id,
            epoch=agent.epoch + 1,
            client=client,
            client_session=client_session,
            bell=bell_name(client, client_session) or f"roost-{new_id()}",
            key_hash=key_hash,
            process=process,
            worktree=worktree,
            transcript=transcript,
            state=state,
            since=self.tx.now,
            started_at=self.tx.now,
            beat_at=self.tx.now,
        )
        if not self.tx.run("agents.raise_epoch", id=agent.id, epoch=session.epoch):
            raise Conflict(f"{agent.name} got a newer session meanwhile", hint="try again")
        self.tx.run("sessions.insert", session)
        way = "hook" if hooked and client not in SELF_READING else "inbox"
        self.tx.run("sessions.put_endpoint", session=session.id, kind=way, address="", now=self.tx.now)
        self.tx.record("session.started", session.id, {"agent": agent.id, "epoch": session.epoch, "client": client})
        return session

    def note(self, session: Session, state: State, *, operation: str, mark: Mark) -> None:
        """Write down what a session is doing; a change of state or operation begins a new `since`."""
        same = (session.state, session.operation) == (state, operation)
        self.tx.run(
            "sessions.beat",
            id=session.id,
            now=self.tx.now,
            state=state,
            mark=mark,
            operation=operation,
            since=session.since if same else self.tx.now,
            activity_count=session.activity_count + (not same),
        )

    def _activity(self, agent: Agent) -> Activity:
        session = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        if agent.retired_at is not None:
            return Activity(agent=agent.name, state="retired")
        if session is None:
            last = self.tx.one(Session, "sessions.last_of", agent=agent.id)
            since = rules.offline_since(last, self.tx.host.beat(last.bell), self.tx.now) if last is not None else 0
            return Activity(agent=agent.name, state="offline", since=since)
        session, silent = rules.with_beat(session, self.tx.host.beat(session.bell), self.tx.now)
        state = rules.shown_state(session, self.lives(session), silent)
        return Activity(
            agent=agent.name,
            state="paused" if agent.paused_at is not None and state != "offline" else state,
            mark=session.mark if state == session.state else "",
            operation=session.operation,
            since=session.since if state != "offline" else self.tx.now - round(silent * 1000),
            silent_seconds=silent,
            activity_count=session.activity_count,
            client=session.client,
            session=session.id,
        )


class _Caller(msgspec.Struct, frozen=True):
    agent: str
    name: str
    kind: Kind
    key_version: int
    session: str
    epoch: int
    live: bool
    newest: int
    end_reason: str


def identify(tx: Tx, session: str) -> Me:
    """Return the caller that a session makes. Raises SessionEnded for one that is over or fenced by a newer epoch."""
    known: Me | None = tx.memo.get(("me", session))
    if known is not None:
        return known
    found = tx.one(_Caller, "sessions.caller", id=session)
    if found is None:
        raise WhoAreYou(f"this store knows no session {session!r}", hint="join again: `roost join NAME`")
    if not found.live or found.epoch != found.newest:
        raise SessionEnded(
            f"this session of {found.name} is over ({found.end_reason or 'taken over'})",
            hint="nothing was changed; join again: `roost join NAME`",
            session=session,
        )
    me = tx.memo["me", session] = Me(
        agent=found.agent,
        name=found.name,
        kind=found.kind,
        session=session,
        epoch=found.epoch,
        key_version=found.key_version,
    )
    return me


def bell_name(client: str, client_session: str) -> str:
    """Return the file name of a client session's bell and beat; '' if its id could not be a file's name.

    The hook program makes the same name from what it reads, before it imports anything.
    """
    fit = 0 < len(client_session) <= 64 and all(c.isascii() and (c.isalnum() or c == "-") for c in client_session)
    return f"{client}-{client_session}" if fit else ""

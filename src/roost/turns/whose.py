"""Whose turn an event is: the session that it belongs to, found or begun. Inside a transaction."""

from __future__ import annotations

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.service import Deliveries
from roost.errors import RoostError, WhoAreYou
from roost.names import slug
from roost.sessions.model import Process, Session
from roost.sessions.rules import next_generated_name
from roost.sessions.service import Sessions, bell_name
from roost.turns.ending import end_session
from roost.turns.model import ClientEvent, Surroundings
from roost.verbs import Service, Sync


class Whose:
    """Finds the session of one event; `joined` says that it was begun, `moved` that its context is new.

    `old_bell` is the bell of the conversation that the client's process had before.

    The first that applies: the agent that this conversation belonged to, the one that runs in this client's process,
    `ROOST_AGENT`, the linked worktree's name, the next generated one. A name that is alive elsewhere is never taken;
    `notes` then tell the agent why it is called otherwise.
    """

    def __init__(self, service: Service[Sync], event: ClientEvent, around: Surroundings, key_hash: bytes) -> None:
        self.tx = service.tx
        self.service = service
        self.event = event
        self.around = around
        self.key_hash = key_hash
        self.joined = False
        self.moved = False
        self.old_bell = ""
        self.notes: list[str] = []
        self._sessions = Sessions[Sync](service._caller)
        self._agents = Agents[Sync](service._caller)

    def find(self) -> Session | None:
        """Return the session; None when there is nothing that the event could end."""
        event, process = self.event, self._process()
        known = self.tx.one(Session, "sessions.of_client", client=event.client, client_session=event.client_session)
        if known is not None and known.ended_at is None and process in (None, known.process):
            return known
        here = self._running_in(process)
        if here is not None and here.client_session == event.client_session:
            return here  # two processes went on with one conversation, and this is the other of them
        if here is not None and not here.client_session:
            return self._adopted(here)
        if event.kind == "session_end":
            return None
        if here is None or event.source == "fork" or self._owner(known, besides=here) is not None:
            return self._begun(known, here, process)
        if event.kind not in ("start", "prompt"):
            return here  # a late word about the conversation before
        self.moved, self.old_bell = True, here.bell
        return new_context(self.service, here, event, self.around, "its context was cleared")

    def here(self) -> Session:
        """Return the session in the client's process; without one, begin it as whoever was there before, or anew.

        For a client that says nothing of its conversations.
        """
        process = self._process()
        if process is None:
            raise WhoAreYou("the client's process is gone", hint="start it again")
        return self._running_in(process) or self._begun(self._before(process), None, process, hooked=False)

    def _process(self) -> Process | None:
        return self.tx.host.process(self.around.client_pid) if self.around.client_pid else None

    def _running_in(self, process: Process | None) -> Session | None:
        found = self.tx.one(Session, "sessions.of_process", process=process) if process is not None else None
        return found if found is not None and found.client == self.event.client else None

    def _adopted(self, here: Session) -> Session:
        """Let a session that began without hooks have them, in the context that it has."""
        self.old_bell = here.bell
        self.tx.run("sessions.put_endpoint", session=here.id, kind="hook", address="", now=self.tx.now)
        return _bound(self.service, here, self.event, context=here.context)

    def _before(self, process: Process) -> Session | None:
        return self.tx.one(Session, "sessions.before_in_process", process=process, client=self.event.client)

    def _begun(
        self, known: Session | None, here: Session | None, process: Process | None, *, hooked: bool = True
    ) -> Session:
        self.joined = True
        agent = self._resumed(known) or self._named() or self._generated()
        if here is not None:
            self.old_bell = here.bell
            end_session(self.service, here, "its process went on with another conversation")
        last = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        if last is not None:
            # What its transcript proves still counts; that some other process calls now proves nothing.
            Deliveries[Sync](self.service._caller).settle(last, self.around.verdicts, fallback="")
            end_session(self.service, last, "its process is gone")
        return self._sessions.begin(
            self._agents.get(agent.id),
            client=self.event.client,
            client_session=self.event.client_session,
            process=process,
            worktree=self.around.worktree,
            transcript=self.event.transcript or "",
            key_hash=self.key_hash,
            state="starting" if hooked else "idle",
            hooked=hooked,
        )

    def _owner(self, known: Session | None, *, besides: Session | None = None) -> Agent | None:
        """Return the agent that this conversation belonged to, unless it is alive elsewhere."""
        if known is None or self.event.source == "fork" or (besides is not None and known.agent == besides.agent):
            return None
        return self._free(self._agents.get(known.agent))

    def _resumed(self, known: Session | None) -> Agent | None:
        owner = self._owner(known)
        if known is not None and owner is None and self.event.source != "fork":
            name = self._agents.get(known.agent).name
            self.notes.append(f"This conversation was {name}'s, who is alive in another process; you are somebody new.")
        return owner

    def _named(self) -> Agent | None:
        wanted, linked = self.around.agent_wanted, self.around.linked_name
        found = self._called(wanted) if wanted else None
        return found or (self._called(slug(linked) or "", told=False) if linked else None)

    def _called(self, name: str, *, told: bool = True) -> Agent | None:
        """Return the agent of this name if it may be taken; `told` leaves a note where it may not."""
        try:
            agent = self._agents.find(name) or self._agents.add(name)
        except RoostError as error:
            self._note(told, f"The name {name!r} cannot be yours: {error}.")
            return None
        if agent.kind != "agent":
            self._note(told, f"{agent.name} is a {agent.kind}, so you have a name of your own.")
            return None
        if self._free(agent) is None:
            self._note(told, f"{agent.name} is alive in another session, so you have a name of your own.")
            return None
        return agent

    def _note(self, told: bool, text: str) -> None:
        if told:
            self.notes.append(text)

    def _free(self, agent: Agent) -> Agent | None:
        return agent if self._sessions.live(agent.id) is None else None

    def _generated(self) -> Agent:
        name = next_generated_name(self.event.client, lambda name: self._agents.find(name) is not None)
        return self._agents.add(name, generated=True)


def new_context(
    service: Service[Sync], session: Session, event: ClientEvent, around: Surroundings, reason: str
) -> Session:
    """Note that a session's model sees nothing any more of what it was shown; return the session as it is then."""
    tx = service.tx
    Deliveries[Sync](service._caller).lose_context(session, reason)
    tx.run("turns.forget_told", session=session.id)
    bound = _bound(service, session, event, context=session.context + 1, offset=around.transcript_offset)
    tx.record("session.context", session.id, {"context": bound.context, "reason": reason})
    return bound


def _bound(service: Service[Sync], session: Session, event: ClientEvent, *, context: int, offset: int = 0) -> Session:
    """Bind a session to the conversation of an event, of whose transcript nothing before `offset` is looked at."""
    service.tx.run(
        "sessions.set_context",
        id=session.id,
        context=context,
        client_session=event.client_session,
        bell=bell_name(event.client, event.client_session) or session.bell,
        transcript=event.transcript or "",
        transcript_offset=offset,
        state=session.state,
        now=service.tx.now,
    )
    return Sessions[Sync](service._caller).known(session.id)

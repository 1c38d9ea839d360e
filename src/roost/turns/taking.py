"""One client event, in one transaction: whose it is, what it proves, what is said back."""

from __future__ import annotations

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.service import Deliveries
from roost.errors import RoostError
from roost.leases.service import Leases
from roost.sessions import rules as session_rules
from roost.sessions.model import Me, Process, Session
from roost.sessions.service import Sessions, bell_name
from roost.turns import edits, mail, rules
from roost.turns.ending import end_session
from roost.turns.model import ClientEvent, Surroundings, TurnReply
from roost.verbs import InTx, Service, Sync


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn came to: the reply, whose turn it was, and whether more is to be looked for at its next hook."""

    reply: TurnReply = TurnReply()
    session: str = ""
    agent: str = ""
    bell: str = ""
    joined: bool = False
    more: bool = False


class Taking:
    """Takes one event."""

    def __init__(self, service: Service[Sync], event: ClientEvent, around: Surroundings, key_hash: bytes) -> None:
        self.tx = service.tx
        self.service = Service[Sync](InTx(service.tx))
        self.event = event
        self.around = around
        self.key_hash = key_hash
        self.joined = False
        self.notes: list[str] = []
        self._sessions = Sessions[Sync](self.service._caller)
        self._deliveries = Deliveries[Sync](self.service._caller)
        self._agents = Agents[Sync](self.service._caller)

    def take(self) -> Taken:
        """Find or begin the session, settle what it was offered, then answer the event."""
        session = self._session()
        if session is None:
            return Taken()
        agent = self._agents.get(session.agent)
        self.tx.me = Me(
            agent=agent.id,
            name=agent.name,
            kind=agent.kind,
            session=session.id,
            epoch=session.epoch,
            key_version=agent.key_version,
        )
        if not self.joined:
            session = self._settled(session)
        reply = self._answer(session, agent)
        return Taken(
            reply=reply,
            session=session.id,
            agent=agent.name,
            bell=self._known(session).bell,
            joined=self.joined,
            more=self._is_more(session),
        )

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def _session(self) -> Session | None:
        event, process = self.event, self._process()
        known = self.tx.one(
            Session, "sessions.of_client", client=event.client, client_session=event.client_session
        )
        if known is not None and known.ended_at is None and (process is None or known.process == process):
            return known
        if event.kind == "session_end":
            return None  # nothing of it is left to end
        if process is not None and event.source != "fork":
            same = self.tx.one(Session, "sessions.of_process", process=process)
            if same is not None and same.client == event.client:
                return self._moved(same)
        return self._begin(known, process)

    def _moved(self, session: Session) -> Session:
        """The client began another conversation in the same process (`/clear`): the agent stays, its context is new."""
        return self._new_context(session, "its context was cleared")

    def _begin(self, known: Session | None, process: Process | None) -> Session:
        self.joined = True
        agent = self._resumed(known) or self._named() or self._generated()
        last = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        if last is not None:
            self._settle(last)
            end_session(self.service, last, "its process is gone")
            agent = self._agents.get(agent.id)
        return self._sessions.begin(
            agent,
            client=self.event.client,
            client_session=self.event.client_session,
            process=process,
            worktree=self.around.worktree,
            transcript=self.event.transcript or "",
            key_hash=self.key_hash,
        )

    def _resumed(self, known: Session | None) -> Agent | None:
        """The agent that this conversation belonged to, unless another process is that agent now."""
        return self._free(self._agents.get(known.agent)) if known is not None and self.event.source != "fork" else None

    def _named(self) -> Agent | None:
        wanted = self.around.agent_wanted or self.around.linked_name
        if not wanted:
            return None
        try:
            agent = self._agents.find(wanted) or self._agents.add(wanted)
        except RoostError as error:
            self.notes.append(f"The name {wanted!r} cannot be yours: {error}.")
            return None
        free = self._free(agent)
        if free is None and self.around.agent_wanted:
            self.notes.append(f"{wanted} is alive in another session, so you have a name of your own.")
        return free

    def _free(self, agent: Agent) -> Agent | None:
        return agent if self._sessions.live(agent.id) is None else None

    def _generated(self) -> Agent:
        name = session_rules.next_generated_name(
            self.event.client, lambda name: self._agents.find(name) is not None
        )
        return self._agents.add(name, generated=True)

    def _process(self) -> Process | None:
        return self.tx.host.process(self.around.client_pid) if self.around.client_pid else None

    def _known(self, session: Session) -> Session:
        return self._sessions.known(session.id)

    # --- what is proved -----------------------------------------------------------------------------------------------

    def _settled(self, session: Session) -> Session:
        self._settle(session)
        if self.event.kind == "start" and self.event.source == "compact":
            return self._new_context(session, "its context was compacted")
        return session

    def _settle(self, session: Session) -> None:
        self._deliveries.settle(session, self.around.verdicts, fallback=rules.fallback_proof(self.event))
        if self.event.transcript and (session.transcript, session.transcript_offset) != self._read_to():
            self.tx.run("sessions.set_transcript", id=session.id, transcript=self._read_to()[0], transcript_offset=self._read_to()[1])

    def _read_to(self) -> tuple[str, int]:
        return self.event.transcript or "", self.around.transcript_offset

    def _new_context(self, session: Session, reason: str) -> Session:
        self._deliveries.lose_context(session, reason)
        transcript, offset = self._read_to()
        self.tx.run(
            "sessions.set_context",
            id=session.id,
            context=session.context + 1,
            client_session=self.event.client_session,
            bell=bell_name(self.event.client, self.event.client_session) or session.bell,
            transcript=transcript,
            transcript_offset=offset,
            state=session.state,
            now=self.tx.now,
        )
        self.tx.record("session.context", session.id, {"context": session.context + 1, "reason": reason})
        return self._known(session)

    def _is_more(self, session: Session) -> bool:
        return bool(self.tx.value("deliveries.unsettled", recipient=session.agent, session=session.id))

    # --- what is said back --------------------------------------------------------------------------------------------

    def _answer(self, session: Session, agent: Agent) -> TurnReply:
        reply = self._reply(session, agent)
        state, mark = rules.state_after(self.event, session, keeps_going=reply.keep_going)
        operation = self.event.tool if self.event.kind == "tool_before" else ""
        self._sessions.note(session, state, operation=operation, mark=mark)
        Leases[Sync](self.service._caller).keep(session.id)
        return reply

    def _reply(self, session: Session, agent: Agent) -> TurnReply:
        event = self.event
        if event.kind == "tool_before":
            return TurnReply(deny=edits.refusal(self.service, event, self.around.worktree) or None)
        if event.kind == "session_end":
            return self._ended(session)
        if event.kind == "turn_failed":
            self._deliveries.requeue_offers(session, f"its turn failed: {event.source or 'unknown cause'}")
        if event.kind == "compacting":
            self._checkpoint()
        if event.in_subagent or not event.takes_context:
            return TurnReply()
        if event.kind == "tool_after":
            edits.committed(self.service, event, self.around.worktree)
        if event.kind == "turn_end":
            return self._at_the_end(session)
        if self.joined or event.kind == "start":
            return self._briefed(session, agent)
        return self._mail(session)

    def _mail(self, session: Session) -> TurnReply:
        if self.event.kind == "prompt" and not self.event.stop_active:
            self.tx.run("sessions.set_wakes", id=session.id, wakes=session.wakes, stops=0)
        parts = (mail.reminders(self.service, session), mail.offer_mail(self.service, session, rules.rung_of(self.event)))
        return TurnReply(context="\n\n".join(part for part in parts if part) or None)

    def _briefed(self, session: Session, agent: Agent) -> TurnReply:
        from roost.briefings.rules import BRIEFING_BYTES_MAX
        from roost.briefings.service import Briefings

        letters = mail.offer_mail(
            self.service, session, rules.rung_of(self.event), whole_max=rules.START_MESSAGES_MAX, limit=rules.START_MAIL_BYTES
        )
        room = min(BRIEFING_BYTES_MAX, rules.START_BYTES_MAX - len("\n\n".join((*self.notes, letters)).encode()))
        briefing = Briefings[Sync](self.service._caller).briefing(session, git=self.around.git, limit=room)
        parts = (*self.notes, briefing, letters)
        title = agent.name if self.tx.config.features.window_title else None
        env = {"ROOST_SESSION": session.id, "ROOST_AGENT_NAME": agent.name}
        return TurnReply(context="\n\n".join(part for part in parts if part), title=title, env=env)

    def _at_the_end(self, session: Session) -> TurnReply:
        per_hour = self.tx.config.limits.wakes_per_hour_max
        if not rules.may_keep_going(self.event, session, self.tx.now, per_hour_max=per_hour):
            return TurnReply()
        owed = mail.reminders(self.service, session)
        letters = mail.offer_mail(self.service, session, "stop", asking_only=True)
        if not owed and not letters:
            return TurnReply()
        stops = session.stops + 1 if self.event.stop_active else 1
        wakes = (*rules.recent_wakes(session, self.tx.now), self.tx.now)
        self.tx.run("sessions.set_wakes", id=session.id, wakes=wakes, stops=stops)
        return TurnReply(context="\n\n".join(part for part in (owed, letters) if part), keep_going=True)

    def _ended(self, session: Session) -> TurnReply:
        if self.event.source != "clear":  # `/clear` ends a context, and the session goes on under another id
            end_session(self.service, session, f"the client ended ({self.event.source or 'no reason given'})")
        return TurnReply()

    def _checkpoint(self) -> None:
        from roost.briefings.service import Briefings

        Briefings[Sync](self.service._caller).checkpoint("before compaction", git=self.around.git)

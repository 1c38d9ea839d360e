"""One client event, in one transaction: whose it is, what it proves, what is said back."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.envelope import INJECTED_BYTES_LEAST, INJECTED_BYTES_MAX
from roost.deliveries.service import Deliveries
from roost.leases.service import Leases
from roost.sessions.model import Mark, Me, Session
from roost.sessions.service import Sessions
from roost.turns import edits, mail, news, rules, telling
from roost.turns.ending import end_session
from roost.turns.model import ClientEvent, Surroundings, TurnReply
from roost.turns.telling import ENVELOPE_BYTES, Telling, briefing_of
from roost.turns.watching import Watching
from roost.turns.whose import Whose, new_context
from roost.verbs import InTx, Service, Sync

ASIDE_BYTES_MAX = INJECTED_BYTES_MAX - INJECTED_BYTES_LEAST - ENVELOPE_BYTES - 50
"""What stands beside the mail of one injection: reminders, news of leases, files that changed."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn came to: the reply, whose turn it was, and how its next hooks are to look.

    `more`: the next hook must look; `watches`: so must each one after a shell; `mark` is what the agent does now;
    `old_bell` is the bell of a conversation that is over, and `is_over` says that the session is.
    """

    reply: TurnReply = TurnReply()
    session: str = ""
    agent: str = ""
    bell: str = ""
    old_bell: str = ""
    mark: Mark = ""
    joined: bool = False
    is_over: bool = False
    more: bool = False
    watches: bool = False


class Taking:
    """Takes one event."""

    def __init__(self, service: Service[Sync], event: ClientEvent, around: Surroundings, key_hash: bytes) -> None:
        self.tx = service.tx
        self.service = Service[Sync](InTx(service.tx))
        self.event = event
        self.around = around
        self.whose = Whose(self.service, event, around, key_hash)
        self.more = False
        self._sessions = Sessions[Sync](self.service._caller)
        self._deliveries = Deliveries[Sync](self.service._caller)

    def take(self) -> Taken:
        """Find or begin the session, settle what it was offered, then answer the event."""
        session = self.whose.find()
        if session is None:
            return Taken()
        agent = self._act_as(session)
        if not self.whose.joined:
            session = self._settled(session)
        watching = Watching(self.service, session, self.around.worktree)
        reply = self._answer(session, agent, watching)
        return self._taken(session, reply, watching)

    def _act_as(self, session: Session) -> Agent:
        agent = Agents[Sync](self.service._caller).get(session.agent)
        self.tx.me = Me(
            agent=agent.id,
            name=agent.name,
            kind=agent.kind,
            session=session.id,
            epoch=session.epoch,
            key_version=agent.key_version,
        )
        return agent

    def _taken(self, session: Session, reply: TurnReply, watching: Watching) -> Taken:
        after = self._sessions.known(session.id)
        is_over = after.ended_at is not None
        return Taken(
            reply=reply,
            session=after.id,
            agent=self.tx.me.name,
            bell=after.bell,
            old_bell=after.bell if is_over else self.whose.old_bell,
            mark=after.mark,
            joined=self.whose.joined,
            is_over=is_over,
            more=not is_over and (self.more or self._is_more(after)),
            watches=not is_over and watching.is_worthwhile(),
        )

    def _is_more(self, session: Session) -> bool:
        return telling.is_untold(self.tx, session) or bool(
            self.tx.value("deliveries.unsettled", recipient=session.agent, session=session.id)
        )

    def _settled(self, session: Session) -> Session:
        event = self.event
        fallback = rules.fallback_proof(event)
        is_whole = self._deliveries.settle(session, self.around.verdicts, fallback=fallback)
        is_whole = telling.settle(self.tx, session, self.around.verdicts, fallback=fallback) and is_whole
        # What was offered after this look began may stand in what the look read, and only the next one seeks it.
        if event.transcript and is_whole and (session.transcript, session.transcript_offset) != self._read_to():
            transcript, offset = self._read_to()
            self.tx.run("sessions.set_transcript", id=session.id, transcript=transcript, transcript_offset=offset)
        if event.kind == "start" and event.source in rules.LOSES_CONTEXT and not self.whose.moved:
            return new_context(self.service, session, event, self.around, rules.LOSES_CONTEXT[event.source])
        return session

    def _read_to(self) -> tuple[str, int]:
        return self.event.transcript or "", self.around.transcript_offset

    def _answer(self, session: Session, agent: Agent, watching: Watching) -> TurnReply:
        reply = self._reply(session, agent, watching)
        state, mark = rules.state_after(self.event, session, keeps_going=reply.keep_going)
        operation = self.event.tool if self.event.kind == "tool_before" else ""
        self._sessions.note(session, state, operation=operation, mark=mark)
        Leases[Sync](self.service._caller).keep(session.id)
        return reply

    def _reply(self, session: Session, agent: Agent, watching: Watching) -> TurnReply:
        event = self.event
        if event.kind == "tool_before":
            return self._before_tool(watching)
        if event.kind == "session_end":
            return self._ended(session)
        if event.kind == "turn_failed":
            self._failed(session)
        if event.kind == "compacting":
            self._before_compaction(session)
        changed = self._after_tool(watching) if event.kind == "tool_after" else ""
        if event.in_subagent or not event.takes_context:
            return TurnReply()
        if event.kind == "turn_end":
            return self._at_the_end(session)
        if event.kind == "start" or not self.tx.value("turns.was_told", session=session.id, what=briefing_of(session)):
            return self._briefed(session, agent, changed)
        return self._mail(session, changed)

    def _before_tool(self, watching: Watching) -> TurnReply:
        deny = edits.refusal(self.service, self.event, watching)
        commits = edits.before_commit(self.service, self.event, self.around.head)
        # What this tool changes is looked at once it has run.
        self.more = not deny and (commits or (bool(self.event.paths) and bool(watching.neighbours())))
        return TurnReply(deny=deny or None)

    def _after_tool(self, watching: Watching) -> str:
        edits.after_commit(self.service, self.event, watching.worktree, self.around.head)
        if not self.around.files:
            return ""
        return watching.judge(self.event, self.around.files, edits.inside(self.event.paths, watching.worktree))

    def _mail(self, session: Session, changed: str) -> TurnReply:
        if self.event.kind == "prompt" and not self.event.stop_active:
            self.tx.run("sessions.set_wakes", id=session.id, wakes=session.wakes, stops=0)
        aside = self._aside(session, changed)
        room = INJECTED_BYTES_MAX - len(aside.encode()) - 2 * bool(aside)
        letters = mail.offer(self.service, session, rules.rung_of(self.event), limit=room).text
        return TurnReply(context=_joined((aside, letters)) or None)

    def _aside(self, session: Session, changed: str = "") -> str:
        told = Telling(self.tx, session)
        parts = (changed, mail.reminders(self.service, session, told), news.lease_news(self.service, session, told))
        return told.said(_cut(_joined(parts), ASIDE_BYTES_MAX))

    def _briefed(self, session: Session, agent: Agent, changed: str) -> TurnReply:
        from roost.briefings.rules import BRIEFING_BYTES_MAX
        from roost.briefings.service import Briefings

        told = Telling(self.tx, session)
        told.anew(briefing_of(session))
        rung = rules.rung_of(self.event)
        whole_max, room = rules.START_MESSAGES_MAX, rules.START_MAIL_BYTES
        letters = mail.offer(self.service, session, rung, whole_max=whole_max, limit=room).text
        notes = _cut(_joined((*self.whose.notes, changed)), rules.START_NOTES_BYTES)
        beside = len(_joined((notes, letters)).encode()) + 4 + ENVELOPE_BYTES
        room = min(BRIEFING_BYTES_MAX, rules.START_BYTES_MAX - beside)
        briefing = Briefings[Sync](self.service._caller).briefing(session, git=self.around.git, limit=room)
        title = agent.name if self.tx.config.features.window_title else None
        env = {"ROOST_SESSION": session.id, "ROOST_AGENT_NAME": agent.name}
        return TurnReply(context=_joined((told.said(_joined((notes, briefing))), letters)), title=title, env=env)

    def _at_the_end(self, session: Session) -> TurnReply:
        per_hour = self.tx.config.limits.wakes_per_hour_max
        if not rules.may_keep_going(self.event, session, self.tx.now, per_hour_max=per_hour):
            mail.note_refused_wake(self.service, session, "the turn was kept going often enough")
            return TurnReply()
        told = Telling(self.tx, session)
        owed = told.said(mail.reminders(self.service, session, told))
        room = INJECTED_BYTES_MAX - len(owed.encode()) - 2
        letters = mail.offer(self.service, session, "stop", asking_only=True, limit=room).text
        if not owed and not letters:
            return TurnReply()
        stops = session.stops + 1 if self.event.stop_active else 1
        wakes = (*rules.recent_wakes(session, self.tx.now), self.tx.now)
        self.tx.run("sessions.set_wakes", id=session.id, wakes=wakes, stops=stops)
        return TurnReply(context=_joined((owed, letters)), keep_going=True)

    def _failed(self, session: Session) -> None:
        """Let what the failed turn did not show be offered again; what stands in its transcript is still before it."""
        shown = {verdict.nonce for verdict in self.around.verdicts if verdict.found == "shown"}
        reason = f"its turn failed: {self.event.source or 'unknown cause'}"
        self._deliveries.requeue_offers(session, reason, keeping=shown)
        telling.forget(self.tx, session, self.around.verdicts)

    def _ended(self, session: Session) -> TurnReply:
        if self.event.source != "clear":  # `/clear` ends a context, and the session goes on under another id
            end_session(self.service, session, f"the client ended ({self.event.source or 'no reason given'})")
        return TurnReply()

    def _before_compaction(self, session: Session) -> None:
        """Leave a checkpoint, and let the session be briefed again: its next start may die before it is known."""
        from roost.briefings.service import Briefings

        self.tx.run("turns.forget_told", session=session.id)
        Briefings[Sync](self.service._caller).checkpoint("before compaction", git=self.around.git)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _cut(text: str, most: int) -> str:
    return text if len(text.encode()) <= most else text.encode()[: most - 4].decode(errors="ignore") + " ..."

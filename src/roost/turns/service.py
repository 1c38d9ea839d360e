"""Turns: sessions begin, go on and end here, because that touches mail and leases too."""

from __future__ import annotations

from roost.agents.model import Agent, Kind
from roost.agents.service import Agents
from roost.deliveries.envelope import INJECTED_BYTES_MAX
from roost.deliveries.model import Delivery
from roost.deliveries.rules import MCP
from roost.deliveries.service import Deliveries
from roost.errors import AgentAlive, Forbidden
from roost.sessions.model import Me, Process, Session
from roost.sessions.rules import GONE
from roost.sessions.service import Sessions
from roost.text import check_display
from roost.turns import mail, rules, telling
from roost.turns.ending import end_session
from roost.turns.joining import Joining
from roost.turns.letters import Letters
from roost.turns.model import ClientEvent, OpenOffer, Surroundings, Watch
from roost.turns.taking import Taken, Taking
from roost.turns.watching import Watching
from roost.verbs import InTx, M, Service, Sync, query, verb


class Turns(Joining[M], Letters[M]):
    """The lives of sessions, and what a client's event does in one transaction."""

    @verb
    def join(
        self,
        name: str,
        *,
        kind: Kind = "agent",
        client: str = "library",
        client_session: str = "",
        process: Process | None = None,
        worktree: str = "",
        key_hash: bytes = b"",
        takeover: bool = False,
        generated: bool = False,
    ) -> Session:
        """Start a session of an agent, which is made if there is none of that name.

        Raises AgentAlive if the agent lives in another process, unless `takeover`, which fences it. What its last
        session was offered without proof is offered to this one again.
        """
        if self.tx.me.kind != "system":
            raise Forbidden("a session is begun by Roost, not by another session", hint="use `roost join`")
        agents, sessions = Agents[Sync](self._caller), Sessions[Sync](self._caller)
        agent = agents.find(name) or agents.add(name, kind=kind, generated=generated)
        if agent.kind != kind:
            raise Forbidden(f"{agent.name} is the name of a {agent.kind}", hint="choose another name")
        last = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        if last is not None:
            if sessions.lives(last) and last.process == process and last.client == client:
                return last
            self._end_other(agent, last, alive=sessions.lives(last), takeover=takeover)
            agent = agents.get(agent.id)
        return sessions.begin(
            agent,
            client=client,
            client_session=client_session,
            process=process,
            worktree=worktree,
            key_hash=key_hash,
            state="idle" if client in ("library", "terminal", "shell") else "starting",
            hooked=bool(client_session),
        )

    @verb
    def leave(self, *, reason: str = "left") -> None:
        """End the caller's own session: its offers go back, its leases are free. Raises InvalidText."""
        check_display(reason, what="reason")
        end_session(_inner(self), Sessions[Sync](self._caller).known(self.tx.me.session), reason)

    @query
    def watch(self, client: str, client_session: str, *, worktree: str = "") -> Watch:
        """Return what to look for before a turn is taken: in the session's transcript, and among the leased files of
        a worktree if one is named."""
        self._refuse_sessions()
        session = self.tx.one(Session, "sessions.of_client", client=client, client_session=client_session)
        if session is None:
            return Watch()
        offered = self.tx.all(Delivery, "deliveries.offered_to", session=session.id)
        late = self.tx.all(Delivery, "deliveries.unproved_of", recipient=session.agent)
        ahead = self.tx.wall - self.tx.now  # the store clock may differ from the wall clock, by the same all the time
        return Watch(
            session=session.id,
            offers=_open_offers(offered + late, ahead) + telling.open_offers(self.tx, session, ahead=ahead),
            transcript=session.transcript,
            offset=session.transcript_offset,
            files=Watching(_inner(self), session, worktree).files() if worktree else (),
        )

    @verb
    def take(self, event: ClientEvent, around: Surroundings, *, key_hash: bytes = b"") -> Taken:
        """Take one event of a client: find whose it is, settle its offers, check its edits, and answer it.

        `key_hash` is the SHA-256 of the key that a session begun by this event is to have.
        """
        self._refuse_sessions()
        return Taking(_inner(self), event, around, key_hash).take()

    @verb
    def settle(self, client: str, client_session: str, around: Surroundings) -> bool:
        """Settle a session's open offers between its hooks; return whether there is more to look for."""
        self._refuse_sessions()
        session = self.tx.one(Session, "sessions.of_client", client=client, client_session=client_session)
        if session is None or session.ended_at is not None:
            return False
        deliveries = Deliveries[Sync](self._caller)
        deliveries.settle(session, around.verdicts, fallback="")
        telling.settle(self.tx, session, around.verdicts, fallback="")
        is_open = self.tx.value("deliveries.unsettled", recipient=session.agent, session=session.id)
        return bool(is_open) or telling.is_untold(self.tx, session)

    @verb
    def wake(self, client: str, client_session: str) -> str:
        """Return the mail that wakes an idle session, now offered to it; '' if there is nothing that may wake it."""
        self._refuse_sessions()
        session: Session | None = self.tx.one(
            Session, "sessions.of_client", client=client, client_session=client_session
        )
        limits, features = self.tx.config.limits, self.tx.config.features
        if session is None or session.ended_at is not None or not features.wake_idle:
            return ""
        if not rules.may_wake(session, self.tx.now, per_hour_max=limits.wakes_per_hour_max):
            why = f"it was woken {limits.wakes_per_hour_max} times in the last hour"
            mail.note_refused_wake(_inner(self), session, why)
            return ""
        agent = Agents[Sync](self._caller).get(session.agent)
        self.tx.me = Me(agent=agent.id, name=agent.name, kind=agent.kind, session=session.id, epoch=session.epoch)
        reminding = telling.Telling(self.tx, session)
        owed = reminding.said(mail.reminders(_inner(self), session, reminding))
        room = INJECTED_BYTES_MAX - len(owed.encode()) - 2
        letters = mail.offer(_inner(self), session, "rewake", asking_only=True, limit=room).text
        text = "\n\n".join(part for part in (owed, letters) if part)
        if text:
            self._note_wake(session)
        return text

    def _refuse_sessions(self) -> None:
        """Raise Forbidden unless Roost itself calls: these speak for the client that they name."""
        if self.tx.me.kind != "system":
            raise Forbidden("what a client does is told by its hooks, not by another session", hint="see `roost init`")

    def _note_wake(self, session: Session) -> None:
        wakes = (*rules.recent_wakes(session, self.tx.now), self.tx.now)
        self.tx.run("sessions.set_wakes", id=session.id, wakes=wakes, stops=session.stops)
        self.tx.record("session.woken", session.id, {"agent": session.agent})

    def _end_other(self, agent: Agent, session: Session, *, alive: bool, takeover: bool) -> None:
        if not alive:
            end_session(_inner(self), session, GONE)
        elif takeover:
            end_session(_inner(self), session, "taken over")
        else:
            raise AgentAlive(
                f"{agent.name} is alive in another process (session {session.id})",
                hint=f"choose another name, or fence it with `roost join {agent.name} --takeover`",
                agent=agent.name,
            )


def _inner(service: Service[M]) -> Service[Sync]:
    return Service[Sync](InTx(service.tx))


def _open_offers(deliveries: list[Delivery], ahead: int) -> tuple[OpenOffer, ...]:
    return tuple(
        OpenOffer(nonce=one.nonce, offered_wall=(one.offered_at or 0) + ahead, as_result=one.rung == MCP)
        for one in deliveries
    )

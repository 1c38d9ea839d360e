"""Turns: sessions begin, go on and end here, because that touches mail and leases too."""

from __future__ import annotations

from roost.agents.model import Agent, Kind
from roost.agents.service import Agents
from roost.deliveries.service import Deliveries
from roost.errors import AgentAlive, Forbidden
from roost.sessions.model import Process, Session
from roost.sessions.service import Sessions
from roost.verbs import M, Service, Sync, verb


class Turns(Service[M]):
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

        Raises AgentAlive if the agent lives in another process, unless `takeover`, which fences it. What its last session was
        offered without proof is offered to this one again.
        """
        if self.tx.me.kind != "system":
            raise Forbidden("a session is begun by Roost, not by another session", hint="use `roost join`")
        agents, sessions = Agents[Sync](self._caller), Sessions[Sync](self._caller)
        agent = agents.find(name) or agents.add(name, kind=kind, generated=generated)
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
            state="idle" if client in ("library", "terminal") else "starting",
        )

    @verb
    def leave(self, *, reason: str = "left") -> None:
        """End the caller's own session: its offers go back, its leases are free."""
        self.end(Sessions[Sync](self._caller).known(self.tx.me.session), reason)

    # --- inside a transaction only ------------------------------------------------------------------------------------

    def end(self, session: Session, reason: str) -> None:
        """End a session: what it was offered without proof goes back, what it held is free."""
        if session.ended_at is not None or not self.tx.run(
            "sessions.end", id=session.id, now=self.tx.now, reason=reason
        ):
            return
        Deliveries[Sync](self._caller).lose_context(session, f"its session ended: {reason}")
        self.tx.record("session.ended", session.id, {"agent": session.agent, "epoch": session.epoch, "reason": reason})

    def _end_other(self, agent: Agent, session: Session, *, alive: bool, takeover: bool) -> None:
        if not alive:
            self.end(session, "its process is gone")
        elif takeover:
            self.end(session, "taken over")
        else:
            raise AgentAlive(
                f"{agent.name} is alive in another process (session {session.id})",
                hint=f"choose another name, or fence it with `roost join {agent.name} --takeover`",
                agent=agent.name,
            )

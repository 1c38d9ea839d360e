"""Becoming somebody: the person's own session, and a session that takes another name or another agent's place."""

from __future__ import annotations

from typing import Literal

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.ledger import Ledger
from roost.errors import AgentAlive, AlreadyExists, Forbidden, WrongState
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.turns.ending import end_session
from roost.turns.model import ClientEvent, Surroundings
from roost.turns.whose import Whose
from roost.verbs import InTx, M, Service, Sync, verb

How = Literal["same", "renamed", "became"]


class Became(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is now, its name before and whether that forwards, and how much mail came along."""

    session: str
    name: str
    was: str
    how: How
    forwards: bool = False
    handed: int = 0


class Joining(Service[M]):
    """Part of `Turns`."""

    @verb
    def person(self, name: str) -> Session:
        """Begin, or return, the session of the project's person; `name` counts only where the project has none yet.

        It belongs to no process, so that it never dies of silence.
        """
        if self.tx.me.kind != "system":
            raise Forbidden("the person's session is begun by Roost", hint="use the command line on a terminal")
        agents, sessions = Agents[Sync](self._caller), Sessions[Sync](self._caller)
        agent = self.tx.one(Agent, "agents.human") or agents.add(name, kind="human")
        live = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        return live or sessions.begin(agent, client="terminal", process=None, state="idle")

    @verb
    def arrive(self, client: str, around: Surroundings, *, key_hash: bytes = b"") -> Session:
        """Return the session in a client's process (`around.client_pid`) that comes by itself and has no hooks.

        Begin it if there is none: as whoever was in that process before, as `ROOST_AGENT` or the linked worktree say,
        else as the next `CLIENT-N`.
        """
        if self.tx.me.kind != "system":
            raise Forbidden("a session is begun by Roost, not by another session", hint="use `roost join`")
        event = ClientEvent(client=client, name="arrival", kind="other", client_session="", cwd=around.worktree)
        return Whose(_inner(self), event, around, key_hash).here()

    @verb
    def become(self, name: str, *, key_hash: bytes = b"", takeover: bool = False, reclaim: bool = False) -> Became:
        """Let the caller's session be `name` from now on.

        A new name renames the agent, and the old one forwards. A name kept for later (`hold`) is adopted. An agent
        that is offline is inherited with `reclaim`, one that lives is fenced with `takeover`; without, AlreadyExists
        and AgentAlive say so. What the caller's mail had not reached goes along, and a generated name forwards.
        """
        agents, sessions = Agents[Sync](self._caller), Sessions[Sync](self._caller)
        session = sessions.known(self.tx.me.session)
        own, wanted = agents.get(self.tx.me.agent), agents.find(name)
        if own.kind != "agent":
            raise Forbidden(f"{own.name} is a {own.kind}, not an agent", hint="use `roost agent rename`")
        if wanted is None:
            renamed = agents.rename(name)
            return Became(session=session.id, name=renamed.name, was=own.name, how="renamed", forwards=True)
        if wanted.id == own.id:
            return Became(session=session.id, name=own.name, was=own.name, how="same")
        self._make_free(wanted, takeover=takeover, reclaim=reclaim)
        return self._move(session, own, wanted, key_hash)

    @verb
    def reclaim(self, name: str) -> int:
        """Take over what an agent without a live session was sent and never got; return how many messages came."""
        agents = Agents[Sync](self._caller)
        gone = agents.get(name)
        if gone.id == self.tx.me.agent:
            return 0
        if gone.kind == "human":
            raise Forbidden(f"{gone.name} is the project's person", hint="nobody inherits a person's mail")
        if Sessions[Sync](self._caller).live(gone.id) is not None:
            raise WrongState(f"{gone.name} is alive and gets its mail itself", hint="nothing was changed")
        return self._hand_over(gone.id, self.tx.me.agent)

    def _make_free(self, agent: Agent, *, takeover: bool, reclaim: bool) -> None:
        if agent.kind == "human":
            raise Forbidden(f"{agent.name} is the project's person", hint="choose another name")
        live = Sessions[Sync](self._caller).live(agent.id)
        if live is not None and not takeover:
            raise AgentAlive(
                f"{agent.name} is alive in another process (session {live.id})",
                hint=f"choose another name, or fence it with `roost join {agent.name} --takeover`",
                agent=agent.name,
            )
        if live is None and not (agent.reserved or reclaim or takeover):
            raise AlreadyExists(
                f"{agent.name} exists and is offline",
                hint=f"choose another name, or go on as it, with its mail: `roost join {agent.name} --reclaim`",
                name=agent.name,
            )
        last = self.tx.one(Session, "sessions.live_of", agent=agent.id)
        if last is not None:
            end_session(_inner(self), last, "taken over" if live else "its process is gone")

    def _move(self, session: Session, own: Agent, wanted: Agent, key_hash: bytes) -> Became:
        """End the session as the one and begin it again as the other, in the same process."""
        end_session(_inner(self), session, f"became {wanted.name}")
        handed = self._hand_over(own.id, wanted.id)
        if own.generated:
            self._forward(own, wanted)
        agents, sessions = Agents[Sync](self._caller), Sessions[Sync](self._caller)
        begun = sessions.begin(
            agents.get(wanted.id),
            client=session.client,
            client_session=session.client_session,
            process=session.process,
            worktree=session.worktree,
            transcript=session.transcript,
            key_hash=key_hash,
            state=session.state,
        )
        self.tx.run(
            "sessions.set_transcript",
            id=begun.id,
            transcript=session.transcript,
            transcript_offset=session.transcript_offset,
        )
        return Became(
            session=begun.id, name=wanted.name, was=own.name, how="became", forwards=own.generated, handed=handed
        )

    def _hand_over(self, giver: str, taker: str) -> int:
        ledger = Ledger(self.tx)
        return len([ledger.hand_over(delivery, taker) for delivery in ledger.undelivered(giver)])

    def _forward(self, own: Agent, wanted: Agent) -> None:
        """A generated agent that became another leaves its name to it: mail to the old name still arrives."""
        gone = msgspec.structs.replace(own, name=f"{own.name[:48]}.{own.id[-12:]}", retired_at=self.tx.now)
        self.tx.run("agents.update", gone)
        self.tx.run("agents.put_alias", alias=own.name, agent=wanted.id, kind="old-name")
        self.tx.record("agent.forwarded", own.id, {"from": own.name, "to": wanted.id})


def _inner(service: Service[M]) -> Service[Sync]:
    return Service[Sync](InTx(service.tx))

"""Pausing: all mail of a project, or one agent's, is held until a person lets it go on."""

from __future__ import annotations

import msgspec

from roost.agents.model import Agent
from roost.agents.service import Agents
from roost.deliveries.ledger import Ledger
from roost.errors import Forbidden
from roost.text import check_display
from roost.verbs import M, Service, Sync, verb


class Pausing(Service[M]):
    """Part of `Deliveries`."""

    @verb
    def pause(self, agent: str = "", *, reason: str = "") -> tuple[str, ...]:
        """Hold all mail, or that of one agent: what is sent is stored and waits. For people; returns who is held.

        The log and `roost status` show the reason. Raises Forbidden, UnknownAgent, InvalidText.
        """
        self._only_people("pause")
        why = {"reason": check_display(reason, what="reason")} if reason else None
        if not agent:
            self.tx.run("messages.pause", at=self.tx.now, by=self.tx.me.agent)
            self.tx.record("project.paused", self.tx.project, why)
            return ()
        found = Agents[Sync](self._caller).get(agent)
        if found.paused_at is None:
            self.tx.run("agents.update", msgspec.structs.replace(found, paused_at=self.tx.now))
            self.tx.record("agent.paused", found.id, why)
        return (found.name,)

    @verb
    def resume(self, agent: str = "") -> tuple[str, ...]:
        """Let all mail, or that of one agent, go on, in its order. For people only; returns whose mail goes on."""
        self._only_people("resume")
        if agent:
            found = Agents[Sync](self._caller).get(agent)
            self.tx.run("agents.update", msgspec.structs.replace(found, paused_at=None))
            self.tx.record("agent.resumed", found.id)
            chosen = [found]
        else:
            self.tx.run("messages.pause", at=None, by=None)
            self.tx.record("project.resumed", self.tx.project)
            chosen = self.tx.all(Agent, "agents.list", retired=False)
        ledger = Ledger(self.tx)
        for one in chosen:
            ledger.release(one.id)
            ledger.ring(one.id)
        return tuple(one.name for one in chosen)

    def _only_people(self, what: str) -> None:
        if self.tx.me.kind not in ("human", "system"):
            raise Forbidden(f"only the project's person may {what} mail", hint="ask them")

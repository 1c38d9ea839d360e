"""The facts about a calling process that `whoami` decides by: its environment, its parents, its terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roost import keyfiles, whoami
from roost.agents.model import Agent
from roost.errors import WhoAreYou
from roost.runtimes.host import LocalHost
from roost.sessions.model import Session
from roost.sessions.service import Sessions
from roost.stores.base import Tx
from roost.verbs import InTx, Sync

if TYPE_CHECKING:
    from roost.connect import Project

VARIABLE = "ROOST_SESSION"
TAKEN_OVER = "taken over"


def session_of_caller(project: Project) -> str:
    """Return the session that this process calls as; the person's is begun if there is none. Raises WhoAreYou."""
    with project.store.read() as tx:
        caller = whoami.decide(look(tx, keys=_keys(project)))
        person = _session_of_person(tx) if isinstance(caller, whoami.IsPerson) else ""
    if isinstance(caller, whoami.IsNobody):
        raise WhoAreYou(caller.why, hint=caller.hint)
    if isinstance(caller, whoami.IsSession):
        return caller.session
    return person or person_joined(project).id


def person_joined(project: Project, name: str = "") -> Session:
    """Begin the session of the project's person; a new one is called `name`, or what git or the login says."""
    from roost.person import name_of_person

    return project.system().turns.person(name or name_of_person())


def look(tx: Tx, *, keys: str = "") -> whoami.Surroundings:
    """Collect the facts; parents are looked at only where the environment does not decide."""
    claim = _claim(tx, os.environ.get(VARIABLE, ""), keys)
    if claim.state == "proved":
        return whoami.Surroundings(claim=claim)
    return whoami.Surroundings(claim=claim, parents=parents(tx), on_terminal=os.isatty(0) or os.isatty(1))


def parents(tx: Tx) -> tuple[whoami.Parent, ...]:
    """List the processes above this one, nearest first, with the live sessions among them."""
    host, sessions = LocalHost(), Sessions[Sync](InTx(tx))
    found = []
    for process in host.parents(os.getppid()):
        session = tx.one(Session, "sessions.of_process", process=process)
        found.append(
            whoami.Parent(
                pid=process.pid,
                command=host.command(process.pid),
                arguments=host.command_line(process.pid),
                group=host.group(process.pid),
                session=session.id if session is not None and sessions.lives(session) else "",
            )
        )
    return tuple(found)


def _claim(tx: Tx, claimed: str, keys: str) -> whoami.Claim:
    if not claimed:
        return whoami.Claim()
    session = tx.one(Session, "sessions.get", id=claimed) if keyfiles.is_session_id(claimed) else None
    if session is None:
        return whoami.Claim(session=claimed, state="unknown")
    if session.ended_at is not None:
        agent = tx.one(Agent, "agents.get", id=session.agent)
        state: whoami.ClaimState = "fenced" if session.end_reason == TAKEN_OVER else "over"
        return whoami.Claim(session=claimed, state=state, agent=agent.name if agent else "")
    proved = bool(keys) and keyfiles.shows(keys, claimed, session.key_hash)
    return whoami.Claim(session=claimed, state="proved" if proved else "unproved")


def _session_of_person(tx: Tx) -> str:
    person = tx.one(Agent, "agents.human")
    session = tx.one(Session, "sessions.live_of", agent=person.id) if person else None
    return session.id if session else ""


def _keys(project: Project) -> str:
    return str(project.place.sessions) if project.place else ""

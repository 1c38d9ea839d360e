"""The facts about a calling process that `whoami` decides by: its environment, its parents, its terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from roost import keyfiles, whoami
from roost.agents.model import Agent
from roost.errors import WhoAreYou
from roost.runtimes.host import LocalHost
from roost.runtimes.worktree import worktree_of
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
        person = session_of_person(tx) if isinstance(caller, whoami.IsPerson) else ""
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
    claim = _claim(tx, os.environ.get(VARIABLE, ""), lambda session, known: keyfiles.shows(keys, session, known))
    if claim.state == "proved":
        return whoami.Surroundings(claim=claim)
    return whoami.Surroundings(claim=claim, parents=parents(tx), on_terminal=os.isatty(0) or os.isatty(1))


def caller_without_store() -> whoami.Caller:
    """Say who is calling where no store can be read, so that no session can be proved: a person, or nobody."""
    if session := os.environ.get(VARIABLE, ""):
        return whoami.IsNobody(
            f"the store cannot be read, so nobody can tell who session {session} is",
            f"unset {VARIABLE}, and say it on a terminal",
        )
    host = LocalHost()
    above = tuple(
        whoami.Parent(
            pid=process.pid,
            command=host.command(process.pid),
            arguments=host.command_line(process.pid),
            group=host.group(process.pid),
        )
        for process in host.parents(os.getpid())
    )
    return whoami.decide(whoami.Surroundings(parents=above, on_terminal=os.isatty(0) or os.isatty(1)))


def look_at(
    tx: Tx, pid: int, *, session: str, key: str, on_terminal: bool, always_above: bool = False
) -> whoami.Surroundings:
    """Collect the facts about another process, which says that it is a session and shows a key.

    Its parents are looked at where that does not decide, or `always_above`.
    """
    claim = _claim(tx, session, lambda _, known: keyfiles.fits(key, known))
    if (claim.state == "proved" and not always_above) or not pid:
        return whoami.Surroundings(claim=claim)
    return whoami.Surroundings(claim=claim, parents=parents(tx, pid), on_terminal=on_terminal)


def parents(tx: Tx, pid: int = 0) -> tuple[whoami.Parent, ...]:
    """List a process (default: this one) and those above it, nearest first, with the live sessions among them.

    This one too: a shell may become the last command of its script, which then is the process that joined.
    """
    host, sessions = LocalHost(), Sessions[Sync](InTx(tx))
    found = []
    for process in host.parents(pid or os.getpid()):
        session = tx.one(Session, "sessions.of_process", process=process)
        live = session if session is not None and sessions.lives(session) else None
        found.append(
            whoami.Parent(
                pid=process.pid,
                command=host.command(process.pid),
                arguments=host.command_line(process.pid),
                group=host.group(process.pid),
                session=live.id if live else "",
                client=live.client if live else "",
            )
        )
    return tuple(found)


def _claim(tx: Tx, claimed: str, proves: Callable[[str, bytes], bool]) -> whoami.Claim:
    if not claimed:
        return whoami.Claim()
    session = tx.one(Session, "sessions.get", id=claimed) if keyfiles.is_session_id(claimed) else None
    if session is None:
        return whoami.Claim(session=claimed, state="unknown")
    if session.ended_at is not None:
        agent = tx.one(Agent, "agents.get", id=session.agent)
        over: whoami.ClaimState = "fenced" if session.end_reason == TAKEN_OVER else "over"
        return whoami.Claim(session=claimed, state=over, agent=agent.name if agent else "")
    state: whoami.ClaimState = "proved" if proves(claimed, session.key_hash) else "unproved"
    return whoami.Claim(session=claimed, state=state, client=session.client)


def session_of_person(tx: Tx) -> str:
    """Return the live session of the project's person, or ''."""
    person = tx.one(Agent, "agents.human")
    session = tx.one(Session, "sessions.live_of", agent=person.id) if person else None
    return session.id if session else ""


def _keys(project: Project) -> str:
    return project.place.at("sessions") if project.place else ""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What `roost join` came to; `where` says in words what the session is bound to, `waiting` counts its mail."""

    session: str
    name: str
    was: str = ""
    how: str = "joined"
    where: str = ""
    forwards: bool = False
    handed: int = 0
    waiting: int = 0


def join_here(project: Project, name: str, *, takeover: bool = False, reclaim: str | None = None) -> Joined:
    """Make this surrounding speak as `name`: an agent's session takes the name, else a session of the shell begins.

    `reclaim` names an agent that is gone and whose mail comes along; '' stands for `name` itself. Raises AgentAlive,
    AlreadyExists, InvalidName, WrongState.
    """
    with project.store.read() as tx:
        around = look(tx, keys=_keys(project))
        if around.claim.state == "proved":
            around = msgspec.structs.replace(around, parents=parents(tx))
    found = whoami.decide(around)
    key, key_hash = keyfiles.new_key()
    if isinstance(found, whoami.IsSession):
        joined = _become(project, found.session, name, key_hash, takeover=takeover, reclaim=reclaim)
    else:
        joined = _begin(project, around, found, name, key_hash, takeover=takeover)
    if joined.how in ("joined", "became") and project.place is not None:
        _leave_key(project, joined.session, key)
    hub = project.as_session(joined.session)
    handed = hub.turns.reclaim(reclaim) if reclaim and reclaim != name else 0
    waiting = hub.messages.peek(limit=1)
    return msgspec.structs.replace(joined, handed=joined.handed + handed, waiting=len(waiting.items) + waiting.more)


def forget_key(project: Project, session: str) -> None:
    """Remove the key of a session that is over."""
    if project.place is not None:
        keyfiles.drop(project.place.at("sessions"), session)


def _become(
    project: Project, session: str, name: str, key_hash: bytes, *, takeover: bool, reclaim: str | None
) -> Joined:
    hub = project.as_session(session)
    became = hub.turns.become(name, key_hash=key_hash, takeover=takeover, reclaim=reclaim in ("", name))
    if became.how == "became":
        forget_key(project, session)
    return Joined(
        session=became.session,
        name=became.name,
        was=became.was,
        how=became.how,
        forwards=became.forwards,
        handed=became.handed,
    )


def _begin(
    project: Project,
    around: whoami.Surroundings,
    found: whoami.Caller,
    name: str,
    key_hash: bytes,
    *,
    takeover: bool,
) -> Joined:
    """Begin a session of the shell that typed it, or of the coding client that it was typed in."""
    client = found.client if isinstance(found, whoami.IsNobody) else ""
    owner = next((parent for parent in around.parents if client and whoami.client_of(parent) == client), None)
    owner = owner or whoami.shell_of(around.parents[1:])
    process = LocalHost().process(owner.pid) if owner else None
    if owner is None or process is None:
        raise WhoAreYou("there is no shell above this process to join", hint="call it from a shell")
    session = project.system().turns.join(
        name,
        client=client or "shell",
        process=process,
        worktree=worktree_of(os.getcwd()).top,
        key_hash=key_hash,
        takeover=takeover,
    )
    return Joined(session=session.id, name=name, where=f"{client or 'this shell'} ({owner.command}, pid {owner.pid})")


def _leave_key(project: Project, session: str, key: str) -> None:
    """Write the key beside those of the other live sessions; those of sessions that are over go."""
    assert project.place is not None
    folder = project.place.at("sessions")
    with project.store.read() as tx:
        live = {one.id: one.key_hash for one in tx.all(Session, "sessions.live")}
    for known in keyfiles.kept(folder):
        if known not in live:
            keyfiles.drop(folder, known)
    if live.get(session) == keyfiles.digest(key) and session not in keyfiles.kept(folder):
        keyfiles.write(folder, session, key)

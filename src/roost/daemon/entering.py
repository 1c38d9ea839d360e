"""Who comes in by the native socket: proved by the kernel (which process), the session's key, or a token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roost import keyfiles, whoami
from roost.calling import look_at, session_of_person
from roost.errors import RateLimited, WhoAreYou
from roost.interfaces.door import Entrant
from roost.interfaces.wire.frames import Hello
from roost.names import slug
from roost.person import name_of_person
from roost.runtimes.host import LocalHost
from roost.runtimes.worktree import Worktree, worktree_of
from roost.sessions.model import Session
from roost.tokens.model import Entry
from roost.tokens.service import HINT, MISSING, Tokens
from roost.turns.model import Surroundings
from roost.turns.service import Turns

if TYPE_CHECKING:
    from roost.daemon.core import Core


CLIENT_CHARACTERS_MAX = 56
"""What a client's own name gives to those of its agents: `-N` follows."""


async def enter(core: Core, hello: Hello, *, pid: int, address: str = "") -> Entrant:
    """Return who says hello. `pid` is the peer's by its socket; 0 where the kernel cannot tell.

    Raises WhoAreYou, AgentAlive, InvalidName, RateLimited.
    """
    if hello.token or not pid:
        return await enter_by_token(core, hello.token, address=address)
    if hello.resume:
        return _entrant(core, _resumed(core, hello, pid))
    if hello.name:
        return _entrant(core, await _join(core, hello, pid))
    return _entrant(core, await _session_of(core, hello, pid))


async def enter_by_pipe(core: Core, hello: Hello, *, pid: int, client: str) -> Entrant:
    """Return who speaks through a pipe that the client which calls itself `client` started; one that has not joined
    joins. Raises WhoAreYou."""
    named = whoami.client_named(client) or (slug(client) or "mcp")[:CLIENT_CHARACTERS_MAX].rstrip("-._")
    with core.reading() as tx:
        around = look_at(tx, pid, session=hello.session, key=hello.key, on_terminal=False, always_above=True)
    found = whoami.decide_pipe(around, named)
    if isinstance(found, whoami.IsNobody):
        raise WhoAreYou(found.why, hint=found.hint)
    if isinstance(found, whoami.IsSession):
        return _entrant(core, found.session)
    tree = worktree_of(hello.folder) if hello.folder else Worktree()
    newcomer = Surroundings(
        client_pid=found.pid, worktree=tree.top, linked_name=tree.linked_name, agent_wanted=hello.agent
    )
    key, key_hash = keyfiles.new_key()
    session: Session = await core.call("", Turns.arrive, Turns, (named, newcomer), {"key_hash": key_hash})
    if session.key_hash == key_hash and core.project.place is not None:
        keyfiles.write(core.project.place.at("sessions"), session.id, key)  # for its shell, once hooks name it there
    return _entrant(core, session.id)


async def enter_by_token(core: Core, token: str, *, address: str) -> Entrant:
    """Return whom a token lets in. Raises WhoAreYou, RateLimited."""
    entry: Entry = await core.call("", Tokens.admit, Tokens, (token,), {"address": address})
    if entry.retry_after:
        raise RateLimited(entry.refused, hint=f"try again in {entry.retry_after:.0f} s", retry_after=entry.retry_after)
    if entry.refused:
        raise WhoAreYou(entry.refused if token else MISSING, hint=HINT)
    return Entrant(
        session=entry.session,
        agent=entry.agent,
        name=entry.name,
        kind=entry.kind,
        scopes=frozenset(entry.scopes),
        token=entry.token,
    )


async def _join(core: Core, hello: Hello, pid: int) -> str:
    process = LocalHost().process(pid)
    kwargs = {"process": process, "takeover": hello.takeover}
    session: Session = await core.call("", Turns.join, Turns, (hello.name,), kwargs)
    return session.id


def _resumed(core: Core, hello: Hello, pid: int) -> str:
    with core.reading() as tx:
        session = tx.one(Session, "sessions.get", id=hello.resume)
    if session is None or session.process not in LocalHost().parents(pid):  # a child of a fork has its parent's hub
        raise WhoAreYou("this process joined no such session, nor did one above it", hint="open the hub again")
    return session.id


async def _session_of(core: Core, hello: Hello, pid: int) -> str:
    with core.reading() as tx:
        around = look_at(tx, pid, session=hello.session, key=hello.key, on_terminal=hello.terminal)
        found = whoami.decide(around)
        person = session_of_person(tx) if isinstance(found, whoami.IsPerson) else ""
    if isinstance(found, whoami.IsNobody):
        raise WhoAreYou(found.why, hint=found.hint)
    if isinstance(found, whoami.IsSession):
        return found.session
    if person:
        return person
    session: Session = await core.call("", Turns.person, Turns, (name_of_person(),), {})
    return session.id


def _entrant(core: Core, session: str) -> Entrant:
    me = core.me(session)
    return Entrant(session=session, agent=me.agent, name=me.name, kind=me.kind)


def is_ours(uid: int) -> bool:
    """Say whether a peer is of this user: nobody else may use the native socket, whatever the folder's mode says."""
    return uid == os.geteuid()

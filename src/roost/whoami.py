"""Who is calling: decided from facts about the environment and the parent processes, and from nothing else.

The first that applies: the session that `ROOST_SESSION` names and whose key the caller can read; the nearest parent
process that is a live session; on a terminal, with no coding client among the parents, the project's person. Processes
of one user can read each other's keys: this tells callers apart, and is no wall between them.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

import msgspec

CLIENTS = ("claude", "codex", "gemini", "qwen")
"""The commands of coding clients; what runs under one that has not joined is never taken for the person."""

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "busybox"})

_RUNTIMES = frozenset({"node", "bun", "deno", "MainThread", "node-MainThread"})
_PACKAGES = {"claude-code": "claude", "codex": "codex", "gemini-cli": "gemini", "qwen-code": "qwen"}
_ARGUMENTS_LOOKED_AT_MAX = 4

ClaimState = Literal["none", "proved", "over", "fenced", "unknown", "unproved"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What came of `ROOST_SESSION`.

    Nothing claimed, proved by its key, a session that is over or was taken over, one that this store does not know, or
    one whose key the caller could not show.
    """

    session: str = ""
    state: ClaimState = "none"
    agent: str = ""
    client: str = ""


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The caller, or a process above it: its pid, short name, command line, and the live session in it, if any.

    `client` is that session's.
    """

    pid: int
    command: str
    arguments: tuple[str, ...] = ()
    group: int = 0
    session: str = ""
    client: str = ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that tells who is calling; `parents` nearest first, led by the caller itself."""

    claim: Claim = Claim()
    parents: tuple[Parent, ...] = ()
    on_terminal: bool = False


class IsSession(msgspec.Struct, frozen=True):
    """The caller is this session."""

    session: str


class IsPerson(msgspec.Struct, frozen=True):
    """The caller is the project's person."""


class IsNobody(msgspec.Struct, frozen=True):
    """Nothing says who is calling: why, what to do, and the coding client that it runs in, if one was seen."""

    why: str
    hint: str
    client: str = ""


class Newcomer(msgspec.Struct, frozen=True):
    """The caller is a client that has not joined; its process has this pid."""

    pid: int


Caller = IsSession | IsPerson | IsNobody

_UNSEEN = IsNobody("the process that started this one cannot be seen", "join first: `roost join NAME`")


def decide(around: Surroundings) -> Caller:
    """Return who is calling."""
    claim = around.claim
    if claim.state == "proved":
        return IsSession(claim.session)
    if claim.state == "unproved":
        return IsNobody(
            "ROOST_SESSION names a session whose key this process cannot read",
            "unset ROOST_SESSION, or join again: `roost join NAME`",
        )
    for parent in around.parents:
        if parent.session:
            return IsSession(parent.session)
        if client := client_of(parent):
            return _in_client(client)
    if claim.state == "fenced":
        # An agent that was taken over must not go on as the person, whose word weighs more.
        return IsNobody(
            f"this shell's session of {claim.agent} was taken over",
            "join again: `roost join NAME`, or open a new shell",
        )
    if around.on_terminal:
        return IsPerson()
    return IsNobody(
        "nothing here says who is calling: no ROOST_SESSION, no joined parent process, no terminal",
        'join first: eval "$(roost join NAME --shell)"',
    )


def decide_pipe(around: Surroundings, client: str) -> IsSession | IsNobody | Newcomer:
    """Return who is at the other end of a pipe: of `roost mcp`, which `client` started.

    `parents` begin with the pipe itself and are there whatever is claimed. A coding client is somebody of its own: in
    the shell of another agent it inherits that agent's `ROOST_SESSION`, and is not that agent.
    """
    if client in CLIENTS:
        return _decide_client(around, client)
    found = decide(around)
    if isinstance(found, IsSession) or around.claim.state == "unproved":
        return found  # type: ignore[return-value]
    own = _up_to_starter(around.parents)
    return Newcomer(own[-1].pid) if own else _UNSEEN


def client_named(said: str) -> str:
    """Return which of CLIENTS calls itself so (`codex-mcp-client`), or ''."""
    words = re.split(r"[^a-z]+", said.casefold())
    return next((client for client in CLIENTS if client in words), "")


def client_of(parent: Parent) -> str:
    """Return the coding client that a process runs, or ''."""
    if parent.command in CLIENTS:
        return parent.command
    first = _base(parent.arguments[0]) if parent.arguments else ""
    if first in CLIENTS:
        return first
    if parent.command not in _RUNTIMES and first not in _RUNTIMES:
        return ""
    return next(filter(None, map(_client_script, parent.arguments[1:_ARGUMENTS_LOOKED_AT_MAX])), "")


def shell_of(parents: tuple[Parent, ...]) -> Parent | None:
    """Return the process that a `roost join` typed into a shell binds to, or None without a parent.

    `eval "$(roost join ...)"` runs in a copy of the shell that ends at once: same command line, same process group.
    """
    for parent, above in pairwise(parents):
        if (parent.arguments, parent.group) != (above.arguments, above.group):
            return parent
    return parents[-1] if parents else None


def _decide_client(around: Surroundings, client: str) -> IsSession | IsNobody | Newcomer:
    claim, own = around.claim, _own_processes(around.parents, client)
    joined = next((parent.session for parent in own if parent.session), "")
    if joined:
        return IsSession(joined)
    if claim.state == "proved" and (claim.client not in CLIENTS or not own):
        return IsSession(claim.session)  # a person joined in the shell that started the client
    return Newcomer(own[-1].pid) if own else _UNSEEN


def _own_processes(parents: tuple[Parent, ...], client: str) -> tuple[Parent, ...]:
    """Return the pipe and what lies between it and its client, which comes last; () if that cannot be seen."""
    for place, parent in enumerate(parents):
        seen = client_of(parent)
        if seen == client:
            return parents[: place + 1]
        if seen:
            break
    return _up_to_starter(parents)


def _up_to_starter(parents: tuple[Parent, ...]) -> tuple[Parent, ...]:
    """Return the pipe and, through shells or not, what started it."""
    starter = next((place for place, parent in enumerate(parents) if place and parent.command not in SHELLS), None)
    return () if starter is None else parents[: starter + 1]


def _in_client(client: str) -> IsNobody:
    return IsNobody(
        f"this runs inside {client}, which has not joined",
        "join as an agent: `roost join NAME`; `roost init` installs what does it by itself",
        client,
    )


def _client_script(argument: str) -> str:
    for part in argument.split("/"):
        if part in _PACKAGES:
            return _PACKAGES[part]
    name = _base(argument).removesuffix(".js").removesuffix(".mjs")
    return name if name in CLIENTS else ""


def _base(path: str) -> str:
    return path.rpartition("/")[2].lstrip("-")

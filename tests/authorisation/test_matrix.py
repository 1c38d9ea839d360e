"""Who may do what: all pairs of actor, scopes, door, verb and whose the object is, against a small oracle."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import pytest

from roost.daemon import door as door_module
from roost.hub import Hub
from roost.tokens.model import Token
from roost.tokens.service import Tokens
from roost.verbs import Sync

from . import callers
from .callers import Credential
from .pairs import all_pairs, pairs_of
from .stage import ALL, Stage

HOUR = 3_600.0
AXES = {
    "actor": ("agent", "person", "other agent", "nobody", "expired", "revoked"),
    "scopes": ("send", "read", "lease", "admin", "send read lease", "send read lease admin"),
    "door": ("native", "tls", "http", "websocket", "events", "mcp", "pipe", "far pipe"),
    "verb": ALL,
    "object": ("own", "another's"),
}
OFFERED = {"websocket": ("send", "read"), "events": ("read",), "mcp": ALL[:3], "pipe": ALL[:3], "far pipe": ALL[:3]}
"""What is not offered by every door: nothing of an administrator goes by MCP (T6)."""
BY_KEY = ("native", "pipe")
"""Doors at which a session shows its key; a token's scopes are no matter there."""


class Case(NamedTuple):
    """Who asks by which door, with which scopes, for what, of whom."""

    actor: str
    scopes: str
    door: str
    verb: str
    object: str


def fits(values: tuple[str, ...]) -> bool:
    case = Case(*values)
    if case.verb not in OFFERED.get(case.door, ALL):
        return False
    if (case.actor, case.door) == ("nobody", "pipe"):
        return False  # a client of this user's that speaks MCP joins, and is somebody
    return "admin" not in case.scopes or case.actor in ("person", "nobody", "expired", "revoked")


PAIRS = [Case(*values) for values in all_pairs(AXES, fits)]
TRESPASSES = [
    case
    for case in (Case("agent", "send read lease", door, verb, "another's") for door in AXES["door"] for verb in ALL)
    if fits(case) and case not in PAIRS
]
"""By every door an agent that may reaches for what is another's: two values at a time do not see to that."""
CASES = [*PAIRS, *TRESPASSES]


def expected(case: Case) -> str:
    """The oracle: who is unknown gets nothing, who lacks a scope neither, and what is another's stays so."""
    if case.actor in ("nobody", "expired", "revoked"):
        return "who are you"
    if case.door not in BY_KEY and case.verb not in case.scopes.split():
        return "no scope"
    if case.object == "own" or (case.actor == "person" and case.verb in ("read", "admin")):
        return "done"
    return "not yours" if case.verb == "lease" else "unseen"


class Play:
    """Whoever acts, and the things that are made anew for each case."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.planner = stage.joined("planner")
        self.victim = stage.joined("victim")
        stage.joined("builder")
        if "stranger" not in [one.name for one in stage.system.agents.list()]:
            stage.system.agents.add("stranger")
        self.admits = stage.person.tokens

    def ask(self, case: Case) -> str:
        """Make the call of a case; return what became of it."""
        name = {"person": "ada", "other agent": "stranger"}.get(case.actor, "builder")
        if "admin" in case.scopes:
            name = "ada"
        if case.door in BY_KEY and name == "stranger":
            name = "late"
            self.stage.joined(name)
        credential = self._credential(case, name)
        thing = self._thing(case, name)
        return _DOORS[case.door](self.stage, credential, case.verb, thing)

    def _credential(self, case: Case, name: str) -> Credential:
        if case.actor == "nobody":
            return Credential()
        if case.door in BY_KEY and case.actor not in ("expired", "revoked"):
            session, key = self.stage.keys[name]
            return Credential(session=session, key=key)
        made = self.admits.create(name, scopes=case.scopes.split(), expires_in=HOUR)
        if case.actor == "revoked":
            self.admits.revoke(made.token.id)
        if case.actor == "expired":
            self.stage.clock.advance(HOUR)
        return Credential(token=made.key)

    def _thing(self, case: Case, name: str) -> str:
        """Make what the call is about: a message, a lease or a token, the actor's own or the victim's."""
        owner = name if case.object == "own" else "victim"
        if case.verb == "admin":
            return self.admits.create(owner, scopes=["read"]).token.id
        if case.verb == "lease":
            key = f"resource:r{self.stage.system.history.head().seq}"
            self._hub(owner).leases.acquire(key, ttl=HOUR)
            return key
        start = self.stage.system.history.head().cursor
        sent = self.planner.messages.send(to=owner, text=f"for {owner}", requires_ack=True)
        return start if case.door in ("websocket", "events") and case.verb == "read" else f"m{sent.number}"

    def _hub(self, name: str) -> Hub[Sync]:
        if name in self.stage.keys:
            return self.stage.joined(name)
        entry = self.stage.system.tokens.admit(self.admits.create(name, expires_in=HOUR).key)
        return self.stage.project.as_session(entry.session)


Door = Callable[[Stage, Credential, str, str], str]


def _wire(stage: Stage, who: Credential, verb: str, thing: str, *, is_far: bool = False) -> str:
    name, argument = {
        "send": ("deliveries.acknowledge", "message"),
        "read": ("messages.get", "message"),
        "lease": ("leases.release", "key"),
        "admin": ("tokens.revoke", "token"),
    }[verb]
    return callers.by_wire(stage, who, name, {argument: thing}, is_far=is_far)


def _tls(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    return _wire(stage, who, verb, thing, is_far=True)


def _http(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    method, path, body = {
        "send": ("POST", f"/v1/messages/{thing}/ack", None),
        "read": ("GET", f"/v1/messages/{thing}", None),
        "lease": ("POST", "/v1/leases/release", {"key": thing}),
        "admin": ("DELETE", f"/v1/tokens/{thing}", None),
    }[verb]
    return callers.by_http(stage, who, method, path, body)


def _websocket(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    if verb == "send":
        return callers.by_socket(stage, who, {"type": "ack", "message": thing}, until="acked")[0]
    asked = {"type": "subscribe", "cursor": thing, "filter": {"kinds": ["message.sent"]}}
    word, frame = callers.by_socket(stage, who, asked, until="event")
    return _seen(word, frame and frame["told"])


def _events(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    return _seen(*callers.by_events(stage, who, thing))


def _seen(word: str, told: Any) -> str:
    """An event is everybody's, the message that it tells of is not."""
    return "unseen" if word == "done" and told["message"] is None else word


def _tool(verb: str, thing: str) -> tuple[str, dict[str, Any]]:
    if verb == "read":
        return "resources/read", {"uri": f"roost://thread/{thing}"}
    if verb == "send":
        return "tools/call", {"name": "ack", "arguments": {"messages": thing}}
    return "tools/call", {"name": "lease", "arguments": {"action": "release", "key": thing}}


def _mcp(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    return callers.by_mcp(stage, who, *_tool(verb, thing))


def _pipe(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    return callers.by_pipe(stage, who, *_tool(verb, thing))


def _far_pipe(stage: Stage, who: Credential, verb: str, thing: str) -> str:
    return callers.by_pipe(stage, who, *_tool(verb, thing), is_far=True)


_DOORS: dict[str, Door] = {
    "native": _wire,
    "tls": _tls,
    "http": _http,
    "websocket": _websocket,
    "events": _events,
    "mcp": _mcp,
    "pipe": _pipe,
    "far pipe": _far_pipe,
}


@pytest.mark.parametrize("case", CASES, ids=[", ".join(case) for case in CASES])
def test_who_may_do_what(stage: Stage, case: Case) -> None:
    """T11, T6: every two of actor, scopes, door, verb and owner meet here."""
    assert Play(stage).ask(case) == expected(case)


def test_the_matrix_holds_every_pair_that_there_is() -> None:
    every = set().union(*(pairs_of(case) for case in product(*AXES.values()) if fits(case)))
    assert set().union(*(pairs_of(case) for case in PAIRS)) == every
    assert len(PAIRS) < 80 < len(list(filter(fits, product(*AXES.values()))))
    assert {expected(case) for case in CASES} == {"done", "who are you", "no scope", "unseen", "not yours"}


def test_a_scope_that_is_not_checked_turns_it_red(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: with the check planted away, every case that it refuses comes out otherwise."""
    monkeypatch.setattr(door_module, "check_scope", lambda *args: None)
    refused = [case for case in CASES if expected(case) == "no scope"]
    assert len(refused) > 10
    assert [case for case in refused if Play(stage).ask(case) == "no scope"] == []


def test_an_owner_who_is_not_checked_turns_it_red(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for what belongs to another."""
    monkeypatch.setattr(Tokens, "_mine", lambda tokens, token: tokens.tx.one(Token, "tokens.get", id=token))
    case = Case("agent", "send read lease", "native", "admin", "another's")
    assert case in CASES and expected(case) == "unseen" and Play(stage).ask(case) == "done"

"""Tokens: whom a key lets in, for how long, who may make and end them, and that the key itself is nowhere."""

from __future__ import annotations

import hashlib
import hmac
import inspect
import os
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.errors import (
    Forbidden,
    InvalidInput,
    InvalidText,
    InvalidTtl,
    LimitReached,
    NotFound,
    RoostError,
    SessionEnded,
    UnknownAgent,
)
from roost.hub import Hub
from roost.tokens import rules, service
from roost.tokens.model import Entry, Token
from roost.tokens.service import TOKENS_MAX
from roost.verbs import Sync
from tests.services.conftest import HubOf

HOUR = 3_600.0


def enter(project: Project, key: str, address: str = "") -> Entry:
    """Show a key at a door."""
    return project.system().tokens.admit(key, address=address)


def kinds(project: Project) -> list[str]:
    return [event.kind for event in project.system().history.since("", kinds=["token"], limit=500).events]


def test_a_token_lets_its_agent_in_with_its_scopes(project: Project, hub: HubOf) -> None:
    made = hub("builder").tokens.create(scopes=["read", "send"], label="the dashboard")
    assert rules.is_key(made.key) and made.token.id == rules.id_of(made.key)
    entry = enter(project, made.key)
    me = hub("builder").sessions.me()
    assert (entry.agent, entry.name, entry.kind, entry.token) == (me.agent, "builder", "agent", made.token.id)
    assert (entry.scopes, entry.refused) == (("send", "read"), "")
    assert entry.session == me.session, "it acts as the live session of its agent"


def test_each_key_is_of_32_fresh_random_bytes(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    random = os.urandom

    def counted(size: int) -> bytes:
        asked.append(size)
        return random(size)

    monkeypatch.setattr(os, "urandom", counted)
    keys = {hub("builder").tokens.create().key for _ in range(20)}
    assert len(keys) == 20
    assert asked.count(32) == 20, "each from the kernel"


def test_the_key_is_in_no_file_of_the_project(project: Project, hub: HubOf, tmp_path: Path) -> None:
    """T10: whoever reads the database, its log, a backup or an export has no key."""
    tokens = hub("builder").tokens
    first = tokens.create(label="one")
    keys = [first.key, tokens.rotate(first.token.id).key]
    enter(project, keys[0])
    enter(project, "rst_" + "Z" * 43, "10.0.0.1")
    project.backup(tmp_path / "backup.db")
    project.export(tmp_path / "export.jsonl")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in written) and len(written) > 2
    for path in written:
        data = path.read_bytes()
        for key in [*keys, "rst_" + "Z" * 43]:
            assert key.encode() not in data and key.removeprefix("rst_").encode() not in data, path
    stored = b"".join(path.read_bytes() for path in written)
    assert hashlib.sha256(keys[0].encode()).digest() in stored, "what is kept is its hash"


def test_the_key_is_shown_once(hub: HubOf) -> None:
    made = hub("builder").tokens.create()
    assert "key" not in Token.__struct_fields__ and "hash" not in Token.__struct_fields__
    shown = repr(hub("builder").tokens.list()) + repr(hub("builder").tokens.revoke(made.token.id))
    assert made.key not in shown


def test_the_hash_is_compared_in_constant_time(project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """T10: a key whose id is known and whose rest is wrong is told from no other by the time that it takes."""
    compared: list[tuple[bytes, bytes]] = []

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(service, "compare_digest", noted)
    made = hub("builder").tokens.create()
    assert not enter(project, made.key).refused
    assert compared == [(hashlib.sha256(made.key.encode()).digest(),) * 2]
    assert "hash ==" not in inspect.getsource(service) and "hash !=" not in inspect.getsource(service)


def test_another_key_of_the_same_id_is_refused(project: Project, hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    made = hub("builder").tokens.create()
    monkeypatch.setattr(rules, "id_of", lambda key: made.token.id)
    assert enter(project, "rst_" + "A" * 43).refused
    assert not enter(project, made.key).refused


def test_a_token_ends_when_its_time_is_over(project: Project, hub: HubOf, clock: ManualClock) -> None:
    made = hub("builder").tokens.create(expires_in=HOUR)
    clock.advance(HOUR - 1)
    assert project.system().tokens.valid(made.token.id) and not enter(project, made.key).refused
    clock.advance(1)
    assert enter(project, made.key).refused == service.UNKNOWN
    assert not project.system().tokens.valid(made.token.id)


def test_a_wall_clock_that_is_set_back_makes_nothing_valid_again(
    project: Project, hub: HubOf, clock: ManualClock
) -> None:
    made = hub("builder").tokens.create(expires_in=HOUR)
    clock.advance(HOUR)
    assert enter(project, made.key).refused
    clock.jump_wall(-2 * HOUR)
    assert enter(project, made.key).refused


def test_a_revoked_token_is_over_at_once_and_twice_is_once(project: Project, hub: HubOf) -> None:
    made = hub("builder").tokens.create()
    ended = hub("builder").tokens.revoke(made.token.id)
    assert enter(project, made.key).refused
    assert hub("builder").tokens.revoke(made.token.id) == ended
    assert kinds(project).count("token.revoked") == 1


def test_a_rotated_token_works_until_the_overlap_is_over(project: Project, hub: HubOf, clock: ManualClock) -> None:
    """T9: the new key is valid from now on, the old one for as long as was said, and no longer."""
    old = hub("builder").tokens.create(scopes=["read"], expires_in=10 * HOUR, label="nightly")
    clock.advance(HOUR)
    new = hub("builder").tokens.rotate(old.token.id, overlap=60)
    assert new.key != old.key
    assert (new.token.scopes, new.token.label) == (("read",), "nightly")
    assert new.token.expires_at - new.token.created_at == 10 * HOUR * 1000
    clock.advance(59)
    assert not enter(project, old.key).refused and not enter(project, new.key).refused
    clock.advance(1)
    assert enter(project, old.key).refused and not enter(project, new.key).refused
    listed = {one.id: one for one in hub("builder").tokens.list()}
    assert listed[old.token.id].replaced_by == new.token.id


def test_no_overlap_ends_the_old_one_at_once(project: Project, hub: HubOf) -> None:
    old = hub("builder").tokens.create()
    new = hub("builder").tokens.rotate(old.token.id, overlap=0)
    assert enter(project, old.key).refused and not enter(project, new.key).refused
    with pytest.raises(Forbidden, match="is over"):
        hub("builder").tokens.rotate(old.token.id)


def test_an_overlap_can_be_cut_short_and_not_made_longer(project: Project, hub: HubOf, clock: ManualClock) -> None:
    old = hub("builder").tokens.create()
    hub("builder").tokens.rotate(old.token.id, overlap=60)
    hub("builder").tokens.rotate(old.token.id, overlap=600)
    clock.advance(61)
    assert enter(project, old.key).refused, "the shorter overlap holds"
    again = hub("builder").tokens.create()
    hub("builder").tokens.rotate(again.token.id, overlap=600)
    hub("builder").tokens.revoke(again.token.id)
    assert enter(project, again.key).refused


def test_an_agent_sees_and_ends_its_own_tokens_only(project: Project, hub: HubOf, person: Hub[Sync]) -> None:
    """T11: another's token is not there at all."""
    made = hub("builder").tokens.create()
    assert hub("planner").tokens.list() == ()
    for call in (hub("planner").tokens.revoke, hub("planner").tokens.rotate):
        with pytest.raises(NotFound, match="there is no token"):
            call(made.token.id)
    with pytest.raises(Forbidden, match="builder"):
        hub("planner").tokens.create("builder")
    with pytest.raises(Forbidden, match="builder"):
        hub("planner").tokens.list("builder")
    assert not enter(project, made.key).refused
    assert [one.name for one in person.tokens.list()] == ["builder"]
    person.tokens.revoke(made.token.id)
    assert enter(project, made.key).refused


def test_a_person_makes_tokens_for_all_and_admin_for_persons(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder")
    assert person.tokens.create("builder").token.name == "builder"
    assert person.tokens.create(scopes=["admin", "read"]).token.scopes == ("read", "admin")
    with pytest.raises(Forbidden, match="admin"):
        person.tokens.create("builder", scopes=["admin"])
    with pytest.raises(Forbidden, match="admin"):
        hub("builder").tokens.create(scopes=["admin", "send"])


def test_a_retired_agents_token_lets_nobody_in(
    project: Project, hub: HubOf, person: Hub[Sync], clock: ManualClock
) -> None:
    made = person.tokens.create(person.agents.add("nightly").name)
    assert not enter(project, made.key).refused
    session = enter(project, made.key).session
    project.as_session(session).turns.leave()
    person.agents.retire("nightly")
    assert enter(project, made.key).refused and not project.system().tokens.valid(made.token.id)


def test_an_agent_without_a_session_gets_one_that_its_token_keeps_alive(
    project: Project, person: Hub[Sync], clock: ManualClock
) -> None:
    made = person.tokens.create(person.agents.add("nightly").name)
    first = enter(project, made.key).session
    for _ in range(10):
        clock.advance(60)
        assert enter(project, made.key).session == first, "each entry is a sign of life"
    sent = project.as_session(first).messages.send(to="ada", text="done")
    assert person.messages.get(f"m{sent.number}").sender_name == "nightly"


def test_an_entry_leaves_what_its_agent_told_of_itself(project: Project, person: Hub[Sync], clock: ManualClock) -> None:
    made = person.tokens.create(person.agents.add("nightly").name)
    session = enter(project, made.key).session
    project.as_session(session).sessions.beat("busy", operation="the nightly build")
    for _ in range(10):
        clock.advance(60)
        assert enter(project, made.key).session == session
    (activity,) = person.sessions.activity("nightly")
    assert (activity.state, activity.operation) == ("busy", "the nightly build")
    assert activity.silent_seconds < 600, "it is a sign of life all the same"


def test_who_takes_over_fences_the_session_of_a_token(project: Project, person: Hub[Sync]) -> None:
    made = person.tokens.create(person.agents.add("nightly").name)
    old = enter(project, made.key).session
    project.system().turns.join("nightly", client="shell", takeover=True)
    with pytest.raises(SessionEnded):
        project.as_session(old).sessions.me()
    assert enter(project, made.key).session != old


def test_at_most_a_hundred_are_valid_at_a_time(hub: HubOf, clock: ManualClock) -> None:
    tokens = hub("builder").tokens
    made = [tokens.create(expires_in=HOUR) for _ in range(TOKENS_MAX)]
    with pytest.raises(LimitReached, match="100 valid tokens"):
        tokens.create()
    tokens.revoke(made[0].token.id)
    tokens.create(expires_in=2 * HOUR)
    clock.advance(HOUR)
    tokens.create()


WRONG_MAKING: list[tuple[dict[str, Any], type[RoostError]]] = [
    ({"scopes": ()}, InvalidInput),
    ({"scopes": "send"}, InvalidInput),
    ({"scopes": ["send", "root"]}, InvalidInput),
    ({"scopes": [["send"]]}, InvalidInput),
    ({"scopes": None}, InvalidInput),
    ({"scopes": 7}, InvalidInput),
    ({"expires_in": 0}, InvalidTtl),
    ({"expires_in": 59 * 60}, InvalidTtl),
    ({"expires_in": 366 * 86_400}, InvalidTtl),
    ({"expires_in": inf}, InvalidTtl),
    ({"expires_in": nan}, InvalidTtl),
    ({"expires_in": "90d"}, InvalidTtl),
    ({"expires_in": True}, InvalidTtl),
    ({"label": "two\nlines"}, InvalidText),
    ({"label": "x" * 201}, InvalidText),
    ({"label": "\x1b]0;owned\x07"}, InvalidText),
    ({"name": "nobody-here"}, UnknownAgent),
    ({"name": "\ud800"}, InvalidInput),
    ({"name": 7}, InvalidInput),
]


@pytest.mark.parametrize(("fields", "kind"), WRONG_MAKING, ids=lambda found: str(found)[:40])
def test_a_wrong_wish_makes_nothing(
    project: Project, person: Hub[Sync], fields: dict[str, Any], kind: type[RoostError]
) -> None:
    with pytest.raises(kind) as refused:
        person.tokens.create(**fields)
    assert refused.value.message and refused.value.hint
    assert person.tokens.list() == () and kinds(project) == []


@pytest.mark.parametrize("id", ["", "x", "0" * 16, "F" * 16, "0" * 15 + "\n", "\ud800", "\0", b"0" * 16, None, 7, [1]])
def test_a_wrong_id_is_no_token(person: Hub[Sync], id: Any) -> None:
    for call in (person.tokens.revoke, person.tokens.rotate):
        with pytest.raises(NotFound, match="there is no token"):
            call(id)


def test_a_key_given_for_an_id_is_not_repeated(person: Hub[Sync]) -> None:
    made = person.tokens.create()
    with pytest.raises(NotFound, match="give its id") as refused:
        person.tokens.revoke(made.key)
    assert made.key not in f"{refused.value} {refused.value.details}"


@pytest.mark.parametrize("overlap", [-1, 86_401, inf, nan, "60", None, True])
def test_a_wrong_overlap_replaces_nothing(project: Project, person: Hub[Sync], overlap: Any) -> None:
    made = person.tokens.create()
    with pytest.raises(InvalidTtl, match="overlap"):
        person.tokens.rotate(made.token.id, overlap=overlap)
    assert not enter(project, made.key).refused and len(person.tokens.list()) == 1


def test_whatever_is_no_key_of_ours_is_refused_alike(project: Project, hub: HubOf, clock: ManualClock) -> None:
    """T10: unknown, over, revoked and malformed keys tell a prober nothing of which it was."""
    revoked, over = hub("builder").tokens.create(), hub("builder").tokens.create(expires_in=HOUR)
    hub("builder").tokens.revoke(revoked.token.id)
    clock.advance(HOUR)
    wrong: list[Any] = [
        revoked.key,
        over.key,
        "",
        "rst_",
        "rst_" + "A" * 43,
        "rst_" + "\ud800" * 43,
        "x" * 100_000,
        None,
    ]
    assert {enter(project, key).refused for key in wrong} == {service.UNKNOWN}


def test_refusals_are_counted_by_address_and_told_once_a_minute(
    project: Project, hub: HubOf, clock: ManualClock
) -> None:
    """T20: the eleventh wrong token of a minute is not looked at; a good one is."""
    made = hub("builder").tokens.create()
    answers = [enter(project, f"rst_{number:043}", "10.0.0.1") for number in range(12)]
    assert [answer.retry_after > 0 for answer in answers] == [False] * 10 + [True] * 2
    assert not enter(project, made.key, "10.0.0.1").refused
    assert not enter(project, "rst_" + "A" * 43, "10.0.0.2").retry_after, "others are not held up"
    assert kinds(project).count("token.refused") == 2, "one for each address"
    clock.advance(61)
    assert not enter(project, f"rst_{0:043}", "10.0.0.1").retry_after
    told = project.system().history.since("", kinds=["token.refused"], object="10.0.0.1", limit=10).events[-1]
    assert told.data == {"why": "wrong token", "refused_before": 10}


def test_a_missing_scope_is_told_once_a_minute(project: Project, hub: HubOf, clock: ManualClock) -> None:
    made = hub("builder").tokens.create(scopes=["read"])
    denied = project.system().tokens.denied
    for _ in range(3):
        denied(token=made.token.id, verb="messages.send", scope="send")
    told = project.system().history.since("", kinds=["token.denied"], limit=10).events
    assert [(one.object, one.data) for one in told] == [(made.token.id, {"verb": "messages.send", "scope": "send"})]
    clock.advance(61)
    denied(token=made.token.id, verb="messages.send", scope="send")
    assert kinds(project).count("token.denied") == 2
    denied(address="10.0.0.9")
    assert project.system().history.since("", kinds=["token.refused"], limit=10).events[-1].data == {"why": "no token"}


def test_the_log_says_who_made_rotated_and_revoked_what(project: Project, hub: HubOf) -> None:
    tokens = hub("builder").tokens
    old = tokens.create(scopes=["read"])
    new = tokens.rotate(old.token.id, overlap=5)
    tokens.revoke(new.token.id)
    me = hub("builder").sessions.me().agent
    told = project.system().history.since("", kinds=["token"], limit=10).events
    assert [(one.kind, one.object, one.actor) for one in told] == [
        ("token.created", old.token.id, me),
        ("token.created", new.token.id, me),
        ("token.rotated", old.token.id, me),
        ("token.revoked", new.token.id, me),
    ]
    assert told[2].data == {"agent": me, "by": new.token.id, "overlap_ms": 5_000}
    assert project.system().history.verify().good

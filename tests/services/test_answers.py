"""Whatever is read or followed: every verb that looks, over a project in which everything has happened once.

By a door each answer is held to the file's as it is made; see `backends.Mirrored`.
"""

from __future__ import annotations

from typing import Any

import pytest

from roost.clock import ManualClock
from roost.errors import InvalidInput, InvalidUtf8, RoostError
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.backends import Mirrored
from tests.services.conftest import HubOf
from tests.services.verbs_of_hub import verbs_of_the_hub

Look = dict[str, dict[str, Any]]
LOOKING: Look = {
    "agents.aliases": {"name": "builder"},
    "agents.get": {"name": "Agent-4"},
    "agents.list": {"retired": True},
    "briefings.last_checkpoint": {"agent": "builder"},
    "briefings.show": {},
    "channels.get": {"name": "build"},
    "channels.list": {"closed": True},
    "channels.log": {"name": "build"},
    "deliveries.dead": {},
    "deliveries.of": {"message": "m1"},
    "deliveries.outlook": {"message": "m3"},
    "deliveries.receipts": {"message": "m1"},
    "duties.failing": {},
    "duties.oldest_overdue": {},
    "history.archive_folder": {},
    "history.archives": {},
    "history.head": {},
    "history.lines": {"after": 3, "limit": 50},
    "history.seal_problems": {"last": 2},
    "history.sealed_head": {"last": 0},
    "history.seals": {},
    "history.since": {"kinds": ["message", "lease"], "limit": 500},
    "history.uncut": {},
    "history.vanished": {"after": 0, "until": 100},
    "history.wrong_bodies": {"after": 0},
    "leases.check": {"files": ["src/a.py"]},
    "leases.list": {},
    "leases.look": {"ticket": "TICKET"},
    "leases.queue": {},
    "leases.verify": {"key": "deploy", "token": 1},
    "leases.who": {"key": "deploy"},
    "messages.find": {"words": "tokenizer"},
    "messages.get": {"message": "m1"},
    "messages.last_number": {},
    "messages.log": {"after": 0},
    "messages.outbox": {},
    "messages.peek": {"agent": "builder"},
    "messages.reactions": {"message": "m1"},
    "messages.thread": {"message": "m1"},
    "messages.verified": {"message": "m1"},
    "operations.get": {"operation": "OPERATION"},
    "operations.list": {"ended": True},
    "sessions.activity": {},
    "sessions.clock": {},
    "sessions.endpoints": {"session": "SESSION"},
    "sessions.get": {"session": "SESSION"},
    "sessions.is_active": {"agent": "builder"},
    "sessions.list": {},
    "sessions.me": {},
    "sessions.of": {"agent": "builder"},
    "status.metrics": {},
    "status.report": {"after": 3},
    "tokens.list": {},
    "turns.thread": {"message": "m1"},
}
OF_ROOST_ITSELF: Look = {
    "history.sealable": {},
    "history.sealed_state": {"last": 5},
    "launches.admit": {"key": "rsl_none"},
    "leases.in_worktree": {"worktree": "/repo"},
    "tokens.valid": {"token": "0123456789abcdef"},
    "turns.watch": {"client": "claude", "client_session": "none"},
}
REFUSED = frozenset({"history.sealed_state", "launches.admit", "leases.look", "leases.verify", "turns.watch"})
"""What has nothing to look at here, or nothing that is the person's."""


@pytest.fixture
def eventful(hub: HubOf, person: Hub[Sync], clock: ManualClock) -> dict[str, object]:
    """Let everything happen once; return what `LOOKING` leaves open."""
    planner, builder, tester = hub("planner"), hub("builder"), hub("tester")
    builder.agents.add_alias("Agent-4")
    builder.agents.set_profile(capabilities=["python", "sql"], role="builder", notes="slow on Mondays")
    hub("gone").turns.leave()
    person.agents.retire("gone")
    planner.channels.create("build", topic="red and green")
    planner.channels.create("old"), planner.channels.close("old")
    builder.channels.join("build")
    metadata = {"deep": [1, {"ü": None, "x": 1.5}], "yes": True, "big": 1 << 40}
    planner.messages.send(to="builder", text="the tokenizer", tags=["a", "b"], metadata=metadata, requires_ack=True)
    planner.messages.send(to="#build", text="to all of us", subject="Build", type="status", severity="warning")
    planner.messages.send(to=["builder", "tester"], text="later", depends_on=["m1"], expires_in=600)
    builder.messages.inbox(limit=1), builder.messages.inbox(limit=1)
    builder.messages.react("m1", "👍"), builder.messages.reply("m1", "it works", type="answer")
    builder.messages.read("m1")
    builder.leases.acquire("deploy", ttl=600, reason="release"), builder.leases.acquire("src/", mode="shared")
    ticket = tester.leases.stand(["deploy"], patience=600).number
    operation = planner.operations.begin(["tester"], title="onboarding")
    planner.operations.add(operation.id, "step one")
    builder.briefings.checkpoint("half done", files=["a.py"])
    person.tokens.create("builder", scopes=["read"], label="watcher")
    person.deliveries.pause("planner", reason="lunch")
    clock.advance(60)
    builder.sessions.beat("busy", operation="reading")
    return {"TICKET": ticket, "OPERATION": operation.id, "SESSION": builder.sessions.me().session}


def looked(hub: Hub[Sync], wanted: Look, known: dict[str, object]) -> set[str]:
    """Call each verb; return those that are refused."""
    refused = set()
    for name, kwargs in wanted.items():
        feature, _, verb = name.partition(".")
        filled = {key: known.get(value, value) if isinstance(value, str) else value for key, value in kwargs.items()}
        try:
            getattr(getattr(hub, feature), verb)(**filled)
        except RoostError:
            refused.add(name)
    return refused


def test_a_person_sees_the_same_by_every_door(person: Hub[Sync], eventful: dict[str, object]) -> None:
    assert looked(person, LOOKING, eventful) == REFUSED & LOOKING.keys()


def test_an_agent_is_shown_and_refused_the_same_by_every_door(hub: HubOf, eventful: dict[str, object]) -> None:
    assert len(looked(hub("tester"), {**LOOKING, **OF_ROOST_ITSELF}, eventful)) < len(LOOKING) / 3


def test_what_no_token_shows_is_the_same_without_one(person: Hub[Sync], eventful: dict[str, object]) -> None:
    assert looked(person, OF_ROOST_ITSELF, eventful) == REFUSED & OF_ROOST_ITSELF.keys()


COUNTED = [
    ("channels.log", {"name": "build"}, "before"),
    ("history.at", {}, "seq"),
    ("history.at", {}, "wall"),
    ("leases.release", {"key": "deploy"}, "token"),
    ("leases.renew", {"key": "deploy"}, "token"),
    ("leases.verify", {"key": "deploy"}, "token"),
    ("messages.log", {}, "after"),
    ("messages.outbox", {}, "before"),
    ("messages.peek", {}, "before"),
    ("messages.search", {"query": "tokenizer"}, "since"),
    ("messages.thread", {"message": "m1"}, "after"),
    ("status.looked", {}, "seq"),
    ("status.report", {}, "after"),
]


@pytest.mark.parametrize(("name", "kwargs", "number"), COUNTED)
def test_what_is_no_number_is_refused(
    hub: HubOf, eventful: dict[str, object], name: str, kwargs: dict[str, Any], number: str
) -> None:
    feature, _, verb = name.partition(".")
    for wrong in (-1, True, "5", 1.5, 1 << 63, [1]):
        with pytest.raises(InvalidInput, match=number):
            getattr(getattr(hub("builder"), feature), verb)(**kwargs, **{number: wrong})


def test_what_no_frame_can_carry_is_refused_before_it_is_sent(hub: HubOf) -> None:
    hub("builder")
    caller = hub("planner")._caller
    door = caller._inner if isinstance(caller, Mirrored) else caller  # it cannot say this in the words of the file
    planner = Hub[Sync](door)
    for text, error in (("half \ud800", InvalidUtf8), (object(), InvalidInput), (1 << 70, InvalidInput)):
        with pytest.raises(error):
            planner.messages.send(to="builder", text=text)  # type: ignore[arg-type]
    assert planner.messages.last_number() == 0


def test_every_verb_that_reads_is_among_them() -> None:
    reading = {name for name, verb in verbs_of_the_hub().items() if getattr(verb, "mode", "") == "read"}
    assert LOOKING.keys() | OF_ROOST_ITSELF.keys() == reading

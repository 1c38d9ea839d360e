"""What marks an offer proves that it arrived, so nobody but its recipient and Roost may know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from roost.connect import Project
from roost.deliveries.model import Verdict
from roost.errors import Forbidden
from roost.hub import Hub
from roost.turns.model import ClientEvent, Surroundings
from roost.verbs import Sync

from .played import Played

HubOf = Callable[[str], Hub[Sync]]
Play = Callable[..., Played]
Ask = Callable[[Hub[Sync], str], Any]

ASKED: dict[str, Ask] = {
    "receipts": lambda hub, message: hub.deliveries.receipts(message),
    "of": lambda hub, message: hub.deliveries.of(message),
    "wait": lambda hub, message: hub.deliveries.wait(message, "offered", timeout=0.01),
    "outlook": lambda hub, message: hub.deliveries.outlook(message),
    "the log": lambda hub, message: hub.history.since(""),
    "the conversation": lambda hub, message: hub.messages.thread(message),
    "the outbox": lambda hub, message: hub.messages.outbox(),
    "cancel": lambda hub, message: hub.deliveries.cancel(message),
}


def marks(project: Project, message: str) -> set[str]:
    """Return what Roost itself knows to mark a message's offers."""
    system = project.system().deliveries
    found = {one.nonce for one in system.of(message)} | {one.nonce for one in system.receipts(message)}
    assert found - {""}
    return found - {""}


@pytest.fixture
def offered(play: Play, hub: HubOf) -> str:
    """A message of planner's that was put before builder, a coding client, and that its transcript lost since."""
    client = play(wants="builder")
    client.start()
    message = hub("planner").messages.send(to="builder", text="tests are red").id
    client.batch()
    client.found = "absent"
    client.prompt()
    return message


@pytest.mark.parametrize("asked", ASKED)
def test_nobody_else_is_shown_what_marks_an_offer(
    project: Project, hub: HubOf, person: Hub[Sync], offered: str, asked: str
) -> None:
    known = marks(project, offered)
    for who in (hub("planner"), person):
        shown = msgspec.json.encode(ASKED[asked](who, offered)).decode()
        assert [mark for mark in known if mark in shown] == []


@pytest.mark.parametrize("settings", ["[limits]\noffers_max = 2\n"])
def test_nor_where_mail_is_dead_and_brought_back(
    project: Project, hub: HubOf, person: Hub[Sync], offered: str, play: Play
) -> None:
    known = marks(project, offered)
    (session,) = [one for one in project.system().sessions.list() if one.client == "claude"]
    project.as_session(session.id).turns.leave()
    dead = person.deliveries.dead()
    assert [one.message for one in dead] == [offered]
    back = hub("planner").deliveries.redeliver(offered)
    shown = msgspec.json.encode([dead, back, hub("planner").deliveries.receipts(offered)]).decode()
    assert [mark for mark in known if mark in shown] == []


def test_nor_where_it_is_handed_over(project: Project, hub: HubOf, person: Hub[Sync], offered: str) -> None:
    known = marks(project, offered)
    (session,) = [one for one in project.system().sessions.list() if one.client == "claude"]
    project.as_session(session.id).turns.leave()
    hub("carol")
    moved = person.deliveries.hand_over("builder", "carol")
    assert [one.message for one in moved] == [offered]
    shown = msgspec.json.encode([moved, hub("carol").deliveries.receipts(offered)]).decode()
    assert [mark for mark in known if mark in shown] == []


def test_the_recipient_may_see_its_own(project: Project, offered: str, hub: HubOf) -> None:
    (session,) = [one for one in project.system().sessions.list() if one.client == "claude"]
    own = project.as_session(session.id)
    assert marks(project, offered) == {one.nonce for one in own.deliveries.receipts(offered)} - {""}


def test_no_session_takes_the_turns_of_a_client_or_settles_its_offers(
    project: Project, hub: HubOf, play: Play, offered: str
) -> None:
    client = play(wants="carol")
    client.start()
    hub("planner").messages.send(to="carol", text="look at the parser", requires_ack=True)
    event = ClientEvent(client="claude", name="Stop", kind="turn_end", client_session=client.id, cwd="/repo")
    proof = Surroundings(verdicts=tuple(Verdict(nonce=mark, found="proved") for mark in marks(project, offered)))
    turns = hub("planner").turns
    asked: tuple[Callable[[], object], ...] = (
        lambda: turns.watch("claude", client.id),
        lambda: turns.settle("claude", client.id, proof),
        lambda: turns.take(event, proof),
        lambda: turns.wake("claude", client.id),
    )
    for call in asked:
        with pytest.raises(Forbidden):
            call()

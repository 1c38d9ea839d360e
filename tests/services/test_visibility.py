"""Mail between two is theirs: for a third agent it is as if it did not exist, whatever it asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.errors import Forbidden, UnknownMessage
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf

Ask = Callable[[Hub[Sync], str], object]

ASKING: dict[str, Ask] = {
    "get": lambda hub, ref: hub.messages.get(ref),
    "read": lambda hub, ref: hub.messages.read(ref),
    "reply": lambda hub, ref: hub.messages.reply(ref, "me too"),
    "react": lambda hub, ref: hub.messages.react(ref, "ok"),
    "thread": lambda hub, ref: hub.messages.thread(ref),
    "reactions": lambda hub, ref: hub.messages.reactions(ref),
    "verified": lambda hub, ref: hub.messages.verified(ref),
    "depend on": lambda hub, ref: hub.messages.send(to="planner", text="after", depends_on=[ref]),
    "acknowledge": lambda hub, ref: hub.deliveries.acknowledge(ref),
    "confirm": lambda hub, ref: hub.deliveries.confirm([ref]),
    "receipts": lambda hub, ref: hub.deliveries.receipts(ref),
    "deliveries": lambda hub, ref: hub.deliveries.of(ref),
    "outlook": lambda hub, ref: hub.deliveries.outlook(ref),
    "cancel": lambda hub, ref: hub.deliveries.cancel(ref),
    "wait": lambda hub, ref: hub.deliveries.wait(ref, timeout=0),
}


@pytest.mark.parametrize("asking", ASKING)
def test_another_pairs_message_answers_like_one_that_does_not_exist(hub: HubOf, asking: str) -> None:
    answers_as_if_there_were_none(hub, ASKING[asking])


def test_another_pairs_dead_letter_answers_so_too(hub: HubOf) -> None:
    answers_as_if_there_were_none(hub, lambda third, ref: third.deliveries.redeliver(ref))


def answers_as_if_there_were_none(hub: HubOf, ask: Ask) -> None:
    hub("builder"), hub("third")
    sent = hub("planner").messages.send(to="builder", text="between us", subject="secret")
    answers = []
    for ref in (sent.ref, sent.id, "m77"):
        with pytest.raises(UnknownMessage) as refused:
            ask(hub("third"), ref)
        answers.append(str(refused.value).replace(ref, "REF"))
    assert len(set(answers)) == 1
    assert hub("builder").deliveries.of(sent.ref)[0].state == "pending"


@pytest.mark.parametrize("asking", ["get", "thread", "receipts", "deliveries", "outlook", "reactions", "verified"])
def test_sender_addressee_and_person_see_it(hub: HubOf, person: Hub[Sync], asking: str) -> None:
    hub("builder")
    sent = hub("planner").messages.send(to="builder", text="between us")
    for entitled in (hub("planner"), hub("builder"), person):
        ASKING[asking](entitled, sent.ref)


def test_a_thread_shows_each_one_its_own_part(hub: HubOf) -> None:
    hub("builder"), hub("tester")
    sent = hub("planner").messages.send(to=["builder", "tester"], text="what do you think?")
    hub("builder").messages.reply(sent.ref, "privately: no")
    hub("tester").messages.reply(sent.ref, "yes")
    assert [m.body for m in hub("tester").messages.thread(sent.ref)] == ["what do you think?", "yes"]
    assert len(hub("planner").messages.thread(sent.ref)) == 3


def test_only_a_person_peeks_into_another_inbox(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder"), hub("planner").messages.send(to="builder", text="between us")
    with pytest.raises(Forbidden, match="builder"):
        hub("third").messages.peek("builder")
    assert [item.message.body for item in person.messages.peek("builder").items] == ["between us"]
    assert len(hub("builder").messages.peek().items) == 1

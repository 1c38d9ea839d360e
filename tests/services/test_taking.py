"""Mail that a program takes by pages: only its own word for a page proves that it arrived."""

from __future__ import annotations

from typing import Any

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.errors import InvalidInput, UnknownMessage
from roost.hub import Hub
from roost.messages.model import Page
from roost.verbs import Sync

from .conftest import HubOf, Play

NAMED = "delivered: its program named the answer that brought it"


def shown(page: Page) -> list[tuple[str, int]]:
    return [(item.message.body, item.attempts) for item in page.items]


def state(of: Hub[Sync], message: str = "m1") -> str:
    return of.deliveries.of(message)[0].state


def proofs(of: Hub[Sync], message: str = "m1") -> list[str]:
    return [f"{receipt.kind}: {receipt.proof}".rstrip(": ") for receipt in of.deliveries.receipts(message)]


def test_a_page_that_is_named_is_delivered_and_one_that_is_not_comes_again(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    lost = bob.messages.take()
    page = bob.messages.take()
    assert (shown(lost), shown(page)) == ([("one", 1)], [("one", 2)])
    assert state(ada) == "offered"
    assert shown(bob.messages.take(arrived=[page.batch])) == []
    assert proofs(ada)[-1] == NAMED


def test_only_what_is_named_counts_where_nothing_is_lost(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    first = bob.messages.take()
    ada.messages.send(to="bob", text="two")
    second = bob.messages.take(afresh=False)
    assert shown(second) == [("two", 1)]
    assert [one.number for one in bob.deliveries.arrived([second.batch])] == [2]
    assert (state(ada, "m1"), state(ada, "m2")) == ("offered", "delivered")
    assert [one.number for one in bob.deliveries.arrived([first.batch, second.batch])] == [1]


def test_no_other_call_of_the_session_proves_a_page(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    bob.messages.take()
    bob.messages.inbox(), bob.messages.inbox(), bob.turns.inbox(confirmed=[])
    assert state(ada) == "offered"


def test_a_page_that_is_named_late_arrived_all_the_same(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    slow = bob.messages.take()
    bob.messages.take()
    assert [one.state for one in bob.deliveries.arrived([slow.batch])] == ["delivered"]


def test_the_batch_of_another_proves_nothing(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    page = bob.messages.take()
    assert ada.deliveries.arrived([page.batch]) == ()
    assert state(ada) == "offered"


@pytest.mark.parametrize("batches", [["short"], ["0000000'"], [""], ["00000000"] * 101])
def test_what_is_no_batch_is_refused(hub: HubOf, batches: list[str]) -> None:
    with pytest.raises(InvalidInput):
        hub("bob").deliveries.arrived(batches)
    with pytest.raises(InvalidInput):
        hub("bob").messages.take(arrived=batches)


def test_a_session_that_ends_with_an_unnamed_page_leaves_it_to_the_next(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    page = bob.messages.take()
    bob.turns.leave()
    assert state(ada) == "pending"
    assert proofs(ada)[-1].startswith("requeued")
    assert page.batch


def test_hooks_prove_no_page_and_offer_it_themselves_after_a_while(
    project: Project, hub: HubOf, play: Play, clock: ManualClock
) -> None:
    ada, claude = hub("ada"), play(wants="bob")
    beside = project.as_session(claude.start().session)
    claude.batch()  # it was briefed
    ada.messages.send(to="bob", text="one")
    beside.messages.take()
    claude.found = "absent"
    assert claude.batch().reply.context is None
    assert state(ada) == "offered"
    clock.advance(31)
    assert "Offered again" in (claude.batch().reply.context or "")
    claude.found = "proved"
    claude.batch()
    assert proofs(ada)[-1].startswith("delivered: its transcript")


def send(hub: Hub[Sync], *texts: str, to: str = "bob") -> None:
    for text in texts:
        hub.messages.send(to=to, text=text, requires_ack=True)


def test_the_next_is_taken_with_the_acknowledgement_of_the_last(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two")
    bob.messages.take(limit=1)
    page = bob.messages.take(limit=1, acknowledge=["m1"])
    assert (shown(page), page.more) == ([("two", 1)], 0)
    assert (state(ada, "m1"), state(ada, "m2")) == ("acknowledged", "offered")
    assert proofs(ada) == ["offered", "acknowledged: explicit"]
    assert [event.kind for event in ada.history.since().events][-2:] == ["delivery.acknowledged", "delivery.offered"]


@pytest.mark.parametrize("names", [["m1", "m9"], ["m1", "m3"], ["m9"]], ids=["unknown", "of another", "only unknown"])
def test_where_one_name_is_refused_nothing_is_acknowledged_and_nothing_taken(hub: HubOf, names: list[str]) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two")
    send(bob, "three", to="ada")
    bob.messages.take(limit=1)
    before = ada.history.head()
    for call in (bob.messages.take, bob.messages.inbox):
        if names == ["m1", "m3"]:
            with pytest.raises(UnknownMessage, match="m3 was not sent to bob"):
                call(acknowledge=names)
        else:
            with pytest.raises(UnknownMessage):
                call(acknowledge=names)
    assert ada.history.head() == before


def test_an_answer_that_was_lost_counts_neither_as_an_acknowledgement_nor_as_a_delivery(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two")
    bob.messages.take(limit=1)
    bob.messages.take(limit=1, acknowledge=["m1"])  # bob never sees its answer, and asks again
    assert shown(bob.messages.take(limit=1, acknowledge=["m1"])) == [("two", 2)]
    assert proofs(ada) == ["offered", "acknowledged: explicit"]
    assert [proof.partition(":")[0] for proof in proofs(ada, "m2")] == ["offered", "requeued", "offered"]


def test_what_a_program_still_works_on_stays_with_it_where_it_names_the_page(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two", "three")
    page = bob.messages.take(limit=2)
    again = bob.messages.take(limit=1, acknowledge=["m1"], arrived=[page.batch])
    assert shown(again) == [("three", 1)]
    assert (state(ada, "m1"), state(ada, "m2"), state(ada, "m3")) == ("acknowledged", "delivered", "offered")


@pytest.mark.parametrize("names", [["m1", "1"], ["m1", "ID"], ["M1", "m1", "ID"]], ids=" and ".join)
def test_one_message_by_several_names_is_acknowledged_once(hub: HubOf, names: list[str]) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one")
    message = bob.messages.take().items[0].message.id
    bob.messages.take(acknowledge=[message if name == "ID" else name for name in names])
    assert proofs(ada) == ["offered", "acknowledged: explicit"]


def test_what_waits_may_be_acknowledged_without_being_taken(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two")
    assert shown(bob.messages.take(acknowledge=["m1"])) == [("two", 1)]
    assert proofs(ada) == ["acknowledged: explicit"]


def test_a_message_that_waits_for_what_is_acknowledged_goes_out_in_the_same_call(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one")
    ada.messages.send(to="bob", text="then", depends_on=["m1"])
    assert shown(bob.messages.take()) == [("one", 1)]
    assert shown(bob.messages.take(acknowledge=["m1"])) == [("then", 1)]


def test_mail_that_is_held_comes_to_nobody_though_it_acknowledges(hub: HubOf, person: Hub[Sync]) -> None:
    bob = hub("bob")
    send(person, "one", "two")
    bob.messages.take(limit=1)
    person.deliveries.pause("bob")
    assert shown(bob.messages.take(acknowledge=["m1"])) == []
    assert state(person) == "acknowledged"


@pytest.mark.parametrize("wrong", ["m1", [7], ["m1"] * 501, None], ids=["a text", "a number", "too many", "nothing"])
def test_what_is_no_list_of_messages_is_refused(hub: HubOf, wrong: Any) -> None:
    bob = hub("bob")
    with pytest.raises(InvalidInput):
        bob.messages.take(acknowledge=wrong)
    with pytest.raises(InvalidInput):
        bob.messages.inbox(acknowledge=wrong)


def test_an_inbox_acknowledges_first_too(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    send(ada, "one", "two", "three")
    bob.messages.inbox(limit=2)
    assert shown(bob.messages.inbox(acknowledge=["m1"])) == [("three", 1)]
    assert proofs(ada, "m1") == ["offered", "acknowledged: explicit"]
    assert proofs(ada, "m2") == ["offered", "delivered: its session's following call"]

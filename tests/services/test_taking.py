"""Mail that a program takes by pages: only its own word for a page proves that it arrived."""

from __future__ import annotations

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.errors import InvalidInput
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

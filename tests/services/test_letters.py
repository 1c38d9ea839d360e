"""Mail as text for a client that asks for it: what it shows is offered, and its next call proves it."""

from __future__ import annotations

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.deliveries.envelope import INJECTED_BYTES_MAX
from roost.errors import InvalidInput, UnknownMessage
from roost.hub import Hub
from roost.turns.letters import READ_BYTES_MAX, THREAD_MAX
from roost.verbs import Sync

from .conftest import HubOf, Play
from .played import context


def test_what_the_text_shows_is_offered_and_no_more(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    for n in range(4):
        ada.messages.send(to="bob", text=f"{n} " + "long " * 700)
    letter = bob.turns.inbox()
    assert len(letter.text.encode()) <= INJECTED_BYTES_MAX
    assert letter.shown == (1, 2)
    assert (letter.more, letter.confirm) == (2, True)
    assert [state(ada, n) for n in range(1, 5)] == ["offered", "offered", "pending", "pending"]


def test_the_following_call_proves_what_it_names(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    bob.turns.inbox()
    assert bob.turns.inbox(confirmed=["m1"]).text == ""
    assert state(ada, 1) == "delivered"
    assert "its client read the answer, and called again" in [one.proof for one in ada.deliveries.receipts("m1")]


def test_an_answer_that_may_be_lost_is_given_again_and_says_so(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    bob.turns.inbox()
    again = bob.turns.inbox(afresh=True)
    assert again.shown == (1,)
    assert "Offered again" in again.text
    assert state(ada, 1) == "offered"


def test_an_answer_that_did_not_arrive_is_given_again_and_the_others_are_not(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    for text in ("one", "two", "three"):
        ada.messages.send(to="bob", text=text)
        bob.turns.inbox()
    letter = bob.turns.inbox(handed=["m1", "m9"], lost=["m2", "x"])
    assert letter.shown == (2,)
    assert [state(ada, n) for n in (1, 2, 3)] == ["delivered", "offered", "offered"]
    last = ada.deliveries.receipts("m1")[-1]
    assert last.proof == "its client's transport took the answer, and it called again"


def test_a_call_that_proves_nothing_leaves_the_offer_open(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    bob.turns.inbox()
    assert bob.turns.inbox().text == ""
    assert state(ada, 1) == "offered"


def test_a_session_with_a_transcript_is_proved_by_its_hooks(hub: HubOf, play: Play, project: Project) -> None:
    ada, claude = hub("ada"), play(wants="bob")
    mine = project.as_session(claude.start().session)
    ada.messages.send(to="bob", text="one")
    letter = mine.turns.inbox()
    assert (letter.shown, letter.confirm) == ((1,), False)
    assert mine.turns.inbox(confirmed=["m1"], afresh=True).text == ""
    assert state(ada, 1) == "offered"
    claude.found = "early"
    claude.batch()  # the hook after the very tool that asked: its result is not in the transcript yet
    assert state(ada, 1) == "offered"
    claude.found = "proved"
    claude.batch()
    assert state(ada, 1) == "delivered"


def test_an_answer_that_a_transcript_does_not_show_is_brought_by_the_hooks(
    hub: HubOf, play: Play, project: Project, clock: ManualClock
) -> None:
    ada, claude = hub("ada"), play(wants="bob")
    mine = project.as_session(claude.start().session)
    ada.messages.send(to="bob", text="one")
    mine.turns.inbox()
    claude.found = "early"
    clock.advance(3_600)  # it was called together with a tool that takes an hour
    assert context(claude.batch()) == ""
    claude.found = "absent"
    assert "Offered again" in context(claude.batch())
    assert state(ada, 1) == "offered"


def test_where_no_transcript_can_be_read_the_following_hook_proves_an_answer(
    hub: HubOf, play: Play, project: Project
) -> None:
    ada, claude = hub("ada"), play(wants="bob")
    mine = project.as_session(claude.start().session)
    ada.messages.send(to="bob", text="one")
    mine.turns.inbox()
    assert claude.found == "unreadable"
    claude.batch()
    assert ada.deliveries.receipts("m1")[-1].proof == "the following hook (PostToolBatch)"


def test_a_long_message_is_read_in_pieces(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    body = "".join(f"{n:07} " for n in range(5_000))
    ada.messages.send(to="bob", text=body)
    pieces, start = [], 0
    while True:
        letter = bob.turns.read("m1", start=start)
        assert len(letter.text.encode()) <= READ_BYTES_MAX + 100
        pieces.append(letter.text.split("\n")[3])
        if letter.next_start is None:
            break
        start = letter.next_start
    assert "".join(pieces) == body
    assert ada.deliveries.of("m1")[0].read_at is not None


def test_a_piece_of_characters_that_are_shown_escaped_fits_too(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="\u202e" * 20_000)
    letter = bob.turns.read("m1")
    assert len(letter.text.encode()) <= READ_BYTES_MAX + 100
    assert letter.next_start is not None


def test_a_thread_shows_its_newest_messages_and_changes_nothing(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="first")
    for n in range(THREAD_MAX + 4):
        ada.messages.reply("m1", f"more {n}") if n % 2 else bob.messages.reply("m1", f"less {n}")
    before = ada.messages.last_number()
    letter = ada.turns.thread("m1")
    assert letter.shown[-1] == before
    assert len(letter.shown) <= THREAD_MAX
    assert letter.more == THREAD_MAX + 5 - len(letter.shown)
    assert state(ada, 1) == "acknowledged"


def test_the_mail_of_others_is_shown_to_nobody(hub: HubOf) -> None:
    ada, eve = hub("ada"), hub("eve")
    hub("bob")
    ada.messages.send(to="bob", text="secret")
    with pytest.raises(UnknownMessage):
        eve.turns.thread("m1")
    with pytest.raises(UnknownMessage):
        eve.turns.read("m1")


@pytest.mark.parametrize("start", [-1, 3, True, "0"])
def test_a_place_that_is_not_in_the_message_is_refused(hub: HubOf, start: int) -> None:
    ada, bob = hub("ada"), hub("bob")
    ada.messages.send(to="bob", text="one")
    with pytest.raises(InvalidInput):
        bob.turns.read("m1", start=start)


def state(of: Hub[Sync], number: int) -> str:
    return of.deliveries.of(f"m{number}")[0].state

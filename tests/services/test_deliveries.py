"""What becomes of a message: offered, proved, acknowledged, or ended visibly."""

from __future__ import annotations

from typing import Any

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.deliveries.model import Delivery
from roost.errors import (
    AgentAlive,
    Forbidden,
    InvalidInput,
    InvalidText,
    TimedOut,
    UnknownMessage,
    WrongState,
)
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf


def state(hub: Hub[Sync], ref: str = "m1") -> str:
    (only,) = hub.deliveries.of(ref)
    return only.state


def only(hub: Hub[Sync], ref: str = "m1") -> Delivery:
    (found,) = hub.deliveries.of(ref)
    return found


def proofs(hub: Hub[Sync], ref: str = "m1") -> list[str]:
    return [f"{receipt.kind}: {receipt.proof}".rstrip(": ") for receipt in hub.deliveries.receipts(ref)]


def told(hub: Hub[Sync]) -> list[str]:
    return [item.message.subject for item in hub.messages.peek(states=()).items if item.message.type == "system"]


def test_each_stage_is_said_when_it_is_known_and_not_before(hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="hello")
    assert state(planner) == "pending"
    builder.messages.inbox()
    assert state(planner) == "offered"
    builder.messages.inbox()
    assert state(planner) == "delivered"
    builder.deliveries.acknowledge("m1")
    assert state(planner) == "acknowledged"
    assert proofs(planner) == ["offered", "delivered: its session's following call", "acknowledged: explicit"]


def test_peeking_changes_nothing(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="hello")
    before = person.history.head()
    assert len(person.messages.peek("builder").items) == 1
    assert person.history.head() == before
    assert state(person) == "pending"


def test_reading_is_a_receipt_and_no_acknowledgement(hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="hello")
    hub("builder").messages.inbox()
    assert hub("builder").messages.read("m1").body == "hello"
    assert state(hub("planner")) == "offered"
    assert only(hub("planner")).read_at is not None


def test_i9_only_the_addressee_acknowledges_once_and_for_good(hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="hello")
    with pytest.raises(UnknownMessage):
        hub("tester").deliveries.acknowledge("m1")
    with pytest.raises(UnknownMessage):
        planner.deliveries.acknowledge("m1")
    first = builder.deliveries.acknowledge("m1")
    assert builder.deliveries.acknowledge("M1") == first
    assert proofs(planner).count("acknowledged: explicit") == 1


@pytest.mark.parametrize("how", ["reply", "react"])
def test_an_answer_acknowledges(hub: HubOf, how: str) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="ready?", requires_ack=True)
    builder.messages.inbox()
    builder.messages.reply("m1", "yes") if how == "reply" else builder.messages.react("m1", "👍")
    assert state(planner) == "acknowledged"


def test_i1_what_a_session_was_offered_when_it_died_is_offered_again_once_and_marked(
    project: Project, hub: HubOf
) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="hello")
    builder.messages.inbox()
    builder.turns.leave()
    assert state(planner) == "pending"
    again = project.joined("builder")
    (item,) = again.messages.inbox().items
    assert (item.message.ref, item.attempts) == ("m1", 2)
    assert again.messages.inbox().items == ()
    assert state(planner) == "delivered"


def test_i8_delivered_mail_that_asks_for_nothing_is_never_offered_again(project: Project, hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="known")
    planner.messages.send(to="builder", text="owed", requires_ack=True)
    builder.messages.inbox(), builder.messages.inbox()
    builder.turns.leave()
    assert [item.message.body for item in project.joined("builder").messages.inbox().items] == ["owed"]
    assert only(planner, "m2").stage == 2


def test_after_eight_offers_without_proof_it_is_dead_and_its_sender_told(project: Project, hub: HubOf) -> None:
    planner = hub("planner")
    hub("builder")
    planner.messages.send(to="builder", text="poison")
    for _ in range(8):
        builder = project.joined("builder")
        assert len(builder.messages.inbox().items) == 1
        builder.turns.leave()
    assert state(planner) == "dead"
    assert project.joined("builder").messages.inbox().items == ()
    planner.sessions.beat("idle")
    project.system().duties.tick()
    assert told(planner) == ["m1 did not arrive"]
    assert planner.messages.get("m1").body == "poison"
    planner.deliveries.redeliver("m1")
    assert len(project.joined("builder").messages.inbox().items) == 1


def test_an_expired_message_tells_its_sender_once(hub: HubOf, project: Project, clock: ManualClock) -> None:
    hub("builder"), hub("tester")
    hub("planner").messages.send(to=["builder", "tester"], text="soon", expires_in=10)
    clock.advance(11)
    for _ in range(3):
        project.system().duties.tick()
        clock.advance(2)
    assert {one.state for one in hub("planner").deliveries.of("m1")} == {"expired"}
    assert told(hub("planner")) == ["m1 did not arrive"]


@pytest.mark.parametrize("settings", ["[limits]\ninbox_messages_max = 2\n"])
def test_a_sender_whose_inbox_is_full_holds_up_nobodys_notices(
    hub: HubOf, project: Project, clock: ManualClock
) -> None:
    hub("builder"), hub("planner"), hub("tester")
    hub("planner").messages.send(to="builder", text="soon", expires_in=10)
    hub("tester").messages.send(to="builder", text="soon too", expires_in=10)
    for _ in range(2):
        hub("builder").messages.send(to="planner", text="its inbox is full now")
    clock.advance(11)
    project.system().duties.tick()
    assert told(hub("tester")) == ["m2 did not arrive"]
    assert told(hub("planner")) == ["m1 did not arrive"]


def test_a_missing_acknowledgement_is_reminded_of_three_times_and_then_told(
    hub: HubOf, project: Project, clock: ManualClock
) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="please confirm", requires_ack=True)
    builder.messages.inbox(), builder.messages.inbox()
    reminders: list[int] = []
    for second in range(0, 300, 5):
        clock.advance(5)
        project.system().duties.tick()
        if only(planner).reminders > len(reminders):
            reminders.append(second + 5)
    assert [round(at, -1) for at in reminders] == [30, 60, 120, 240]
    assert told(planner) == ["m1 is not acknowledged"]
    assert len([one for one in proofs(planner) if one.startswith("offered")]) == 1


def test_an_acknowledgement_stops_the_reminders(hub: HubOf, project: Project, clock: ManualClock) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="please confirm", requires_ack=True)
    builder.messages.inbox(), builder.messages.inbox()
    builder.deliveries.acknowledge("m1")
    clock.advance(600)
    project.system().duties.tick()
    assert only(planner).reminders == 0
    assert told(planner) == []


def test_only_its_sender_or_a_person_takes_a_message_back(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="never mind")
    with pytest.raises(Forbidden):
        hub("builder").deliveries.cancel("m1")
    hub("planner").deliveries.cancel("m1")
    assert state(person) == "cancelled"
    assert hub("builder").messages.inbox().items == ()
    with pytest.raises(WrongState, match="cancelled"):
        hub("builder").deliveries.acknowledge("m1")


def test_the_mail_of_a_gone_agent_can_be_handed_over(hub: HubOf, person: Hub[Sync]) -> None:
    builder = hub("builder")
    hub("tester")
    hub("planner").messages.send(to="builder", text="finish this")
    with pytest.raises(WrongState, match="is alive"):
        person.deliveries.hand_over("builder", "tester")
    builder.turns.leave()
    person.deliveries.hand_over("builder", "tester")
    assert [item.message.body for item in hub("tester").messages.inbox().items] == ["finish this"]


def test_waiting_returns_when_the_stage_is_reached_and_says_what_is_known_when_not(hub: HubOf) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="hello")
    with pytest.raises(TimedOut, match="pending"):
        planner.deliveries.wait("m1", timeout=0.05)
    builder.messages.inbox(), builder.messages.inbox()
    assert planner.deliveries.wait("m1", timeout=5)[0].state == "delivered"


@pytest.mark.parametrize(
    ("stage", "timeout"), [("deliverd", 1), (7, 1), ("delivered", float("nan")), ("delivered", "1"), ("delivered", -1)]
)
def test_a_wait_for_no_stage_or_no_time_is_refused(hub: HubOf, stage: Any, timeout: Any) -> None:
    hub("builder")
    planner = hub("planner")
    planner.messages.send(to="builder", text="x")
    with pytest.raises(InvalidInput):
        planner.deliveries.wait("m1", stage, timeout=timeout)


def test_a_name_that_lives_elsewhere_is_not_taken(project: Project, hub: HubOf) -> None:
    hub("builder")
    with pytest.raises(AgentAlive):
        project.system().turns.join("builder", client="library", process=project.store._host.process(1))


def test_the_log_holds_no_word_of_what_two_others_say_about_their_mail(hub: HubOf) -> None:
    planner, builder = hub("planner"), hub("builder")
    planner.messages.send(to="builder", text="one"), planner.messages.send(to="builder", text="two")
    planner.deliveries.cancel("m1", reason="changed-my-mind")
    builder.messages.react("m2", "rejected")
    told = [str(event.data) for event in hub("tester").history.since().events]
    assert not [one for one in told if "changed-my-mind" in one or "rejected" in one]
    assert planner.deliveries.receipts("m1")[-1].proof == "cancelled: cancelled by planner: changed-my-mind"
    assert [one.value for one in planner.messages.reactions("m2")] == ["rejected"]
    planner.channels.create("dev"), planner.messages.send(to="#dev", text="three")
    planner.messages.react("m3", "seen")
    assert hub("tester").history.since(kinds=["message.reacted"]).events[-1].data == {"value": "seen"}


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines"])
def test_a_message_is_taken_back_for_a_reason_of_one_line(hub: HubOf, reason: str) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="hello")
    with pytest.raises(InvalidText, match="reason"):
        hub("planner").deliveries.cancel("m1", reason=reason)
    assert [one.state for one in hub("planner").deliveries.of("m1")] == ["pending"]


def test_what_a_program_could_not_show_is_given_back_and_no_later_call_proves_it(hub: HubOf) -> None:
    ada, bob = hub("ada"), hub("bob")
    for text in ("one", "two", "three"):
        ada.messages.send(to="bob", text=text)
        bob.messages.inbox()  # the next one proves it
    ada.messages.send(to="bob", text="four")
    bob.messages.inbox()
    found = bob.deliveries.give_back(["m3", "m4", "m4"])
    assert [(one.number, one.state) for one in found] == [(3, "delivered"), (4, "pending")]
    assert [item.message.ref for item in bob.messages.inbox().items] == ["m4"]
    assert [receipt.kind for receipt in ada.deliveries.receipts("m4")] == ["offered", "requeued", "offered"]


def test_nobody_gives_back_the_mail_of_another(hub: HubOf) -> None:
    hub("ada").messages.send(to="bob", text="one", hold=True)
    hub("bob").messages.inbox()
    with pytest.raises(UnknownMessage):
        hub("eve").deliveries.give_back(["m1"])

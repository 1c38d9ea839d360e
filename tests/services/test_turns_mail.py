"""What a turn does with mail: settle first, then offer; nothing twice in one context after a proof."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.deliveries.model import Delivery, Receipt
from roost.hub import Hub
from roost.verbs import Sync

from .played import Played, context

HubOf = Callable[[str], Hub[Sync]]
Play = Callable[..., Played]


@pytest.fixture
def client(play: Play) -> Played:
    """A client that began as `builder` and was briefed."""
    begun = play(wants="builder")
    begun.start()
    begun.batch()
    return begun


def delivery(project: Project, ref: str) -> Delivery:
    return project.system().deliveries.of(ref)[0]


def receipts(project: Project, ref: str) -> list[Receipt]:
    return list(project.system().deliveries.receipts(ref))


def send(hub: HubOf, text: str = "look at the parser", **fields: object) -> str:
    return hub("planner").messages.send(to="builder", text=text, **fields).ref  # type: ignore[arg-type]


def test_mail_comes_with_a_tool_batch_and_is_delivered_by_what_the_transcript_proves(
    project: Project, client: Played, hub: HubOf
) -> None:
    ref = send(hub)
    taken = client.batch()
    assert "look at the parser" in context(taken)
    assert taken.more  # the next hook must look for the proof
    assert delivery(project, ref).state == "offered"
    client.found = "proved"
    assert "look at the parser" not in context(client.batch())
    assert delivery(project, ref).state == "delivered"
    assert receipts(project, ref)[-1].proof == "its transcript: tool batch, then an answer"
    assert not client.batch().more


def test_what_is_shown_but_not_answered_stays_and_is_not_shown_again(
    project: Project, client: Played, hub: HubOf
) -> None:
    ref = send(hub)
    client.batch()
    client.found = "shown"
    assert context(client.batch()) == ""
    assert (delivery(project, ref).state, delivery(project, ref).attempts) == ("offered", 1)


def test_what_the_transcript_does_not_hold_is_offered_again_and_marked(
    project: Project, client: Played, hub: HubOf, clock: ManualClock
) -> None:
    ref = send(hub)
    client.batch()
    client.found = "absent"
    clock.advance(60)
    again = client.batch()
    assert "Offered again, first 1 min ago" in context(again)
    assert delivery(project, ref).attempts == 2


def test_a_late_proof_still_confirms(project: Project, client: Played, hub: HubOf, clock: ManualClock) -> None:
    ref = send(hub)
    client.batch()
    client.found = "absent"
    clock.advance(60)
    client.event("StopFailure", source="server_error")
    assert delivery(project, ref).state == "pending"
    client.found = "proved"
    assert "look at the parser" not in context(client.prompt())
    assert delivery(project, ref).state == "delivered"
    assert "late" in receipts(project, ref)[-1].proof


def test_an_offer_made_while_the_transcript_was_read_is_left_alone(
    project: Project, client: Played, hub: HubOf
) -> None:
    ref = send(hub)
    taken_before = project.system().turns.watch("claude", client.id)
    assert taken_before.offers == ()
    project.system().turns.wake("claude", client.id)
    send(hub, "urgent", priority="high")
    assert "look at the parser" in context(client.batch())
    assert delivery(project, ref).state == "offered"


def test_a_look_that_began_before_an_offer_leaves_the_place_from_which_the_next_one_seeks_it(
    client: Played, hub: HubOf
) -> None:
    client.found = "early"
    client.batch(read_to=100)
    slow = client.watch()  # a hook that stands still, and that its client has given up
    send(hub)
    client.batch(read_to=100)
    client.batch(watch=slow, read_to=900)
    assert client.watch().offset == 100
    client.batch(read_to=900)
    assert client.watch().offset == 900


@pytest.mark.parametrize("name", ["PostToolBatch", "UserPromptSubmit", "Stop"])
def test_where_nothing_can_be_read_the_next_hook_after_an_answer_proves(
    project: Project, client: Played, hub: HubOf, name: str
) -> None:
    ref = send(hub)
    client.batch()
    client.event(name)
    assert delivery(project, ref).state == "delivered"
    assert receipts(project, ref)[-1].proof == f"the following hook ({name})"


def test_a_hook_before_a_tool_proves_nothing(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    client.batch()
    client.before("a.py", tool="Edit")
    assert delivery(project, ref).state == "offered"


def test_a_hook_after_one_of_several_parallel_tools_proves_nothing(
    project: Project, client: Played, hub: HubOf
) -> None:
    ref = send(hub)
    client.event("PostToolUse")
    client.event("PostToolUse")
    assert delivery(project, ref).state == "offered"


def test_a_hook_in_a_subagent_proves_nothing(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    client.batch()
    client.batch(in_subagent=True)
    assert delivery(project, ref).state == "offered"


def test_mail_that_was_asked_for_is_settled_by_the_following_hook(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    session = project.system().sessions.of("builder")
    assert session is not None
    project.as_session(session.id).messages.inbox()
    client.found = "absent"  # a tool's own output is no text that was given to the model
    client.before("a.py", tool="Edit")
    assert delivery(project, ref).state == "offered"
    client.batch()
    assert delivery(project, ref).state == "delivered"


def lose_by_compaction(client: Played) -> Played:
    client.event("PreCompact", source="auto")
    return client


def lose_by_clear(client: Played) -> Played:
    client.end("clear")
    client.id = "0198-cleared"
    return client


def lose_by_crash(client: Played) -> Played:
    client.crash()
    return client.resumed()


LOSSES = [(lose_by_compaction, "compact"), (lose_by_clear, "clear"), (lose_by_crash, "resume")]


@pytest.mark.parametrize(("lose", "source"), LOSSES, ids=["compaction", "clear", "crash"])
def test_after_a_lost_context_unproved_mail_is_offered_once_more_and_marked(
    project: Project, client: Played, hub: HubOf, clock: ManualClock, lose: Callable[[Played], Played], source: str
) -> None:
    ref = send(hub)
    client.batch()
    client.found = "shown"
    clock.advance(30)
    after = lose(client)
    after.found = "early"
    taken = after.start(source)
    assert "look at the parser" in context(taken)
    assert "Offered again, first 30 s ago" in context(taken)
    after.found = "proved"
    assert "look at the parser" not in context(after.prompt()) + context(after.batch())
    assert (delivery(project, ref).state, delivery(project, ref).attempts) == ("delivered", 2)
    after.crash()


@pytest.mark.parametrize(("lose", "source"), LOSSES, ids=["compaction", "clear", "crash"])
def test_after_a_lost_context_only_what_still_needs_an_acknowledgement_comes_again(
    project: Project, client: Played, hub: HubOf, lose: Callable[[Played], Played], source: str
) -> None:
    send(hub, "plain words")
    ref = send(hub, "needs your word", requires_ack=True)
    client.batch()
    client.found = "proved"
    client.batch()
    assert delivery(project, ref).state == "delivered"
    after = lose(client)
    whole = context(after.start(source))
    assert "needs your word" in whole
    assert whole.count("<roost-message-") == 1
    after.crash()


def test_a_failed_turn_requeues_what_was_not_shown(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    client.batch()
    client.found = "early"
    client.event("StopFailure", source="rate_limit")
    assert delivery(project, ref).state == "pending"
    assert project.system().sessions.activity("builder")[0].state == "exhausted"
    assert "look at the parser" in context(client.prompt())


def test_a_failed_turn_keeps_what_stands_in_the_transcript(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    client.batch()
    client.found = "shown"
    client.event("StopFailure", source="server_error")
    assert context(client.prompt()) == ""
    assert delivery(project, ref).state == "offered"


def test_the_end_of_a_session_requeues_and_frees(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    client.batch()
    client.before("a.py", tool="Edit")
    taken = client.end()
    assert (taken.is_over, taken.more, taken.old_bell) == (True, False, taken.bell)
    assert delivery(project, ref).state == "pending"
    assert project.system().leases.list() == ()


def test_eight_offers_without_proof_are_dead(project: Project, client: Played, hub: HubOf, clock: ManualClock) -> None:
    ref = send(hub)
    client.found = "absent"
    for _ in range(12):
        client.batch()
        clock.advance(60)
    assert (delivery(project, ref).state, delivery(project, ref).attempts) == ("dead", 8)


def test_a_turns_end_goes_on_only_for_mail_that_asks(client: Played, hub: HubOf) -> None:
    send(hub, "for your information")
    assert not client.stop().reply.keep_going
    send(hub, "which one?", type="question")
    taken = client.stop()
    assert taken.reply.keep_going
    assert "which one?" in context(taken)
    assert "for your information" not in context(taken)


def test_a_turn_is_not_kept_going_up_to_the_clients_own_cap(client: Played, hub: HubOf, project: Project) -> None:
    kept = []
    for n in range(10):
        send(hub, f"question {n}", type="question")
        kept.append(client.stop(stop_active=n > 0).reply.keep_going)
    assert kept == [True] * 7 + [False] * 3
    kinds = [event.kind for event in project.system().history.since().events]
    assert kinds.count("session.wake_refused") == 1


def test_a_new_prompt_lets_the_next_turn_be_kept_going_again(client: Played, hub: HubOf) -> None:
    for n in range(7):
        send(hub, f"question {n}", type="question")
        client.stop(stop_active=n > 0)
    client.prompt()
    send(hub, "one more", type="question")
    assert client.stop().reply.keep_going


def test_at_most_twelve_wakes_an_hour(client: Played, hub: HubOf, clock: ManualClock) -> None:
    kept = 0
    for n in range(15):
        clock.advance(60)
        client.prompt()
        send(hub, f"question {n}", type="question")
        kept += client.stop().reply.keep_going
    assert kept == 12
    clock.advance(3600)
    client.prompt()
    send(hub, "much later", type="question")
    assert client.stop().reply.keep_going


def test_a_wake_counts_with_the_turns_that_were_kept_going(
    client: Played, hub: HubOf, clock: ManualClock, project: Project
) -> None:
    woken = 0
    for n in range(15):
        clock.advance(60)
        send(hub, f"question {n}", type="question")
        woken += bool(project.system().turns.wake("claude", client.id))
    assert woken == 12


def test_only_mail_that_asks_wakes(client: Played, hub: HubOf, project: Project) -> None:
    send(hub, "for your information")
    assert project.system().turns.wake("claude", client.id) == ""
    send(hub, "now please", priority="high")
    assert "now please" in project.system().turns.wake("claude", client.id)


def test_an_ended_session_is_not_woken(client: Played, hub: HubOf, project: Project) -> None:
    client.end()
    send(hub, "which one?", type="question")
    assert project.system().turns.wake("claude", client.id) == ""


def test_a_subagent_gets_no_mail(client: Played, hub: HubOf) -> None:
    send(hub)
    taken = client.batch(in_subagent=True)
    assert context(taken) == ""
    assert taken.more


def test_a_paused_project_gives_nothing_and_wakes_nobody(
    client: Played, hub: HubOf, project: Project, person: Hub[Sync], clock: ManualClock
) -> None:
    ref = send(hub, "owed", requires_ack=True)
    client.batch()
    client.batch()
    clock.advance(31)
    project.system().duties.tick()  # a reminder is due
    person.deliveries.pause()
    send(hub, "which one?", type="question")
    assert [context(client.batch()), context(client.prompt()), context(client.stop())] == ["", "", ""]
    assert project.system().turns.wake("claude", client.id) == ""
    person.deliveries.resume()
    again = context(client.batch())
    assert "which one?" in again
    assert f"acknowledgement of {ref}" in again


def test_a_start_gets_the_briefing_at_most_five_whole_messages_and_a_list(play: Play, hub: HubOf) -> None:
    for n in range(9):
        hub("planner").messages.send(to="builder", text=f"body {n}", hold=True)
    text = context(play(wants="builder").start())
    assert "You are builder" in text
    assert text.count("</roost-message-") == 5
    assert "4 more wait" in text
    assert len(text.encode()) <= 8_000


def test_a_long_message_is_cut_with_the_way_to_its_rest(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub, "x" * 60_000)
    text = context(client.batch())
    assert len(text.encode()) <= 8_000
    assert f"roost read {ref}" in text
    assert delivery(project, ref).state == "offered"


def test_many_messages_beside_reminders_stay_within_one_injection_and_none_is_lost(
    project: Project, client: Played, hub: HubOf, clock: ManualClock
) -> None:
    owed = [send(hub, f"owed {n}", requires_ack=True) for n in range(12)]
    client.batch()
    client.batch()
    clock.advance(61)
    project.system().duties.tick()
    refs = [send(hub, f"{n} " + "word " * 300) for n in range(10)]
    client.found = "proved"
    seen = ""
    for _ in range(12):
        text = context(client.batch())
        assert len(text.encode()) <= 8_000
        seen += text
    assert all(delivery(project, ref).state == "delivered" for ref in refs)
    assert all(f"acknowledgement of {ref}:" in seen for ref in owed)


def test_a_second_call_within_one_tool_does_not_prove_the_first(project: Project, client: Played, hub: HubOf) -> None:
    ref = send(hub)
    session = project.system().sessions.of("builder")
    assert session is not None
    for _ in range(2):
        project.as_session(session.id).messages.inbox()
    assert delivery(project, ref).state == "offered"

"""What Roost itself tells a session (briefing, news, reminders): told is what was proved, the rest comes again."""

from __future__ import annotations

import pytest

from roost.clock import ManualClock
from roost.connect import Project
from roost.turns.model import Surroundings

from .conftest import HubOf, Play
from .played import Found, Played, context


@pytest.fixture
def client(play: Play) -> Played:
    """A client that began as `builder`; its transcript shows nothing of that yet."""
    begun = play(wants="builder")
    assert is_briefing(begun.start().reply.context)
    begun.found = "early"
    return begun


def is_briefing(text: str | None) -> bool:
    return text is not None and text.startswith('<roost-says offer="') and "\nYou are builder: " in text


def test_a_briefing_that_the_transcript_does_not_show_comes_again(client: Played) -> None:
    assert client.prompt().reply.context is None
    client.found = "absent"
    again = client.batch()
    assert is_briefing(again.reply.context)
    assert again.more
    client.found = "proved"
    last = client.batch()
    assert (last.reply.context, last.more) == (None, False)


@pytest.mark.parametrize("found", ["early", "shown"])
def test_a_briefing_that_may_be_there_is_not_told_again_and_is_looked_for(
    client: Played, clock: ManualClock, found: Found
) -> None:
    client.found = found
    clock.advance(3_600)
    for taken in (client.prompt(), client.batch(), client.batch()):
        assert (taken.reply.context, taken.more) == (None, True)


def test_what_is_proved_is_not_looked_for_any_more(client: Played) -> None:
    client.found = "proved"
    assert not client.batch().more
    assert client.watch().offers == ()
    client.found = "absent"
    assert client.batch().reply.context is None


def test_where_nothing_can_be_read_the_following_hook_proves_the_briefing(client: Played) -> None:
    client.found = "unreadable"
    assert client.before().more
    assert client.batch(in_subagent=True).more
    taken = client.batch()
    assert (taken.reply.context, taken.more) == (None, False)


def test_a_look_that_began_before_the_briefing_leaves_the_place_from_which_it_is_sought(client: Played) -> None:
    client.found = "absent"
    slow = client.watch()
    client.batch(read_to=100)
    client.found = "early"
    client.batch(watch=slow, read_to=900)
    assert client.watch().offset == 100


def test_a_failed_turn_brings_back_what_its_transcript_does_not_show(client: Played) -> None:
    client.event("StopFailure", source="server_error")
    assert is_briefing(client.prompt().reply.context)


def test_a_failed_turn_keeps_what_its_transcript_shows(client: Played) -> None:
    client.found = "shown"
    client.event("StopFailure", source="server_error")
    assert client.prompt().reply.context is None


def test_a_waker_that_misses_the_briefing_leaves_it_to_the_next_prompt(client: Played, project: Project) -> None:
    client.found = "absent"
    client.stop()
    seen = Surroundings(verdicts=())
    assert project.system().turns.settle("claude", client.id, seen)
    assert is_briefing(client.prompt().reply.context)


def test_a_compaction_whose_start_nobody_heard_of_is_followed_by_a_briefing(client: Played) -> None:
    client.found = "proved"
    client.batch()
    client.event("PreCompact", source="auto")
    assert is_briefing(client.batch().reply.context)


def test_a_briefing_beside_mail_is_proved_by_itself(client: Played, hub: HubOf, project: Project) -> None:
    client.found = "absent"
    hub("planner").messages.send(to="builder", text="look at the parser")
    text = context(client.batch())
    assert text.index("</roost-says>") < text.index("<roost-mail ")
    briefing, letter = (offer.nonce for offer in reversed(client.watch().offers))
    assert f'<roost-says offer="{briefing}">' in text
    assert f' offer="{letter}">\nlook at the parser' in text


def test_news_of_a_lease_that_did_not_arrive_come_again(client: Played, hub: HubOf, project: Project) -> None:
    client.found = "proved"
    client.batch()
    project.as_session(client.batch().session).leases.acquire("deploy", ttl=600)
    hub("planner").leases.stand(["deploy"], patience=3600)
    news = "planner waits for deploy, which you hold"
    for found in ("early", "absent", "absent"):
        client.found = found
        assert context(client.batch()).count(news) == 1
    client.found = "proved"
    assert client.batch().reply.context is None


def test_a_reminder_that_did_not_arrive_comes_again(
    client: Played, hub: HubOf, project: Project, clock: ManualClock
) -> None:
    hub("planner").messages.send(to="builder", text="which one?", requires_ack=True)
    client.found = "proved"
    client.batch(), client.batch()
    clock.advance(31)
    project.system().duties.tick()
    reminder = "Reminder 1: planner waits for your acknowledgement of m1"
    assert reminder in context(client.batch())
    client.found = "early"
    assert client.batch().reply.context is None
    client.found = "absent"
    assert reminder in context(client.batch())
    client.found = "proved"
    assert client.batch().reply.context is None

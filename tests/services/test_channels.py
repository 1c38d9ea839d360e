"""Channels: who is in, who hears, who may speak, and what stays to be read."""

from __future__ import annotations

import pytest

from roost.channels import rules
from roost.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    InvalidName,
    InvalidText,
    LimitReached,
    UnknownAgent,
    UnknownChannel,
)
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf


def test_whoever_makes_a_channel_is_in_it(hub: HubOf) -> None:
    channel = hub("planner").channels.create("build", topic="red and green")
    assert (channel.name, channel.topic, channel.created_by) == ("build", "red and green", "planner")
    assert (channel.members, channel.member_count, channel.joined) == (("planner",), 1, True)


def test_a_message_to_a_channel_reaches_its_members_and_not_its_sender(hub: HubOf) -> None:
    hub("planner").channels.create("build")
    hub("builder").channels.join("#build")
    hub("tester")
    sent = hub("planner").messages.send(to="#build", text="go")
    assert (sent.recipients, sent.channel) == (("builder",), "build")
    assert [item.message.body for item in hub("builder").messages.inbox().items] == ["go"]
    assert hub("tester").messages.inbox().items == ()


def test_a_joiner_gets_nothing_that_was_said_before_but_can_read_it(hub: HubOf) -> None:
    planner, late = hub("planner"), hub("late")
    planner.channels.create("build")
    planner.messages.send(to="#build", text="first")
    late.channels.join("build")
    planner.messages.send(to="#build", text="second")
    assert [item.message.body for item in late.messages.inbox().items] == ["second"]
    assert [message.body for message in late.channels.log("build")] == ["first", "second"]


def test_who_leaves_gets_nothing_more_but_keeps_what_is_on_its_way(hub: HubOf) -> None:
    hub("planner").channels.create("build")
    hub("builder").channels.join("build")
    hub("planner").messages.send(to="#build", text="before")
    hub("builder").channels.leave("build")
    hub("planner").messages.send(to="#build", text="after")
    assert [item.message.body for item in hub("builder").messages.inbox().items] == ["before"]


def test_only_members_speak_in_a_channel(hub: HubOf) -> None:
    hub("planner").channels.create("build")
    with pytest.raises(Forbidden, match="roost channel join build"):
        hub("builder").messages.send(to="#build", text="may I?")
    assert hub("planner").channels.log("build") == ()


def test_a_person_speaks_without_being_in_the_channel(hub: HubOf, person: Hub[Sync]) -> None:
    hub("planner").channels.create("build")
    assert person.messages.send(to="#build", text="good work").recipients == ("planner",)
    assert person.channels.get("build").joined is False


def test_a_person_puts_agents_into_a_channel_and_takes_them_out(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder"), person.channels.create("build")
    assert person.channels.join("build", agent="builder").members == ("ada", "builder")
    assert person.channels.leave("build", agent="builder").members == ("ada",)


def test_an_agent_does_not_join_or_leave_for_another(hub: HubOf) -> None:
    hub("builder"), hub("planner").channels.create("build")
    for act in (hub("planner").channels.join, hub("planner").channels.leave):
        with pytest.raises(Forbidden, match="builder"):
            act("build", agent="builder")


def test_joining_and_leaving_twice_is_once(hub: HubOf) -> None:
    hub("planner").channels.create("build")
    for _ in range(2):
        assert hub("builder").channels.join("build").member_count == 2
    for _ in range(2):
        assert hub("builder").channels.leave("build").member_count == 1


def test_the_list_counts_members_and_says_which_are_mine(hub: HubOf) -> None:
    hub("planner").channels.create("build"), hub("builder").channels.create("docs")
    hub("builder").channels.join("build")
    rows = {row.name: (row.member_count, row.joined) for row in hub("planner").channels.list()}
    assert rows == {"all": (2, True), "build": (2, True), "docs": (1, False)}
    assert [row.name for row in hub("planner").channels.list(mine=True)] == ["all", "build"]


def test_everybody_is_in_all_and_it_has_a_log(hub: HubOf) -> None:
    hub("builder"), hub("planner").messages.send(to="all", text="hello")
    assert hub("planner").channels.get("#all").members == ("builder", "planner")
    assert [message.body for message in hub("builder").channels.log("all")] == ["hello"]
    for act in (hub("builder").channels.join, hub("builder").channels.leave, hub("builder").channels.close):
        with pytest.raises(Forbidden, match="everybody"):
            act("all")


def test_only_its_maker_or_a_person_closes_a_channel(hub: HubOf, person: Hub[Sync]) -> None:
    hub("planner").channels.create("build"), hub("planner").channels.create("docs")
    with pytest.raises(Forbidden, match="planner"):
        hub("builder").channels.close("build")
    assert hub("planner").channels.close("build").closed_at is not None
    assert person.channels.close("docs").closed_at is not None


def test_a_closed_channel_takes_nothing_more_and_stays_readable(hub: HubOf) -> None:
    planner = hub("planner")
    planner.channels.create("build")
    planner.messages.send(to="#build", text="last words")
    planner.channels.close("build")
    with pytest.raises(UnknownChannel):
        planner.messages.send(to="#build", text="x")
    with pytest.raises(UnknownChannel, match="closed"):
        hub("builder").channels.join("build")
    assert [message.body for message in planner.channels.log("build")] == ["last words"]
    assert [row.name for row in planner.channels.list()] == ["all"]
    assert [row.name for row in planner.channels.list(closed=True)] == ["all", "build"]


def test_a_closed_channels_name_begins_anew_without_its_members(hub: HubOf) -> None:
    hub("planner").channels.create("build"), hub("tester").channels.join("build")
    hub("planner").channels.close("build")
    again = hub("builder").channels.create("build", topic="again")
    assert (again.members, again.created_by, again.topic) == (("builder",), "builder", "again")


def test_the_log_is_paged_backwards(hub: HubOf) -> None:
    planner = hub("planner")
    planner.channels.create("build")
    for n in range(5):
        planner.messages.send(to="#build", text=str(n))
    last = planner.channels.log("build", limit=2)
    before = planner.channels.log("build", limit=2, before=last[0].number)
    assert [m.body for m in (*before, *last)] == ["1", "2", "3", "4"]
    for wrong in (0, 501, True, "5"):
        with pytest.raises(InvalidInput):
            planner.channels.log("build", limit=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "#", "Build", "a b", "..", "all", "x" * 65, "bu\u0131ld", "a@b", "-x"])
def test_a_channel_has_a_proper_name(hub: HubOf, name: str) -> None:
    with pytest.raises(InvalidName):
        hub("planner").channels.create(name)


def test_a_topic_is_one_plain_line(hub: HubOf) -> None:
    for topic in ("a\nb", "\x1b[31m", "x" * 201):
        with pytest.raises(InvalidText):
            hub("planner").channels.create("build", topic=topic)


def test_wrong_names_are_answered_with_near_ones(hub: HubOf) -> None:
    hub("planner").channels.create("build")
    with pytest.raises(UnknownChannel, match="#build"):
        hub("planner").channels.join("biuld")
    with pytest.raises(AlreadyExists, match="roost channel join build"):
        hub("builder").channels.create("build")
    with pytest.raises(UnknownAgent):
        hub("planner").channels.join("build", agent="nobody-here")


def test_the_number_of_channels_is_bounded(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CHANNELS_MAX", 2)
    hub("planner").channels.create("a"), hub("planner").channels.create("b")
    with pytest.raises(LimitReached):
        hub("planner").channels.create("c")
    hub("planner").channels.close("a")
    hub("planner").channels.create("c")


def test_a_retired_member_is_not_counted_and_hears_nothing(hub: HubOf, person: Hub[Sync]) -> None:
    hub("planner").channels.create("build"), hub("builder").channels.join("build")
    hub("builder").turns.leave()
    person.agents.retire("builder")
    assert hub("planner").channels.get("build").members == ("planner",)
    assert hub("planner").messages.send(to="#build", text="x").recipients == ()

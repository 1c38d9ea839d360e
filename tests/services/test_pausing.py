"""Pausing: nothing is lost, nothing is offered, and everything follows in its order."""

from __future__ import annotations

import pytest

from roost.errors import Forbidden, InvalidText
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf


def texts(hub: Hub[Sync]) -> list[str]:
    return [item.message.body for item in hub.messages.inbox().items]


def test_paused_mail_waits_and_follows_in_order(hub: HubOf, person: Hub[Sync]) -> None:
    builder, planner = hub("builder"), hub("planner")
    planner.messages.send(to="builder", text="before")
    person.deliveries.pause()
    planner.messages.send(to="builder", text="while paused")
    assert texts(builder) == []
    (held,) = planner.deliveries.of("m2")
    assert (held.state, held.hold) == ("held", "paused")
    person.deliveries.resume()
    planner.messages.send(to="builder", text="after")
    assert texts(builder) == ["before", "while paused", "after"]


def test_one_agent_may_be_paused_alone(hub: HubOf, person: Hub[Sync]) -> None:
    builder, tester, planner = hub("builder"), hub("tester"), hub("planner")
    assert person.deliveries.pause("builder") == ("builder",)
    planner.messages.send(to="all", text="hello")
    assert texts(builder) == []
    assert texts(tester) == ["hello"]
    assert [one.state for one in planner.sessions.activity("builder")] == ["paused"]
    person.deliveries.resume("builder")
    assert texts(builder) == ["hello"]


def test_only_people_pause(hub: HubOf) -> None:
    with pytest.raises(Forbidden, match="only the project's person"):
        hub("builder").deliveries.pause()
    with pytest.raises(Forbidden):
        hub("builder").deliveries.resume()


def test_a_pause_is_told_with_who_when_and_why(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder")
    assert person.status.report().pauses == ()
    person.deliveries.pause(reason="the release is out")
    person.deliveries.pause("builder", reason="looks after itself")
    first, second = hub("builder").status.report().pauses
    assert (first.agent, first.by, first.reason) == ("", "ada", "the release is out")
    assert (second.agent, second.by, second.reason) == ("builder", "ada", "looks after itself")
    person.deliveries.resume()
    person.deliveries.resume("builder")
    person.deliveries.pause()
    (again,) = person.status.report().pauses
    assert (again.agent, again.reason) == ("", "")
    with pytest.raises(InvalidText):
        person.deliveries.pause(reason="two\nlines")

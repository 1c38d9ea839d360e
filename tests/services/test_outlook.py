"""What a sender is told about when a recipient gets a message: never more than is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.connect import Project
from roost.hub import Hub
from roost.verbs import Sync

HubOf = Callable[[str], Hub[Sync]]


def told(hub: Hub[Sync], **message: object) -> tuple[bool, str]:
    sent = hub.messages.send(to="builder", text="x", **message)  # type: ignore[arg-type]
    seen = hub.deliveries.outlook(sent.id)[0]
    return seen.wakes, seen.wake_refused


def test_only_what_asks_for_something_wakes(hub: HubOf) -> None:
    hub("builder")
    assert told(hub("planner")) == (False, "it asks for nothing")
    assert told(hub("planner"), type="question") == (True, "")
    assert told(hub("planner"), requires_ack=True) == (True, "")


def test_who_was_woken_too_often_is_said_not_to_be_woken(hub: HubOf, project: Project) -> None:
    session = hub("builder").sessions.me().session
    with project.store.write() as tx:
        tx.run("sessions.set_wakes", id=session, wakes=[tx.now] * 12, stops=0)
    assert told(hub("planner"), type="question") == (False, "it was woken 12 times within the hour")


@pytest.mark.parametrize("settings", ["[features]\nwake_idle = false\n"])
def test_where_waking_is_switched_off_it_is_said(hub: HubOf) -> None:
    hub("builder")
    assert told(hub("planner"), type="question") == (False, "waking is switched off here")


def test_agents_that_answer_each_other_for_ever_are_not_woken(hub: HubOf) -> None:
    speakers = [hub("planner"), hub("builder")]
    last = hub("builder").messages.send(to="planner", text="ping")
    for turn in range(17):
        last = speakers[turn % 2].messages.reply(last.id, "ping", type="question")
    seen = hub("planner").deliveries.outlook(last.id)[0]
    assert not seen.wakes
    assert "without a person" in seen.wake_refused

"""What a stream yields, by whichever door it is followed: all of it, in order, once."""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any

import pytest

from roost.errors import BadCursor, InvalidInput, NotFound, RoostError
from roost.hub import Hub
from roost.verbs import Sync
from tests.services.conftest import HubOf


def said(hub: Hub[Sync], *texts: str, to: str = "builder") -> None:
    for text in texts:
        hub.messages.send(to=to, text=text)


def test_a_conversation_is_what_the_log_of_messages_holds(hub: HubOf, person: Hub[Sync]) -> None:
    planner, builder, tester = hub("planner"), hub("builder"), hub("tester")
    planner.channels.create("build"), builder.channels.join("build")
    said(planner, "one", "two")
    said(planner, "three", to="#build")
    said(tester, "four", to="planner")
    for reader in (planner, builder, tester, person):
        log = reader.messages.log()
        assert tuple(islice(reader.messages.follow(), len(log))) == log
    last = planner.messages.log()[-1]
    assert next(iter(planner.messages.follow(after=last.number - 1))) == last
    (only,) = islice(tester.messages.follow(channel="#build"), 1)
    assert only.body == "three"
    assert [message.body for message in islice(person.messages.follow(agent="tester"), 1)] == ["four"]


def test_what_is_sent_while_one_follows_comes_too(hub: HubOf) -> None:
    planner = hub("planner")
    hub("builder")
    stream = planner.messages.follow()
    later = threading.Timer(0.05, said, (planner, "one", "two"))
    later.start()
    assert [message.body for message in islice(stream, 2)] == ["one", "two"]
    later.join()


def test_who_listens_gets_each_message_once_and_proves_it_by_asking_on(hub: HubOf) -> None:
    planner, builder = hub("planner"), hub("builder")
    said(planner, "one", "two", "three")
    heard = builder.messages.listen(limit=2)
    items = list(islice(heard, 3))
    assert [(item.message.body, item.state, item.attempts) for item in items] == [
        ("one", "offered", 1),
        ("two", "offered", 1),
        ("three", "offered", 1),
    ]
    assert [planner.deliveries.of(f"m{number}")[0].state for number in (1, 2, 3)] == [
        "delivered",
        "delivered",
        "offered",
    ]
    later = threading.Timer(0.05, said, (planner, "four"))
    later.start()
    assert next(heard).message.body == "four"
    later.join()
    assert planner.deliveries.of("m3")[0].state == "delivered"


def test_what_a_listener_used_before_it_ended_does_not_come_again_and_nothing_else_counts_as_tried(hub: HubOf) -> None:
    planner, builder = hub("planner"), hub("builder")
    said(planner, "one", "two", "three")
    heard = builder.messages.listen()
    assert [item.message.body for item in islice(heard, 2)] == ["one", "two"]
    heard.close()  # type: ignore[attr-defined]
    again = builder.messages.listen()
    assert [(item.message.body, item.attempts) for item in islice(again, 2)] == [("two", 2), ("three", 1)]


WRONG: list[tuple[str, str, dict[str, Any], type[RoostError]]] = [
    ("history", "follow", {"cursor": "1-2"}, BadCursor),
    ("history", "follow", {"kinds": "message"}, InvalidInput),
    ("history", "follow", {"kinds": ["no kind"]}, InvalidInput),
    ("history", "follow", {"actor": "nobody"}, NotFound),
    ("messages", "follow", {"agent": "nobody"}, NotFound),
    ("messages", "follow", {"after": -1}, InvalidInput),
    ("messages", "follow", {"after": "m1"}, InvalidInput),
    ("messages", "listen", {"limit": 0}, InvalidInput),
    ("messages", "listen", {"limit": "5"}, InvalidInput),
]


@pytest.mark.parametrize(("feature", "verb", "kwargs", "error"), WRONG)
def test_what_cannot_be_followed_is_refused(
    hub: HubOf, feature: str, verb: str, kwargs: dict[str, Any], error: type[RoostError]
) -> None:
    stream = getattr(getattr(hub("planner"), feature), verb)(**kwargs)
    with pytest.raises(error):
        next(stream)

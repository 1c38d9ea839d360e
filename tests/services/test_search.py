"""Search: complete when asked, words only, and only what the searcher may see."""

from __future__ import annotations

import pytest

from roost.clock import ManualClock
from roost.errors import BadQuery, QueryTimeout, UnknownMessage
from roost.hub import Hub
from roost.messages import search, service
from roost.messages.model import Draft
from roost.messages.search import CLOSING, OPENING, quoted
from roost.stores.sqlite import connections
from roost.verbs import Sync
from tests.services.conftest import HubOf


def refs(hub: Hub[Sync], words: str, **options: str) -> list[str]:
    return sorted(found.message.ref for found in hub.messages.search(words, **options))  # type: ignore[arg-type]


def test_what_was_just_sent_is_found(hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="the tokenizer loses a brace", subject="parser")
    assert refs(hub("builder"), "tokenizer brace") == ["m1"]
    assert refs(hub("builder"), "parser") == ["m1"]
    assert refs(hub("builder"), "tokenizer bracket") == []
    hub("planner").messages.send(to="builder", text="and a bracket of the tokenizer")
    assert refs(hub("planner"), "tokenizer bracket") == ["m2"]


def test_a_snippet_marks_what_was_found(hub: HubOf) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="please look at the tokenizer soon")
    (found,) = hub("builder").messages.search("tokenizer")
    assert f"{OPENING}tokenizer{CLOSING}" in found.snippet


def test_direct_mail_of_others_is_neither_found_nor_shown(hub: HubOf, person: Hub[Sync]) -> None:
    hub("builder"), hub("tester")
    hub("planner").messages.send(to="builder", text="a secret word")
    assert refs(hub("tester"), "secret") == []
    with pytest.raises(UnknownMessage):
        hub("tester").messages.get("m1")
    assert refs(person, "secret") == ["m1"]
    assert person.messages.get("m1").body == "a secret word"


def test_what_a_channel_said_everybody_finds(hub: HubOf) -> None:
    hub("tester")
    hub("planner").channels.create("build")
    hub("planner").messages.send(to="#build", text="main is red")
    assert refs(hub("tester"), "red") == ["m1"]
    assert refs(hub("tester"), "red", channel="#build") == ["m1"]
    assert refs(hub("tester"), "red", channel="other") == []
    assert refs(hub("tester"), "red", sender="planner") == ["m1"]


@pytest.mark.parametrize("words", ['red"', "NEAR(red blue)", "red*", "body:red", "red OR", "(red", "-red", "red^2"])
def test_no_word_is_an_operator(hub: HubOf, words: str) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="red and blue")
    refs(hub("builder"), words)


@pytest.mark.parametrize("words", ["", "  ", "-- !!", "w " * 17, "x" * 257])
def test_a_query_over_its_limits_is_refused(words: str) -> None:
    with pytest.raises(BadQuery):
        quoted(words)


def test_only_what_was_said_since_a_time_is_found(hub: HubOf, clock: ManualClock) -> None:
    hub("builder")
    hub("planner").messages.send(to="builder", text="red in the morning")
    clock.advance(3_600)
    hub("planner").messages.send(to="builder", text="red in the evening")
    (found,) = hub("builder").messages.search("red", since=clock.wall_ms() - 1_000)
    assert found.message.ref == "m2"


def test_a_search_that_takes_too_long_is_ended(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        connections, "PROGRESS_STEPS", 10
    )  # how often SQLite looks at the time: seldom, for a few messages
    hub("builder")
    hub("planner").messages.send_batch([Draft(to=("builder",), text="red " * 50) for _ in range(20)])
    assert len(hub("planner").messages.search("red")) == 20
    monkeypatch.setattr(service, "SEARCH_SECONDS_MAX", 0.0)
    with pytest.raises(QueryTimeout):
        hub("planner").messages.search("red")


def test_a_long_backlog_is_indexed_in_pieces(hub: HubOf, monkeypatch: pytest.MonkeyPatch) -> None:
    hub("builder")
    planner = hub("planner")
    planner.messages.send_batch([Draft(to=("builder",), text=f"note {n}") for n in range(30)])
    monkeypatch.setattr(search.index_more, "__defaults__", (7,))
    assert planner.messages.index_more() == 23
    assert len(planner.messages.search("note", limit=50)) == 30

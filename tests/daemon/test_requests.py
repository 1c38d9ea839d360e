"""Request ids: a call that is repeated because its answer was lost is done once, and answered the same."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from roost import reach
from roost.clock import ManualClock
from roost.connect import Project, connect
from roost.daemon import answers as answers_module
from roost.daemon.answers import KEPT_MS, Answers
from roost.errors import BodyTooLarge, RoostError
from roost.interfaces.wire import frames
from roost.interfaces.wire.aclient import AsyncRemote
from roost.interfaces.wire.client import Line
from roost.interfaces.wire.frames import Answer
from roost.messages.model import Message, Page

from .served import Served, Wire

HELLO_BOB = {"to": "bob", "text": "hello"}
MINUTE_MS = 60_000


@pytest.fixture
def site(served: Served) -> Served:
    """A served project in which bob is known."""
    served.system().agents.add("bob")
    return served


def sent(site: Served) -> list[str]:
    """Return the texts of everything that was sent."""
    return [message.body for message in site.system().messages.log(limit=500)]


def again(site: Served, first: Wire, caller: str) -> Wire:
    """Come back as the same caller over another connection."""
    return site.wire(caller=caller, resume=first.welcome["session"])


def test_a_call_whose_answer_was_lost_is_done_once(site: Served) -> None:
    first = site.wire("alice", caller="one")
    first.send(1, "messages.send", HELLO_BOB)
    first.close()
    second = again(site, first, "one")
    second.send(1, "messages.send", HELLO_BOB)
    answer = second.answer(1)
    second.send(1, "messages.send", HELLO_BOB)
    assert second.answer(1) == answer
    assert sent(site) == ["hello"]


def test_mail_that_was_taken_by_a_call_whose_answer_was_lost_is_in_the_answer_that_is_asked_for_again(
    site: Served,
) -> None:
    system = site.system()
    first = site.wire("bob", caller="one")
    for text in ("one", "two", "three"):
        system.messages.send(to="bob", text=text, requires_ack=True)
    first.send(1, "messages.take", {"limit": 1})
    first.answer(1)
    first.send(2, "messages.take", {"limit": 1, "acknowledge": ["m1"]})
    first.close()
    second = again(site, first, "one")
    second.send(2, "messages.take", {"limit": 1, "acknowledge": ["m1"]})
    page = msgspec.convert(second.answer(2), Page)
    assert [(item.message.body, item.attempts) for item in page.items] == [("two", 1)]
    states = [system.deliveries.of(message)[0].state for message in ("m1", "m2", "m3")]
    assert states == ["acknowledged", "offered", "pending"]
    assert [one.kind for one in system.deliveries.receipts("m1")] == ["offered", "acknowledged"]


def test_a_call_that_is_repeated_while_it_is_under_way_is_done_once(site: Served) -> None:
    first = site.wire("alice", caller="one")
    with site.project().store.gate():  # so the daemon cannot write yet
        first.send(1, "messages.send", HELLO_BOB)
        second = again(site, first, "one")
        second.send(1, "messages.send", HELLO_BOB)
        second.send(2, "messages.last_number", {})
        assert second.answer(2) == 0
    assert first.answer(1) == second.answer(1)
    assert sent(site) == ["hello"]


def test_a_new_request_is_a_new_call_whatever_it_says(site: Served) -> None:
    wire = site.wire("alice")
    for number in (1, 2):
        wire.send(number, "messages.send", HELLO_BOB)
        assert wire.answer(number)["number"] == number
    assert sent(site) == ["hello", "hello"]


def test_what_failed_changed_nothing_and_is_tried_again(site: Served) -> None:
    wire = site.wire("alice")
    wire.send(1, "messages.send", {"to": "carol", "text": "hello"})
    assert wire.said(1)[0] == frames.ERROR
    site.system().agents.add("carol")
    wire.send(1, "messages.send", {"to": "carol", "text": "hello"})
    assert wire.answer(1)["recipients"] == ["carol"]


def test_nobody_gets_the_answer_of_somebody_else(site: Served) -> None:
    alice, bob = site.wire("alice", caller="same"), site.wire("bob", caller="same")
    alice.send(1, "messages.send", {"to": "bob", "text": "for bob"})
    assert alice.answer(1)["recipients"] == ["bob"]
    bob.send(1, "messages.send", {"to": "alice", "text": "for alice"})
    assert bob.answer(1)["recipients"] == ["alice"]
    assert sent(site) == ["for bob", "for alice"]


def test_nobody_gets_the_answer_of_somebody_elses_call_that_is_under_way(site: Served) -> None:
    alice, bob = site.wire("alice", caller="same"), site.wire("bob", caller="same")
    with site.project().store.gate():
        alice.send(1, "messages.send", {"to": "bob", "text": "for bob"})
        bob.send(1, "messages.send", {"to": "alice", "text": "for alice"})
    assert alice.answer(1)["recipients"] == ["bob"]
    assert bob.answer(1)["recipients"] == ["alice"]
    assert sorted(sent(site)) == ["for alice", "for bob"]


def test_two_callers_of_one_agent_number_their_requests_each_for_itself(site: Served) -> None:
    first = site.wire("alice", caller="one")
    second = again(site, first, "two")
    for wire in (first, second):
        wire.send(1, "messages.send", HELLO_BOB)
    assert {first.answer(1)["number"], second.answer(1)["number"]} == {1, 2}


def test_a_daemon_that_starts_after_a_kill_knows_what_was_answered(site: Served) -> None:
    first = site.wire("alice", caller="one")
    first.send(1, "messages.send", HELLO_BOB)
    answer = first.answer(1)
    site.crash()
    second = again(site.start(), first, "one")
    second.send(1, "messages.send", HELLO_BOB)
    assert second.answer(1) == answer
    assert sent(site) == ["hello"]


def test_a_call_that_died_with_the_daemon_is_done_by_the_next(site: Served) -> None:
    first = site.wire("alice", caller="one")
    with site.project().store.gate():
        first.send(1, "messages.send", HELLO_BOB)
        first.send(2, "messages.last_number", {})
        assert first.answer(2) == 0
        site.crash()
    second = again(site.start(), first, "one")
    second.send(1, "messages.send", HELLO_BOB)
    assert second.answer(1)["number"] == 1
    assert sent(site) == ["hello"]


@pytest.mark.parametrize(("minutes", "stored"), [(9, ["hello"]), (11, ["hello", "hello"])])
def test_an_answer_is_known_for_ten_minutes(site: Served, minutes: int, stored: list[str]) -> None:
    first = site.wire("alice", caller="one")
    first.send(1, "messages.send", HELLO_BOB)
    first.answer(1)
    site.crash()
    with site.project().store.write() as tx:
        tx.raw("UPDATE answers SET at = at - ?", (minutes * MINUTE_MS,))
    second = again(site.start(), first, "one")
    second.send(1, "messages.send", HELLO_BOB)
    assert second.answer(1)["number"] == len(stored)
    assert sent(site) == stored


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def project(tmp_path: Path, clock: ManualClock) -> Iterator[Project]:
    folder = tmp_path / ".roost"
    folder.mkdir(mode=0o700)
    opened = connect(folder, clock=clock)
    yield opened
    opened.close()


def rows(project: Project) -> int:
    with project.store.read() as tx:
        return int(tx.raw("SELECT count(*) FROM answers").get)


def loaded(project: Project) -> Answers:
    """Return what a daemon that starts now knows."""
    found = Answers()
    with project.store.read() as tx:
        found.load(tx)
    return found


def test_answers_leave_the_table_after_ten_minutes(project: Project, clock: ManualClock) -> None:
    kept = Answers()
    with project.store.write() as tx:
        kept.write(tx, [("one", 1, b"first")])
    clock.advance(KEPT_MS / 1_000 - 1)
    assert loaded(project).get("one", 1) == b"first"
    clock.advance(2)
    assert loaded(project).get("one", 1) is None
    with project.store.write() as tx:
        kept.write(tx, [("one", 2, b"second")])
    assert rows(project) == 1


def test_of_more_answers_than_are_kept_a_daemon_that_starts_takes_over_the_newest(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "KEPT_BYTES_MAX", 100)
    for number in range(6):
        with project.store.write() as tx:
            Answers().write(tx, [("one", number, b"x" * 40)])
    known = loaded(project)
    assert [known.get("one", number) is not None for number in range(6)] == [False] * 4 + [True] * 2


def test_answers_of_the_silent_leave_memory_after_ten_minutes() -> None:
    kept = Answers()
    kept.put([("one", 1, b"first")], now=0)
    kept.put([("two", 1, b"other")], now=KEPT_MS)
    assert kept.get("one", 1) == b"first"
    kept.put([("two", 2, b"other")], now=KEPT_MS + 1)
    assert kept.get("one", 1) is None
    assert kept.get("two", 1) == b"other"


def test_answers_that_arrived_are_forgotten() -> None:
    kept = Answers()
    kept.put([("one", number, b"answer") for number in (1, 2, 3)], now=0)
    kept.done("one", 2)
    assert [kept.get("one", number) for number in (1, 2, 3)] == [None, None, b"answer"]
    kept.done("one", 3)
    kept.done("nobody", 3)
    assert kept.get("one", 3) is None


def test_answers_are_bounded_and_those_of_the_silent_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_module, "KEPT_BYTES_MAX", 100)
    kept = Answers()
    kept.put([("one", 1, b"x" * 40), ("two", 1, b"x" * 40)], now=0)
    kept.put([("one", 2, b"x" * 40)], now=1)
    assert kept.get("two", 1) is None
    assert kept.get("one", 1) == b"x" * 40


def test_a_hub_repeats_a_call_under_its_id(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, lost = site.hub("alice"), [True]
    original = Line._answer

    def lossy(self: Line, id: int, seconds: float | None) -> Answer:
        answer = original(self, id, seconds)
        if id and lost.pop():
            raise EOFError("the line broke after the answer was on its way")
        lost.append(False)
        return answer

    monkeypatch.setattr(Line, "_answer", lossy)
    assert alice.messages.send(to="bob", text="hello").number == 1
    assert not any(lost)
    assert sent(site) == ["hello"]


def test_an_async_hub_repeats_a_call_under_its_id(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = [True]
    original = AsyncRemote._arrived

    def lossy(self: AsyncRemote, answer: Answer) -> None:
        if answer.id and lost and lost.pop():
            assert self._wire is not None
            self._wire.close()
            return
        original(self, answer)

    async def play() -> Any:
        async with await reach.aremote(site.place, as_="alice") as alice:
            return await alice.messages.send(to="bob", text="hello")

    monkeypatch.setattr(AsyncRemote, "_arrived", lossy)
    assert asyncio.run(play()).number == 1
    assert not lost
    assert sent(site) == ["hello"]


def test_a_call_that_is_too_long_for_a_frame_is_refused_at_once(site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = site.hub("alice")
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 1_000)
    with pytest.raises(BodyTooLarge):
        alice.messages.send(to="bob", text="x" * 1_000)
    assert alice.messages.send(to="bob", text="short").number == 1


def test_a_child_of_a_fork_leaves_its_parents_connection_alone(site: Served) -> None:
    alice = site.hub("alice")
    (line,) = alice._caller._free
    assert line._socket is not None
    child = os.fork()
    if child == 0:
        try:
            alice.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    line._socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        line._socket.recv(1)


def in_child(do: Callable[[], Any]) -> str:
    """Return what a child of a fork says to this."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, str(do()).encode())
        except RoostError as error:
            os.write(send, repr(error).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


def test_a_child_of_a_fork_speaks_for_its_parents_session(site: Served) -> None:
    alice = site.hub("alice")
    assert in_child(lambda: alice.messages.send(to="bob", text="of the child").number) == "1"
    assert in_child(lambda: alice.sessions.me().name) == "alice"
    assert alice.messages.send(to="bob", text="of the parent").number == 2
    assert sent(site) == ["of the child", "of the parent"]


def test_a_child_of_a_fork_leaves_its_parents_streams_alone(site: Served) -> None:
    alice = site.hub("alice")
    said = cast("Generator[Message]", alice.messages.follow())
    alice.messages.send(to="bob", text="one")
    assert next(said).body == "one"
    (line,) = alice._caller._busy
    assert in_child(said.close) == "None"
    alice.messages.send(to="bob", text="two")
    assert in_child(lambda: next(said).body) == "two"
    assert next(said).body == "two"
    assert line._socket is not None, "the parent goes on over the same connection"
    said.close()

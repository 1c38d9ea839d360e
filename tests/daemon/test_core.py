"""The core, in this process: what fails beside a call costs that call's hint or its own answer, never the next call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.connect import connect
from roost.daemon import hooks as hooks_module
from roost.daemon.core import Core
from roost.daemon.hooks import Hooks
from roost.daemon.hubs import hub_of
from roost.daemon.job import Job
from roost.duties import due
from roost.duties.model import Failing
from roost.duties.service import Duties
from roost.errors import StoreFull, StoreIO, Unavailable
from roost.hub import Hub
from roost.messages.model import Page
from roost.sessions.service import Sessions
from roost.stores.sqlite import checkpoints
from roost.stores.sqlite.store import SqliteStore
from roost.stores.sqlite.tx import SqliteTx
from roost.turns.model import ClientEvent, Surroundings
from roost.verbs import Async

GUARD_SECONDS = 30.0


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Core, Hub[Async], str]]:
    """Open a core in this process; yield it with the hub and the session of `alice`."""
    place = folder / ".roost"
    place.mkdir(mode=0o700)
    core = Core(connect(place), connect(place), asyncio.get_running_loop())
    alice = core.project.joined("alice").sessions.me().session
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            yield core, hub_of(core, alice), alice
    finally:
        await core.close()


class Ear:
    """Who listens: what it was told, page by page."""

    def __init__(self) -> None:
        self.pages: list[tuple[str, ...]] = []
        self.errors: list[BaseException] = []

    def tell(self, page: Page | None, error: BaseException | None) -> None:
        if error is not None:
            self.errors.append(error)
        if page is not None:
            self.pages.append(tuple(item.message.body for item in page.items))


def test_a_commit_is_answered_although_nobody_can_be_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> list[str]:
        async with opened(tmp_path) as (core, alice, _):
            with monkeypatch.context() as patch:
                patch.setattr(core.feed, "advance", lambda: (_ for _ in ()).throw(StoreIO("the disk refused it")))
                await alice.messages.send(to="alice", text="first")
            await alice.messages.send(to="alice", text="second")
            return [message.body for message in await alice.messages.log()]

    assert asyncio.run(play()) == ["first", "second"]


def test_an_answer_that_cannot_be_told_keeps_nobody_else_from_theirs(tmp_path: Path) -> None:
    def broken(result: Any, error: BaseException | None) -> None:
        raise ValueError("a bug")

    async def play() -> None:
        async with opened(tmp_path) as (core, alice, session):
            core.writer.submit(Job(session, Sessions.beat, Sessions, {"state": "idle"}, broken))
            await alice.messages.send(to="alice", text="together")
            await alice.messages.send(to="alice", text="afterwards")

    asyncio.run(play())


def test_a_duty_that_fails_is_logged_once_and_refuses_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(duty: object) -> int:
        raise ZeroDivisionError("planted")

    async def play() -> tuple[Failing, ...]:
        async with opened(tmp_path) as (_, alice, _):
            monkeypatch.setattr(due, "is_anything_due", lambda tx: True)
            monkeypatch.setattr(SqliteTx, "duties_due", True)
            monkeypatch.setattr(Duties, "_expire", broken)
            await asyncio.gather(*(alice.messages.send(to="alice", text=str(n)) for n in range(3)))
            await alice.messages.send(to="alice", text="afterwards")
            return await alice.duties.failing()

    assert [one.duty for one in asyncio.run(play())] == ["end expired mail"]
    (line,) = [record for record in caplog.records if "duty" in record.getMessage()]
    assert line.exc_info is not None and line.exc_info[0] is ZeroDivisionError


def test_who_listens_goes_on_after_a_commit_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear()

    def full(*args: object) -> None:
        raise StoreFull("the disk is full")

    async def play() -> None:
        async with opened(tmp_path) as (core, alice, session):
            listener = core.listen(session, ear.tell)
            await core.writer.drained()
            with monkeypatch.context() as patch:
                patch.setattr(SqliteStore, "_commit", full)
                with pytest.raises(StoreFull):
                    await alice.messages.send(to="alice", text="lost")
            await alice.messages.send(to="alice", text="heard")
            core.listeners.remove(listener)

    asyncio.run(play())
    assert (ear.pages, ear.errors) == ([("heard",)], [])


def test_who_listens_no_more_before_their_turn_is_offered_nothing(tmp_path: Path) -> None:
    ear = Ear()

    async def play() -> list[tuple[str, int]]:
        async with opened(tmp_path) as (core, alice, session):
            await alice.messages.send(to="alice", text="waits")
            with core.project.store.gate():
                core.listeners.remove(core.listen(session, ear.tell))
            await core.writer.drained()
            return [(one.state, one.attempts) for one in await alice.deliveries.of("m1")]

    assert asyncio.run(play()) == [("pending", 0)]
    assert ear.pages == []


def test_who_left_while_mail_was_missed_does_not_look_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear()

    async def play() -> int:
        async with opened(tmp_path) as (core, _, session):
            listener = core.listen(session, ear.tell)
            listener.missed = True
            core.listeners.remove(listener)
            await core.writer.drained()
            return core.writer.calls

    assert asyncio.run(play()) == 1
    assert (ear.pages, ear.errors) == ([], [])


def test_what_another_process_sent_just_before_a_commit_of_ours_is_heard_at_the_next_look(tmp_path: Path) -> None:
    ear = Ear()

    async def play() -> None:
        async with opened(tmp_path) as (core, alice, session):
            core.listen(session, ear.tell)
            await alice.agents.add("bob")
            core.look()
            connect(tmp_path).joined("cyn").messages.send(to="alice", text="from elsewhere")
            await alice.messages.send(to="bob", text="ours")
            core.look()
            await core.writer.drained()

    asyncio.run(play())
    assert ear.pages == [("from elsewhere",)]


def test_a_look_that_failed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear()

    async def play() -> None:
        async with opened(tmp_path) as (core, _, session):
            core.listen(session, ear.tell)
            await core.writer.drained()
            core.look()
            connect(tmp_path).joined("bob").messages.send(to="alice", text="hello")
            with monkeypatch.context() as patch, pytest.raises(StoreIO):
                patch.setattr(core.feed, "advance", lambda: (_ for _ in ()).throw(StoreIO("the disk refused it")))
                core.look()
            core.look()
            await core.writer.drained()

    asyncio.run(play())
    assert ear.pages == [("hello",)]


def test_without_threads_what_is_committed_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def play() -> None:
        async with opened(tmp_path) as (core, alice, session):
            monkeypatch.setattr(checkpoints, "PAGES_MIN", 0)
            core.project.store._checkpointer._pages_due = 0
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", none_left)
                assert (await alice.messages.send(to="alice", text="hello")).number == 1
                with pytest.raises(Unavailable):
                    await alice.leases.wait("build", timeout=5.0)
            assert not len(core.waits)
            assert not core.project.as_session(session).leases.list()

    asyncio.run(play())


def test_a_call_that_is_given_up_before_its_turn_is_not_made(tmp_path: Path) -> None:
    async def play() -> int:
        async with opened(tmp_path) as (core, alice, _):
            with core.project.store.gate():
                call = asyncio.create_task(alice.messages.send(to="alice", text="too late"))
                await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait({call})
            await core.writer.drained()
            return await alice.messages.last_number()

    assert asyncio.run(play()) == 0


def test_the_turn_of_a_hook_that_waits_no_longer_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = ClientEvent(client="claude", name="SessionStart", kind="start", client_session="s1", cwd=str(tmp_path))

    async def play() -> list[str]:
        async with opened(tmp_path) as (core, _, _session):
            hooks = Hooks(core, connect(tmp_path), str(tmp_path / ".roost"))
            with core.project.store.gate(), pytest.raises(TimeoutError):
                await asyncio.to_thread(hooks._take, event, Surroundings(), key_hash=b"")
            await core.writer.drained()
            hooks.close()
            return [one.client for one in core.project.system().sessions.list()]

    monkeypatch.setattr(hooks_module, "TAKE_SECONDS_MAX", 0.1)
    assert "claude" not in asyncio.run(play())


def test_events_of_any_name_are_counted_in_bounded_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> dict[tuple[str, str], int]:
        async with opened(tmp_path) as (core, _, _session):
            hooks = Hooks(core, core.project, str(tmp_path))
            for number in range(50):
                hooks._count(f"Event{number}" + "x" * 1_000, "ok")
            hooks.close()
            return hooks.outcomes

    monkeypatch.setattr(hooks_module, "OUTCOMES_MAX", 10)
    counted = asyncio.run(play())
    assert len(counted) == 11
    assert counted["other", "ok"] == 40
    assert all(len(event) <= hooks_module.EVENT_CHARACTERS_MAX for event, _ in counted)

"""The daemon retains once an hour: what is old leaves for the archives, and nobody has to ask for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.clock import ManualClock
from roost.connect import connect
from roost.daemon import hourly
from roost.history.archive import LOCK
from roost.history.retaining import EVERY_SECONDS, retain_if_due
from roost.history.service import History
from roost.verbs import Sync

from .served import GUARD_SECONDS, Served, eventually

DAYS_AGO_MS = 100 * 86_400_000
MESSAGES = 5


@pytest.fixture
def old(unserved: Served) -> Served:
    """A project whose messages are 100 days old, and none of its own settings."""
    unserved.configure("[daemon]\nhttp = false\n")
    project = connect(unserved.place, clock=ManualClock(int(time.time() * 1_000) - DAYS_AGO_MS))
    alice, bob = project.joined("alice"), project.joined("bob")
    for number in range(MESSAGES):
        alice.messages.send(to="bob", text=f"line {number}")
    for _ in range(2):
        bob.messages.inbox()
    project.close()
    return unserved


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the duty begin at once, and look every moment."""
    monkeypatch.setattr(hourly, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(hourly, "LOOK_SECONDS", 0.01)


def archives(site: Served) -> Path:
    return site.path / "archives"


def retain_until(site: Served, is_so: Callable[[], bool]) -> None:
    """Run the duty as the daemon does, until something is so."""

    async def play() -> None:
        duty = asyncio.create_task(hourly.retain(site.place, str(archives(site))))
        await asyncio.to_thread(eventually, lambda: duty.done() or is_so(), "the duty did it")
        assert not duty.done()
        duty.cancel()
        await asyncio.wait([duty])

    asyncio.run(play())


def messages_left(site: Served) -> int:
    return len(site.system().messages.log(limit=500))


def test_what_is_old_leaves_and_the_log_still_verifies(old: Served) -> None:
    assert messages_left(old) == MESSAGES
    retain_until(old, lambda: messages_left(old) == 0)
    assert [path.name for path in archives(old).glob("messages-*")] == ["messages-000001.jsonl.gz"]
    assert not old.system().history.verify().problems


def test_a_round_is_done_once_an_hour_whoever_did_the_last(old: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = list[str]()
    original = hourly._round

    def counted(place: str, stop: object) -> None:
        rounds.append(place)
        original(place, stop)  # type: ignore[arg-type]

    monkeypatch.setattr(hourly, "_round", counted)
    began = time.monotonic()
    retain_until(old, lambda: bool(rounds) and time.monotonic() - began > 0.3)
    assert rounds == [old.place]
    past = time.time() - EVERY_SECONDS - 1
    os.utime(archives(old) / LOCK, (past, past))
    retain_until(old, lambda: len(rounds) > 1)
    assert rounds == [old.place] * 2


def test_a_daemon_that_ends_leaves_a_round_that_the_next_one_finishes(
    old: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = list[bool]()
    original = retain_if_due

    def slow(history: History[Sync], *, pause: Callable[[], None]) -> object:
        def held() -> None:
            began.append(True)
            time.sleep(0.05)
            pause()

        return original(history, pause=held)

    monkeypatch.setattr(hourly, "retain_if_due", slow)
    retain_until(old, lambda: bool(began))
    monkeypatch.setattr(hourly, "retain_if_due", original)
    past = time.time() - EVERY_SECONDS - 1
    os.utime(archives(old) / LOCK, (past, past))
    retain_until(old, lambda: messages_left(old) == 0)
    assert not old.system().history.verify().problems


def test_what_goes_wrong_is_written_down_and_tried_again(
    old: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archives(old).write_text("this is no folder")
    retain_until(old, lambda: "retention" in caplog.text)
    assert messages_left(old) == MESSAGES
    archives(old).unlink()
    retain_until(old, lambda: messages_left(old) == 0)


def test_the_daemon_serves_while_it_retains(old: Served) -> None:
    program = (
        "import sys; from roost.daemon import hourly, run;"
        "hourly.FIRST_SECONDS = 0.0; hourly.LOOK_SECONDS = 0.05; sys.exit(run.main([sys.argv[1]]))"
    )
    daemon = old.child("-c", program, old.place)
    eventually((old.path / "socket").exists, "it serves")
    alice = old.hub("alice")
    eventually(lambda: messages_left(old) == 0, "it retains")
    assert alice.messages.send(to="alice", text="hello").number == MESSAGES + 1
    old.stop()
    assert daemon.wait(GUARD_SECONDS) == 0

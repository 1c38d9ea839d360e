"""What runs beside the calls goes on after an error, and ends with the project."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from roost import reach
from roost.daemon import steady
from roost.daemon.places import told
from roost.daemon.steady import kept_up
from roost.errors import StoreIO, StoreReplaced

from .served import Served, eventually, is_alive

Duty = Callable[[], Coroutine[Any, Any, None]]


def failing(errors: list[Exception]) -> Duty:
    """Return a duty that raises these errors, one at a time, and then is done."""

    async def duty() -> None:
        if errors:
            raise errors.pop(0)

    return duty


def test_a_duty_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ended, errors = list[bool](), [StoreIO("the disk refused it"), ValueError("a bug"), StoreIO("once more")]
    monkeypatch.setattr(steady, "AGAIN_SECONDS", 0.0)
    asyncio.run(kept_up(failing(errors), lambda: ended.append(True)))
    assert (errors, ended) == ([], [])
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "WARNING"]


def test_without_its_store_a_duty_ends_the_daemon() -> None:
    ended = list[bool]()
    asyncio.run(kept_up(failing([StoreReplaced("it is gone")]), lambda: ended.append(True)))
    assert ended == [True]


def test_a_daemon_whose_project_is_deleted_leaves(served: Served) -> None:
    pid = served.pid
    alice = served.hub("alice")
    shutil.rmtree(served.path)
    eventually(lambda: not is_alive(pid), "it left")
    alice.close()
    served.path.mkdir(mode=0o700)


def test_a_daemon_whose_project_was_made_anew_leaves_the_new_one_alone(served: Served) -> None:
    before = served.kill(signal.SIGSTOP)
    served.path.rename(served.folder / "old")
    served.path.mkdir(mode=0o700)
    (served.path / "roost.toml").write_text((served.folder / "old" / "roost.toml").read_text())
    served.start()
    os.kill(before, signal.SIGCONT)
    eventually(lambda: not is_alive(before), "the old one left")
    run = told(served.place)
    assert run is not None
    assert run.pid != before
    assert reach.is_running(served.place)
    assert served.hub("alice").sessions.me().name == "alice"

"""Of many callers that find no daemon one starts it, and the others wait for it; who started it keeps nothing of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from roost import reach
from roost.errors import Unavailable
from tests.leftovers import daemons_in

from .served import GUARD_SECONDS, Served, eventually, is_alive

CALLERS = 12
HOLDER = """
import sys, time
from roost import reach
print(reach._starting(sys.argv[1]), flush=True)
time.sleep(600)
"""
LONG_LIVED = """
import os, signal, sys, time
from roost import reach
if sys.argv[2] == "ignores":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if sys.argv[2] == "blocks":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
reach.start(sys.argv[1])
print("started", flush=True)
time.sleep(600)
"""


def children(pid: int) -> list[str]:
    """Return the children of a process, those that nobody waited for too."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_after_a_crash_many_callers_start_one_process(served: Served) -> None:
    served.crash()
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(reach.start, [served.place] * CALLERS))
    eventually(lambda: len(daemons_in(served.folder)) == 1, "one daemon")
    assert served.log.count("serving ") == 2
    assert "another daemon serves" not in served.log


def test_callers_that_do_not_wait_start_one_process_too(unserved: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reach.SWITCH, "auto")
    for _ in range(CALLERS):
        reach.start_soon(unserved.place)
        os.utime(unserved.path / reach.LOG, (0, 0))
    eventually(lambda: reach.is_running(unserved.place), "it serves")
    reach.start_soon(unserved.place)
    eventually(lambda: len(daemons_in(unserved.folder)) == 1, "one daemon")
    assert "another daemon serves" not in unserved.log


def test_a_starter_that_is_killed_is_no_hindrance(unserved: Served) -> None:
    holder = unserved.child("-c", HOLDER, unserved.place)
    assert holder.stdout is not None and int(holder.stdout.readline()) >= 0
    reach.spawn(unserved.place)
    with pytest.raises(Unavailable, match=r"did not start within 0\.2 s"):
        reach.start(unserved.place, seconds=0.2)
    assert not (unserved.path / reach.LOG).exists(), "nobody else spawns one meanwhile"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(reach.start, unserved.place)
        holder.kill()
        holder.wait()
        waiting.result()
    assert unserved.hub("alice").sessions.me().name == "alice"


def test_a_starter_that_does_not_get_on_is_passed_over_once(unserved: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "STUCK_SECONDS", 1.0)  # far more than the callers need to come together
    holder = unserved.child("-c", HOLDER, unserved.place)
    assert holder.stdout is not None and int(holder.stdout.readline()) >= 0
    holder.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(reach.start, [unserved.place] * CALLERS))
    assert unserved.log.count("serving ") == 1
    assert "another daemon serves" not in unserved.log


def test_of_two_who_pass_over_a_starter_at_once_one_does(unserved: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "STUCK_SECONDS", 0.1)
    holder = unserved.child("-c", HOLDER, unserved.place)
    assert holder.stdout is not None and int(holder.stdout.readline()) >= 0
    entered, rename, both = list[str](), os.rename, threading.Event()

    def late(source: str, target: str) -> None:
        entered.append(target)
        if len(entered) == 1:
            both.wait(1.0)
        else:  # it is about to take the right from who got it meanwhile
            both.set()
            eventually(lambda: os.path.exists(source) and reach._is_starting(unserved.place), "the other one starts it")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    with ThreadPoolExecutor() as pool:
        list(pool.map(reach.start, [unserved.place] * 2))
    eventually(lambda: len(daemons_in(unserved.folder)) == 1, "one daemon is left")
    assert unserved.log.count("serving ") == 1
    assert "another daemon serves" not in unserved.log


def test_a_daemon_that_is_killed_while_it_starts_is_no_hindrance_for_the_next(unserved: Served) -> None:
    reach.spawn(unserved.place)
    eventually(lambda: daemons_in(unserved.folder), "it is spawned")

    def is_gone() -> bool:
        for line in (left := daemons_in(unserved.folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.partition(":")[0]), signal.SIGKILL)  # what it forks meanwhile is met at the next look
        return not left

    eventually(is_gone, "it is gone")
    assert unserved.start().hub("alice").sessions.me().name == "alice"


def test_all_who_wait_are_told_why_it_could_not_start_and_the_next_one_tries_anew(unserved: Served) -> None:
    sound = (unserved.path / "roost.toml").read_text()
    unserved.configure("no toml")
    with ThreadPoolExecutor(CALLERS) as pool:
        waiting = [pool.submit(reach.start, unserved.place) for _ in range(CALLERS)]
        said = [one.exception() for one in waiting]
    assert {type(one) for one in said} == {Unavailable}
    assert all("could not start" in str(one) for one in said)
    assert unserved.log.count(" ERROR ") < CALLERS
    unserved.configure(sound)
    assert unserved.start().hub("alice").sessions.me().name == "alice"


@pytest.mark.parametrize("how", ["plainly", "ignores", "blocks"])
def test_a_program_that_started_it_has_no_child_left_of_it(unserved: Served, how: str) -> None:
    program = unserved.child("-c", LONG_LIVED, unserved.place, how)
    assert program.stdout is not None and program.stdout.readline() == "started\n"
    eventually(lambda: not children(program.pid), "no child is left")
    pid = unserved.pid
    status = Path(f"/proc/{pid}/status").read_text()
    held = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn:", "SigBlk:"))]
    assert [mask & (1 << (number - 1)) for mask in held for number in (signal.SIGCHLD, signal.SIGTERM)] == [0] * 4
    unserved.stop()
    eventually(lambda: not is_alive(pid), "it ended")
    assert not children(program.pid)


def test_in_the_foreground_it_is_the_process_that_was_started(unserved: Served) -> None:
    with subprocess.Popen([sys.executable, "-m", "roost.daemon", unserved.place]) as running:
        eventually(lambda: reach.is_running(unserved.place), "it serves")
        assert unserved.pid == running.pid
        running.send_signal(signal.SIGTERM)
        assert running.wait(GUARD_SECONDS) == 0

"""Facts about processes: who runs, and who has ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from roost.runtimes.host import LocalHost
from tests.daemon.served import eventually

FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def headless() -> Iterator[subprocess.Popen[str]]:
    """A process whose first thread ends while another one works, until its input is closed."""
    words = [sys.executable, "-c", FIRST_THREAD_ENDS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_process_runs_as_long_as_one_of_its_threads(headless: subprocess.Popen[str]) -> None:
    host = LocalHost()
    eventually(lambda: _state(headless.pid) == "Z", "its first thread ended")
    found = host.process(headless.pid)
    assert found is not None and host.alive(found)


def test_a_process_that_was_killed_and_that_nobody_waited_for_has_ended(headless: subprocess.Popen[str]) -> None:
    host = LocalHost()
    found = host.process(headless.pid)
    assert found is not None
    headless.kill()
    eventually(lambda: not host.alive(found), "it ended")
    assert _state(headless.pid) == "Z", "its parent has not looked yet"


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]

"""The disk is full, descriptors run out, a peer does not read: the daemon says so and goes on."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from roost.errors import StoreFull
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import Request
from roost.messages.model import Draft

from .load import messages
from .served import Served, eventually

LINE = "x" * 60_000
REFUSALS = 6
MIB = 1024 * 1024
MEMORY_MIB_MAX = 40
LOG_BYTES_MAX = MIB


@contextmanager
def limited(pid: int, what: int, value: int) -> Iterator[None]:
    """Lower a limit of another process, and lift it again."""
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, what, (soft, hard))


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_on_a_full_disk_sends_are_refused_reads_are_answered_and_space_alone_heals_it(served: Served) -> None:
    alice = served.hub("alice")
    alice.messages.send(to="alice", text="before")
    full = max(path.stat().st_size for path in served.path.glob("store.db*")) + 8_192
    with limited(served.pid, resource.RLIMIT_FSIZE, full):
        for _ in range(REFUSALS):
            with pytest.raises(StoreFull) as refused:
                alice.messages.send(to="alice", text=LINE)
            assert refused.value.retryable
            assert refused.value.hint
        assert [message.body for message in alice.messages.log()] == ["before"]
        assert alice.sessions.me().name == "alice"
    assert alice.messages.send(to="alice", text=LINE).number == 2
    assert [len(message.body) for message in messages(served)] == [len("before"), len(LINE)]
    assert not served.system().history.verify().problems


def test_without_descriptors_who_is_connected_is_served_and_others_are_once_there_are_some(served: Served) -> None:
    alice = served.wire("alice")
    pid = served.pid
    with limited(pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd"))):
        late = served.raw()
        for number in range(1, 6):
            alice.send(number, "messages.send", {"to": "alice", "text": "hello"})
            assert alice.answer(number)["number"] == number, served.log
        time.sleep(0.5)
    late.close()
    assert served.hub("bob").sessions.me().name == "bob"
    assert served.pid == pid
    assert len(served.log) < LOG_BYTES_MAX


def test_a_reader_that_does_not_read_costs_little_and_misses_nothing(served: Served) -> None:
    alice, slow = served.hub("alice"), served.wire("slow")
    slow.send(1, "messages.follow", {})
    alice.messages.send(to="slow", text="first")
    slow.said(1)
    before = memory(served.pid)
    for _ in range(20):
        alice.messages.send_batch([Draft(to=("slow",), text=LINE)] * 50)
    assert memory(served.pid) - before < MEMORY_MIB_MAX * MIB
    seen = list[int]()
    while len(seen) < 1_000:
        seen += [item["number"] for item in slow.said(1)[1]]
    assert seen == list(range(2, 1_002))


def test_a_caller_that_asks_and_does_not_read_the_answers_is_not_asked_on(served: Served) -> None:
    alice, greedy = served.hub("alice"), served.wire("greedy")
    alice.messages.send_batch([Draft(to=("greedy",), text=LINE)] * 50)
    before = memory(served.pid)
    asked = msgspec.Raw(frames.encode({"limit": 500}))  # in one write: the kernel holds few small ones for a peer
    greedy.end.sendall(b"".join(frames.frame(Request(number, "messages.log", asked)) for number in range(1, 101)))
    eventually(lambda: alice.messages.last_number() == 50, "others are answered")
    time.sleep(0.3)
    assert memory(served.pid) - before < MEMORY_MIB_MAX * MIB
    for number in range(1, 101):
        assert len(greedy.answer(number)) == 50

"""Processes that write to the file themselves, beside the daemon: neither keeps the other from anything."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost import reach
from roost.errors import RoostError, StoreBusy
from roost.messages.model import Sent

from .load import Load, messages
from .served import GUARD_SECONDS, SETTINGS, Served, eventually, is_alive

HOLDER = str(Path(__file__).with_name("gate_holder.py"))
TAKE_OVER = "import sys, roost; roost.open(sys.argv[1], as_='alice', takeover=True)"
SENDERS = 2
STOP_SECONDS_MAX = 5.0
NOISE_SECONDS = 4.0


class Call:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Sent]) -> None:
        self.result: Sent | None = None
        self.error: RoostError | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except RoostError as error:
            self.error = error

    def ended(self) -> Call:
        """Wait until it has ended."""
        self._thread.join(GUARD_SECONDS)
        assert not self._thread.is_alive()
        return self


def number_of(call: Call) -> int:
    """Return the number of the message that a call sent."""
    result = call.ended().result
    assert result is not None, call.error
    return result.number


def holding(site: Served) -> subprocess.Popen[str]:
    """Return a process that was stopped in the middle of a write transaction."""
    holder = site.child(HOLDER, str(site.folder), daemon="off")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)
    return holder


def let_go(holder: subprocess.Popen[str]) -> None:
    """Let a stopped process go on, and end."""
    holder.send_signal(signal.SIGCONT)
    out, _ = holder.communicate("go\n")
    assert (out, holder.returncode) == ("done\n", 0)


def test_both_go_on_and_number_their_messages_without_gap_or_double(served: Served) -> None:
    served.system().agents.add("reader")
    by_daemon = Load(served, SENDERS)
    by_file = Load(served, SENDERS, daemon="off", prefix="direct")
    for _ in range(3):
        by_daemon.goes_on()
        by_file.goes_on()
    by_daemon.end()
    by_file.end()
    by_daemon.check(by_file)


def test_a_listener_at_the_daemon_hears_what_a_direct_writer_sent(served: Served) -> None:
    alice = served.hub("alice")
    bob = served.project().joined("bob")
    heard = alice.messages.listen()
    for number in range(5):
        bob.messages.send(to="alice", text=f"line {number}")
        assert next(heard).message.body == f"line {number}"
    heard.close()  # type: ignore[attr-defined]


def test_a_follower_at_the_daemon_sees_the_events_of_a_direct_writer(served: Served) -> None:
    alice, bob = served.hub("alice"), served.project().joined("bob")
    seen = alice.history.follow(alice.history.head().cursor, kinds=["message"])
    for _ in range(3):
        sent = bob.messages.send(to="alice", text="hello")
        event = next(seen)
        assert (event.kind, event.object) == ("message.sent", sent.id)
    seen.close()  # type: ignore[attr-defined]


def test_who_waits_at_the_daemon_gets_what_a_direct_writer_frees(served: Served) -> None:
    alice, bob = served.hub("alice"), served.project().joined("bob")
    bob.leases.acquire("deploy", ttl=600)
    waiting = threading.Thread(target=alice.leases.wait, args=("deploy",), kwargs={"timeout": GUARD_SECONDS})
    waiting.start()
    eventually(bob.leases.queue, "alice stands in the queue")
    bob.leases.release("deploy")
    waiting.join(GUARD_SECONDS)
    (lease,) = bob.leases.who("deploy")
    assert lease.session == alice.sessions.me().session


def test_a_direct_writer_sees_at_once_what_the_daemon_answered(served: Served) -> None:
    alice, bob = served.hub("alice"), served.project().joined("bob")
    for number in range(1, 6):
        assert alice.messages.send(to="bob", text=f"line {number}").number == 2 * number - 1
        assert bob.messages.inbox().items[0].message.body == f"line {number}"
        assert bob.messages.send(to="alice", text="got it").number == 2 * number


def test_a_session_that_a_direct_writer_took_over_is_refused_at_the_daemon(served: Served) -> None:
    alice = served.hub("alice")
    alice.messages.send(to="alice", text="mine")
    other = served.child("-c", TAKE_OVER, str(served.folder), daemon="off")
    assert other.wait() == 0
    with pytest.raises(RoostError) as refused:
        alice.messages.send(to="alice", text="still mine?")
    assert refused.value.code == "SESSION_ENDED"
    assert [message.body for message in messages(served)] == ["mine"]


def test_while_a_stopped_writer_holds_the_gate_the_daemon_reads_and_afterwards_it_writes(served: Served) -> None:
    alice = served.hub("alice")
    alice.messages.send(to="alice", text="before")
    holder = holding(served)
    calls = [Call(lambda n=n: alice.messages.send(to="alice", text=f"call {n}")) for n in range(3)]  # type: ignore[misc]
    assert [message.body for message in alice.messages.log()] == ["before"]
    assert alice.sessions.me().name == "alice"
    let_go(holder)
    assert sorted(number_of(call) for call in calls) == [2, 3, 4]
    assert sorted(message.body for message in messages(served)) == ["before", "call 0", "call 1", "call 2"]
    assert not served.system().history.verify().problems


def test_calls_that_wait_too_long_for_the_gate_fail_clearly_and_leave_nothing(unserved: Served) -> None:
    unserved.configure(f"gate_seconds_max = 0.5\n{SETTINGS}")
    alice = unserved.start().hub("alice")
    holder = holding(unserved)
    calls = [Call(lambda n=n: alice.messages.send(to="alice", text=f"call {n}")) for n in range(3)]  # type: ignore[misc]
    for call in calls:
        error = call.ended().error
        assert isinstance(error, StoreBusy)
        assert error.retryable
        assert "gate" in error.message
        assert error.hint
    let_go(holder)
    assert messages(unserved) == []
    assert alice.messages.send(to="alice", text="after").number == 1


def test_a_direct_writer_that_dies_half_way_leaves_the_gate_open_and_nothing_behind(served: Served) -> None:
    alice = served.hub("alice")
    before = alice.history.head().seq
    holder = holding(served)
    call = Call(lambda: alice.messages.send(to="alice", text="after"))
    holder.kill()
    result = call.ended().result
    assert result is not None
    assert (result.number, result.seq) == (1, before + 1)


def test_a_daemon_that_cannot_write_any_more_ends_in_time_all_the_same(served: Served) -> None:
    alice = served.hub("alice")
    holder = holding(served)
    call = Call(lambda: alice.messages.send(to="alice", text="not answered by the first"))
    time.sleep(0.2)  # the call has arrived
    began, pid = time.monotonic(), served.kill(signal.SIGTERM)
    eventually(lambda: not is_alive(pid), "the daemon ended", STOP_SECONDS_MAX + NOISE_SECONDS)
    print(f"the daemon ended {time.monotonic() - began:.2f} s after SIGTERM")
    let_go(holder)
    assert call.ended().result is not None  # its caller went on to the next daemon by itself
    assert reach.is_running(served.place)
    assert [message.body for message in messages(served)] == ["not answered by the first"]

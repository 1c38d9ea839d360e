"""The waker beside an idle session: one a session, awake only for mail that asks, and nearly free."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.interfaces.hook import waiter
from tests.daemon.served import GUARD_SECONDS, eventually

from .hooked import Hooked

Process = subprocess.Popen[bytes]


@pytest.fixture
def beside(client: Hooked) -> Iterator[Process]:
    """A waker that sits beside the client."""
    with sitting(client) as process:
        yield process
        process.kill()


def sitting(client: Hooked) -> Process:
    """Start a waker and wait until it holds its place."""
    place = client.place / "waiters" / f"claude-{client.session}"
    process = client.begin("Stop", "wait")

    def sits() -> bool:
        assert process.poll() is None, "the waker ended"
        return place.exists() and place.read_bytes().startswith(b"%d " % process.pid)

    eventually(sits, "the waker takes its place")
    return process


def stays(process: Process, seconds: float = 1.2) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def stderr_of(process: Process) -> str:
    assert process.stderr is not None
    return process.stderr.read().decode()


def test_mail_that_asks_wakes_an_idle_session(client: Hooked, beside: Process) -> None:
    ref = client.mail("which one?", type="question")
    assert beside.wait(GUARD_SECONDS) == 2
    assert "which one?" in stderr_of(beside)
    assert client.states(ref) == ["offered"]


def test_mail_that_asks_for_nothing_wakes_nobody(client: Hooked, beside: Process) -> None:
    ref = client.mail("for your information")
    assert stays(beside)
    assert client.states(ref) == ["pending"]


def test_a_busy_session_is_not_woken_and_an_idle_one_is_as_soon_as_it_is(client: Hooked, beside: Process) -> None:
    client.hook("UserPromptSubmit")
    client.mail("which one?", type="question")
    assert stays(beside)
    beat = client.place / "beats" / f"claude-{client.session}"
    beat.write_text(f"{time.monotonic_ns() // 1_000_000} idle\n")
    assert beside.wait(GUARD_SECONDS) == 2


def test_mail_of_before_the_waker_began_wakes_too(client: Hooked) -> None:
    client.mail("which one?", type="question")
    with client.begin("Stop", "wait") as process:
        assert process.wait(GUARD_SECONDS) == 2


def test_a_look_that_fails_is_taken_again(client: Hooked, beside: Process) -> None:
    client.hook("UserPromptSubmit")
    client.mail("which one?", type="question")
    broken = client.place / "roost.toml"
    broken.write_text("nonsense = [")
    (client.place / "beats" / f"claude-{client.session}").write_text("1 idle\n")
    eventually(lambda: client.log("hooks.log"), "it looks")
    assert stays(beside)
    assert [line["error"] for line in client.log("hooks.log")] == ["InvalidInput"], "the next look is seconds later"
    broken.unlink()
    assert beside.wait(GUARD_SECONDS) == 2


def test_the_newest_waker_takes_over(client: Hooked, beside: Process) -> None:
    with sitting(client) as second:
        assert beside.wait(GUARD_SECONDS) == 0
        client.mail("which one?", type="question")
        assert second.wait(GUARD_SECONDS) == 2


def test_a_waker_ends_with_its_client(client: Hooked, beside: Process) -> None:
    client.crash()
    assert beside.wait(GUARD_SECONDS) == 0


def test_a_waker_ends_with_its_session(client: Hooked, beside: Process) -> None:
    client.hook("SessionEnd", reason="other")
    assert beside.wait(GUARD_SECONDS) == 0


def test_a_run_without_a_person_has_no_waker(client: Hooked) -> None:
    done = subprocess.run(
        client.command("wait"),
        input=client.stdin("Stop"),
        env=client.environment(CLAUDE_CODE_SESSION_ATTENDED="0"),
        timeout=GUARD_SECONDS,
        check=False,
    )
    assert done.returncode == 0


def test_a_waker_costs_next_to_nothing(beside: Process) -> None:
    before = -1.0
    while before != own_cpu(beside.pid):  # it has not come to its rest yet
        before = own_cpu(beside.pid)
        assert stays(beside, 0.5)
    assert stays(beside, 3)
    assert own_cpu(beside.pid) - before <= 0.06  # twelve looks of about a millisecond
    assert resident_kib(beside.pid) < 16 * 1024


def own_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Quarters:
    """A clock for the waiter's loop: each sleep is a quarter of a second, and a script of what happens meanwhile."""

    def __init__(self, client: Hooked, script: dict[int, str], most: int) -> None:
        self.client, self.script, self.most = client, script, most
        self.now = 0
        self.looks: list[int] = []

    def sleep(self, seconds: float) -> None:
        self.now += 1
        step = self.script.get(self.now)
        beat = self.client.place / "beats" / f"claude-{self.client.session}"
        if step == "ring":
            self.client.bell.unlink(missing_ok=True)
            self.client.bell.touch()
        elif step in ("idle", "tool"):
            beat.write_text(f"1 {step}\n")
        if self.now >= self.most:
            (self.client.place / "waiters" / f"claude-{self.client.session}").unlink()

    def monotonic(self) -> float:
        return 1_000_000 + self.now / 4

    def monotonic_ns(self) -> int:
        return int(self.monotonic() * 1e9)

    def time(self) -> float:
        return 1_000_000_000 + self.now / 4

    def in_child(self, work: object, *args: object) -> str:
        if work is waiter._client_process:
            return str(os.getpid())
        self.looks.append(self.now)
        return ""


def looked_at(client: Hooked, monkeypatch: pytest.MonkeyPatch, script: dict[int, str], most: int) -> list[int]:
    """Run the waiter's loop in scripted time, and return when it looked with the whole library."""
    client.bell.unlink(missing_ok=True)
    quarters = Quarters(client, script, most)
    monkeypatch.setattr(waiter, "time", quarters)
    monkeypatch.setattr(waiter, "_in_child", quarters.in_child)
    monkeypatch.setattr(waiter, "_tick_is_due", lambda place: False)
    (client.place / "beats" / f"claude-{client.session}").write_text("1 idle\n")
    assert waiter.wait(str(client.place), "claude", f"claude-{client.session}", b"") == 0
    return quarters.looks


def test_one_ring_is_one_look(client: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked_at(client, monkeypatch, {10: "ring", 40: "ring"}, 400)
    assert looks == [10, 40]


def test_a_ring_while_busy_is_looked_at_once_it_is_idle(client: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked_at(client, monkeypatch, {5: "tool", 10: "ring", 40: "idle"}, 100)
    assert looks == [40]


def test_without_any_ring_it_looks_every_five_minutes(client: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked_at(client, monkeypatch, {}, 4 * 700)
    assert looks == [1200, 2400]


def test_of_many_waiters_one_keeps_time(client: Hooked) -> None:
    place = str(client.place)
    tick = client.place / "waiters" / "tick"
    assert not waiter._tick_is_due(place)  # the first makes the file
    old = time.time() - 31
    os.utime(tick, (old, old))
    assert [waiter._tick_is_due(place) for _ in range(40)].count(True) == 1

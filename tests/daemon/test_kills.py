"""The daemon is killed, stopped and started while processes use it: callers go on by themselves, nothing is lost."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path

from roost import reach
from roost.daemon.places import told
from tests.leftovers import daemons_in

from .load import Load
from .served import Served, eventually, is_alive

SENDERS = 4
KILLS = 5
STOPS = 3
STARTERS = 8
START = "import sys; from roost import reach; reach.start(sys.argv[1])"
START_ON_A_WORD = f"import sys; from roost import reach; print('ready', flush=True); sys.stdin.readline(); {START}"
STOP_SECONDS_MAX = 5.0
NOISE_SECONDS = 4.0
"""What a machine that is busy with other things may add."""


def serves_after(dead: int, site: Served) -> bool:
    """Say whether another daemon than a dead one serves; between the two, none says where it is."""
    run = told(site.place)
    return run is not None and run.pid != dead and reach.is_running(site.place)


def test_whoever_is_answered_is_stored_once_over_kills_under_load(served: Served) -> None:
    served.system().agents.add("reader")
    load, dice = Load(served, SENDERS), random.Random(7)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.05, 0.3))
        dead = served.kill()
        eventually(lambda dead=dead: serves_after(dead, served), "a caller started a daemon")  # type: ignore[misc]
        load.goes_on()
    load.end()
    load.check()
    assert len(load) > KILLS * SENDERS


def test_whoever_is_answered_is_stored_once_over_stops_under_load(unserved: Served) -> None:
    unserved.system().agents.add("reader")
    loads = list[Load]()
    for round_ in range(STOPS):
        unserved.start()
        loads.append(Load(unserved, SENDERS, prefix=f"sender-{round_}"))
        began, pid = time.monotonic(), unserved.kill(signal.SIGTERM)
        eventually(lambda pid=pid: not is_alive(pid), "the daemon ended", STOP_SECONDS_MAX + NOISE_SECONDS)  # type: ignore[misc]
        took = time.monotonic() - began
        assert unserved.log.count("stopped: ") > round_, unserved.log
        assert "unanswered" not in unserved.log
        loads[-1].goes_on()
        loads[-1].end()
        unserved.stop()
        print(f"{len(loads[-1])} sends; the daemon ended {took:.2f} s after SIGTERM")
    loads[0].check(*loads[1:])


def test_the_streams_of_a_killed_daemon_go_on_without_a_gap(served: Served) -> None:
    alice, bob = served.hub("alice"), served.hub("bob")
    stream, seen = alice.messages.follow(), list[int]()
    for number in range(1, 13):
        bob.messages.send(to="alice", text=f"line {number}")
        seen.append(next(stream).number)
        if number % 4 == 0:
            served.crash()
    assert seen == list(range(1, 13))
    stream.close()  # type: ignore[attr-defined]


def test_a_lease_and_a_session_outlive_the_daemon(served: Served) -> None:
    alice, bob = served.hub("alice"), served.hub("bob")
    lease = alice.leases.acquire("deploy", ttl=600)
    before = alice.sessions.me()
    served.crash()
    assert alice.sessions.me() == before
    assert bob.leases.who("deploy") == (lease,)
    alice.leases.release("deploy")


def test_of_eight_who_start_it_at_once_one_daemon_is_left(unserved: Served) -> None:
    starters = [unserved.child("-c", START, unserved.place) for _ in range(STARTERS)]
    assert [starter.wait() for starter in starters] == [0] * STARTERS
    eventually(lambda: len(daemons_in(unserved.folder)) == 1, "the other daemons left")
    assert daemons_in(unserved.folder)[0].startswith(f"{unserved.pid}: ")
    assert unserved.log.count("serving ") == 1


def test_who_starts_it_while_the_one_before_still_ends_gets_the_next(served: Served) -> None:
    alice = served.wire("alice")
    starter = served.child("-c", START_ON_A_WORD, served.place)
    assert starter.stdin is not None and starter.stdout is not None and starter.stdout.readline() == "ready\n"
    with served.project().store.gate():
        alice.send(1, "agents.add", {"name": "carol"})
        alice.send(2, "messages.last_number", {})
        assert alice.answer(2) == 0
        leaving = served.kill(signal.SIGTERM)
        eventually(lambda: not reach.socket_of(served.place), "it takes its address away")
        starter.stdin.write("go\n")
        starter.stdin.flush()
        eventually(lambda: len(daemons_in(served.folder)) > 1, "the next one starts")
        time.sleep(0.3)  # the next one finds the lock taken
        assert is_alive(leaving)
    assert alice.answer(1)["name"] == "carol"
    assert starter.wait() == 0
    assert served.pid != leaving


def test_a_daemon_that_is_killed_while_it_starts_is_no_hindrance(unserved: Served, tmp_path: Path) -> None:
    for wait in (0.0, 0.05, 0.1, 0.15):
        starting = unserved.child("-m", "roost.daemon", unserved.place)
        time.sleep(wait)
        starting.kill()
        starting.wait()
    unserved.start()
    assert unserved.hub("alice").sessions.me().name == "alice"
    assert sys.executable in daemons_in(tmp_path)[0]

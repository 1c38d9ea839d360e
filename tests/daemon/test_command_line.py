"""`roost up`, `down` and `logs`, and the daemon that starts and leaves by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost import reach
from roost.errors import Unavailable
from tests.interfaces.conftest import keyed
from tests.interfaces.hooked import Hooked
from tests.leftovers import daemons_in

from .load import Load
from .served import GUARD_SECONDS, SETTINGS, Served, eventually, is_alive

INTERRUPTED = 130


def program(site: Served, *words: str, daemon: str = "auto", **environment: str) -> subprocess.Popen[str]:
    """Start the command line in a project."""
    return site.child("-m", "roost.interfaces.cli.main", "-C", str(site.folder), *words, daemon=daemon, **environment)


def roost(site: Served, *words: str, status: int = 0, daemon: str = "auto", **environment: str) -> str:
    """Run the command line and return what it prints."""
    running = program(site, *words, daemon=daemon, **environment)
    out, _ = running.communicate(timeout=GUARD_SECONDS)
    assert running.returncode == status, out
    return out


def session_of(site: Served, name: str) -> str:
    """Begin a session with a key, by which the command line is somebody."""
    return keyed(site.project(), name)


def test_up_detached_returns_when_it_answers_and_twice_is_as_good(unserved: Served) -> None:
    said = roost(unserved, "up", "--detach")
    assert said == f"the daemon runs: pid {unserved.pid}, {unserved.run.socket}\n"
    assert reach.is_running(unserved.place)
    for words in (("up", "--detach"), ("up",)):
        assert f"the daemon runs already: pid {unserved.pid}," in roost(unserved, *words)
    facts = json.loads(roost(unserved, "up", "--json"))
    assert (facts["pid"], facts["port"], facts["trouble"]) == (unserved.pid, 0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_in_this_terminal_until_it_is_told_to_stop(unserved: Served, number: int) -> None:
    running = program(unserved, "up")
    eventually(lambda: reach.is_running(unserved.place), "it serves")
    assert unserved.pid == running.pid
    running.send_signal(number)
    assert running.wait(GUARD_SECONDS) == 0
    assert not reach.is_running(unserved.place)


def test_down_stops_it_and_twice_is_as_good(served: Served) -> None:
    pid = served.pid
    assert roost(served, "down") == "the daemon stopped\n"
    assert not served.serves
    eventually(lambda: not is_alive(pid), "its process is gone")
    assert roost(served, "down") == "no daemon runs for this project\n"
    assert json.loads(roost(served, "down", "--json")) == {"stopped": False}
    served.start()
    assert json.loads(roost(served, "down", "--json")) == {"stopped": True}


def test_down_is_done_also_where_callers_start_the_next_one_at_once(served: Served) -> None:
    served.system().agents.add("reader")
    load, pid = Load(served, 2), served.pid
    assert roost(served, "down") == "the daemon stopped\n"
    eventually(lambda: not is_alive(pid), "its process is gone")
    load.goes_on()
    load.end()
    load.check()


def test_down_says_when_it_does_not_stop(served: Served) -> None:
    pid = served.kill(signal.SIGSTOP)
    running = program(served, "down", "--timeout", "0.3s")
    running.communicate(timeout=GUARD_SECONDS)
    assert running.returncode != 0
    assert is_alive(pid)
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: not served.serves, "it stops after all")


def test_logs_shows_what_was_written_down(unserved: Served) -> None:
    assert roost(unserved, "logs") == "nothing is written down yet\n"
    unserved.start()
    unserved.stop()
    lines = roost(unserved, "logs").splitlines()
    assert [line.startswith("daemon: ") for line in lines] == [True] * len(lines)
    assert "serving" in lines[0]
    assert "stopped" in lines[-1]
    assert roost(unserved, "logs", "-n", "1") == f"{lines[-1]}\n"
    assert json.loads(roost(unserved, "logs", "--json"))["hooks.log"] == []


def test_logs_can_be_followed_also_over_a_file_that_begins_anew(unserved: Served) -> None:
    log = unserved.path / "daemon.log"
    log.write_text("an old line\n")
    following = program(unserved, "logs", "-f")
    assert following.stdout is not None
    assert following.stdout.readline() == "daemon: an old line\n"
    with log.open("a") as file:
        file.write("a new line\n")
    assert following.stdout.readline() == "daemon: a new line\n"
    log.write_text("begun\n")
    assert following.stdout.readline() == "daemon: begun\n"
    following.send_signal(signal.SIGINT)
    assert following.wait(GUARD_SECONDS) == INTERRUPTED


def test_a_verb_starts_it_for_the_next_caller(unserved: Served) -> None:
    session = session_of(unserved, "alice")
    assert "alice" in roost(unserved, "who", ROOST_SESSION=session)
    eventually(lambda: reach.is_running(unserved.place), "the verb started it")
    roost(unserved, "send", "alice", "hello", ROOST_SESSION=session)
    unserved.stop()
    assert "stopped: 1 calls" in unserved.log


def test_a_hook_starts_it_and_the_next_one_goes_through_it(unserved: Served) -> None:
    client = Hooked(unserved.folder)
    try:
        auto = {"ROOST_DAEMON": "auto"}
        assert "You are builder" in client.hook("SessionStart", env=auto).context
        eventually(lambda: reach.is_running(unserved.place), "the hook started it")
        unserved.hub("planner").messages.send(to="builder", text="look at the parser")
        assert "look at the parser" in client.hook("PostToolBatch", env=auto).context
    finally:
        client.crash()


@pytest.mark.parametrize(
    ("switch", "settings", "age", "started"),
    [
        ("auto", "", 60.0, 1),
        ("auto", "", 0.0, 0),
        ("off", "", 60.0, 0),
        ("auto", "[daemon]\nautostart = false\n", 60.0, 0),
    ],
)
def test_it_is_started_where_that_is_wanted_and_was_not_tried_a_moment_ago(
    unserved: Served, monkeypatch: pytest.MonkeyPatch, switch: str, settings: str, age: float, started: int
) -> None:
    spawned = list[str]()
    monkeypatch.setattr(reach, "spawn", spawned.append)
    monkeypatch.setenv(reach.SWITCH, switch)
    unserved.configure(settings)
    log = unserved.path / reach.LOG
    log.touch()
    os.utime(log, (time.time() - age, time.time() - age))
    reach.start_soon(unserved.place)
    assert spawned == [unserved.place] * started


def test_with_the_switch_off_a_verb_starts_none_and_takes_none(unserved: Served) -> None:
    session = session_of(unserved, "alice")
    assert "alice" in roost(unserved, "who", daemon="off", ROOST_SESSION=session)
    assert not daemons_in(unserved.folder)
    assert not (unserved.path / reach.LOG).exists()


def test_it_gets_nobodys_session_and_nobodys_keys(unserved: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROOST_SESSION", "ROOST_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_PID"):
        monkeypatch.setenv(name, "canary")
    unserved.start()
    assert b"canary" not in Path(f"/proc/{unserved.pid}/environ").read_bytes()
    monkeypatch.undo()


def test_it_leaves_when_nobody_is_alive(unserved: Served) -> None:
    unserved.configure(SETTINGS.replace("idle_seconds = 600", "idle_seconds = 0.4"))
    assert reach.spawn(unserved.place)
    eventually(lambda: "nobody is alive: leaving" in unserved.log, "it says that it leaves")
    eventually(lambda: not daemons_in(unserved.folder), "it left")
    assert not unserved.serves


def test_it_stays_while_somebody_is_alive_or_connected(unserved: Served) -> None:
    unserved.configure(SETTINGS.replace("idle_seconds = 600", "idle_seconds = 0.4"))
    alice = unserved.system().turns.join("alice", process=unserved.project().store._host.process(os.getpid()))
    pid = unserved.start().pid
    time.sleep(1.0)
    assert is_alive(pid)
    with unserved.raw():
        unserved.project().as_session(alice.id).turns.leave()
        time.sleep(1.0)
        assert is_alive(pid)
    eventually(lambda: not is_alive(pid), "it left")


@pytest.mark.parametrize("settings", ["no toml", "[daemon]\nports = 1\n", '[daemon]\nport = "http"\n'])
def test_a_configuration_that_is_wrong_is_told_at_once(unserved: Served, settings: str) -> None:
    unserved.configure(settings)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"could not start: .*roost.toml is not .*; see `roost logs`"):
        reach.start(unserved.place)
    assert time.monotonic() - began < reach.START_SECONDS_MAX
    said = roost(unserved, "logs")
    assert "roost.toml is not a valid configuration" in said
    assert "Traceback" not in said
    running = program(unserved, "up")
    assert running.wait(GUARD_SECONDS) == 2


def test_a_port_that_is_taken_is_replaced_by_a_free_one(unserved: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        unserved.configure(f"[daemon]\nport = {port}\n")
        said = roost(unserved, "up", "--detach")
    assert unserved.run.port not in (0, port)
    assert f"http://127.0.0.1:{unserved.run.port}" in said


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("", "daemon.tls_port needs a certificate"),
        ('certificate = "/no/such.pem"\nprivate_key = "/no/such.key"\n', "No such file"),
    ],
)
def test_without_a_certificate_this_machine_is_served_all_the_same_and_up_says_why(
    unserved: Served, files: str, words: str
) -> None:
    unserved.configure(f"[daemon]\nhttp = false\ntls_port = 1\n{files}")
    said = roost(unserved, "up", "--detach")
    assert words in said
    assert words in unserved.run.trouble
    assert unserved.run.tls_port == 0
    assert unserved.hub("alice").sessions.me().name == "alice"


def test_the_check_for_daemons_that_are_left_sees_one(served: Served, wait: Callable[[], None]) -> None:
    assert len(daemons_in(served.folder)) == 1
    assert f" {sys.executable}" in daemons_in(served.folder)[0]
    served.stop()
    wait()


@pytest.fixture
def wait(tmp_path: Path) -> Callable[[], None]:
    """Return what waits until no daemon is left."""
    return lambda: eventually(lambda: not daemons_in(tmp_path), "no daemon is left")

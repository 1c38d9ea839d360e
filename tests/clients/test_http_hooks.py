"""Claude Code launched by `roost run`: between tool calls and at turn ends its hooks come over HTTP, the rest by
command, and while no daemon is there everything does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.clients import launcher
from roost.connect import Project, connect
from roost.daemon.places import Run, told
from roost.hub import Hub
from roost.reach import is_running
from roost.runtimes.host import LocalHost
from roost.verbs import Sync
from tests.clients.harness import Fleet, Step, bash, call, say, wait_until
from tests.clients.harness.fleet import INSTALLED
from tests.interfaces.patience import with_patience

pytestmark = pytest.mark.clients

PATIENCE_SECONDS = 60
SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet whose every client is launched by Roost, and whose hook commands write down when Python starts."""
    wrapper = program(tmp_path / "claude", f'exec roost run --as builder -- "{INSTALLED}" "$@"')
    with Fleet(tmp_path / "fleet", path=[SCRIPTS], claude=wrapper) as started:
        done = started.run("roost", "init", "--yes", "--me", "ada")
        assert done.returncode == 0, done.stdout + done.stderr
        python = program(tmp_path / "python", f'echo "$9" >>"{tmp_path}/commands"; exec "{sys.executable}" "$@"')
        hook = launcher.path(started.home)
        hook.write_bytes(with_patience(launcher.render(python)))
        yield started
        started.run("roost", "down")


def program(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def commands(fleet: Fleet) -> set[str]:
    """Return the third words of the hook commands for which Python was started."""
    return set((fleet.folder.parent / "commands").read_text().splitlines())


@pytest.fixture
def project(fleet: Fleet) -> Iterator[Project]:
    opened = connect(fleet.repo)
    yield opened
    opened.close()


@pytest.fixture
def planner(project: Project) -> Hub[Sync]:
    return project.joined("planner")


def ways(fleet: Fleet, *events: str) -> list[str]:
    """Return how the turns of some events came to who took them."""
    path = fleet.repo / ".roost" / "turns.log"
    return [one["by"] for one in map(json.loads, path.read_text().splitlines()) if one["event"] in events]


def waits(name: str) -> Step:
    return bash(f"touch {name}; until [ -e {name}.go ]; do sleep 0.1; done")


def reach(fleet: Fleet, name: str) -> None:
    wait_until((fleet.repo / name).exists, f"the tool {name}", timeout=PATIENCE_SECONDS)


def go_on(fleet: Fleet, name: str) -> None:
    (fleet.repo / f"{name}.go").touch()


def end_of(running: subprocess.Popen[str]) -> None:
    out, err = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, out + err


def daemon(fleet: Fleet) -> Run:
    return wait_until(lambda: told(place(fleet)), "the daemon", timeout=PATIENCE_SECONDS)


def place(fleet: Fleet) -> str:
    return str(fleet.repo / ".roost")


def kill_daemon(fleet: Fleet) -> None:
    pid = daemon(fleet).pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: LocalHost().process(pid) is None, "the end of the daemon", timeout=PATIENCE_SECONDS)
    os.utime(fleet.repo / ".roost" / "daemon.log", (0, 0))  # as if it had been started long ago


def test_mail_comes_over_http_and_no_command_runs_for_it(fleet: Fleet, planner: Hub[Sync]) -> None:
    running = fleet.start_ask("one", "work", script=[waits("one"), say("first", gate="answer"), say("second")])
    reach(fleet, "one")
    planner.messages.send(to="builder", text="tests are red")
    go_on(fleet, "one")
    assert fleet.wait_request("one", 2).count("tests are red") == 1
    planner.messages.send(to="builder", text="which branch?", type="question")
    fleet.open_gate("answer")
    assert fleet.wait_request("one", 3).count("which branch?") == 1
    end_of(running)
    assert set(ways(fleet, "PostToolBatch", "Stop")) == {"http"}
    assert set(ways(fleet, "SessionStart")) == {"socket"}
    assert "http" not in commands(fleet)
    assert [one.state for ref in ("m1", "m2") for one in planner.deliveries.of(ref)] == ["delivered", "delivered"]


def test_an_edit_of_a_leased_file_is_refused_with_and_without_a_daemon(fleet: Fleet, planner: Hub[Sync]) -> None:
    planner.leases.acquire("a.txt", reason="rewriting it")
    edit = call("Write", file_path=str(fleet.repo / "a.txt"), content="mine now\n")
    running = fleet.start_ask("one", "work", script=[edit, waits("one"), edit, say("done")])
    assert "a.txt is held by planner (rewriting it) until" in fleet.wait_request("one", 2)
    reach(fleet, "one")
    kill_daemon(fleet)
    go_on(fleet, "one")
    assert fleet.wait_request("one", 4).count("a.txt is held by planner (rewriting it) until") == 2
    end_of(running)
    assert (fleet.repo / "a.txt").read_text() == "first line\n"


def test_a_daemon_that_is_killed_holds_no_mail_up_and_its_next_one_is_called_again(
    fleet: Fleet, planner: Hub[Sync]
) -> None:
    running = fleet.start_ask("one", "work", script=[waits("one"), waits("two"), say("done")])
    reach(fleet, "one")
    port = daemon(fleet).port
    kill_daemon(fleet)
    planner.messages.send(to="builder", text="sent while nobody served")
    go_on(fleet, "one")
    assert fleet.wait_request("one", 2).count("sent while nobody served") == 1
    assert ways(fleet, "PostToolBatch") == ["process"] and "http" in commands(fleet)
    reach(fleet, "two")
    wait_until(lambda: is_running(place(fleet)), "the next daemon", timeout=PATIENCE_SECONDS)
    assert daemon(fleet).port == port
    planner.messages.send(to="builder", text="sent to the next one")
    go_on(fleet, "two")
    assert fleet.wait_request("one", 3).count("sent to the next one") == 1
    assert ways(fleet, "PostToolBatch") == ["process", "http"]
    end_of(running)


def test_the_next_event_starts_the_next_daemon_with_mail_or_without(fleet: Fleet, planner: Hub[Sync]) -> None:
    running = fleet.start_ask("one", "work", script=[waits("one"), waits("two"), say("done")])
    reach(fleet, "one")
    kill_daemon(fleet)
    go_on(fleet, "one")
    reach(fleet, "two")
    wait_until(lambda: is_running(place(fleet)), "the next daemon", timeout=PATIENCE_SECONDS)
    go_on(fleet, "two")
    end_of(running)


def test_an_idle_session_wakes_and_its_prompts_come_over_http(fleet: Fleet, planner: Hub[Sync]) -> None:
    client = fleet.claude("one", script=[say("ready"), say("woke"), say("thanked")])
    client.type("hello")
    client.wait_request(1)
    client.wait_idle()
    planner.messages.send(to="builder", text="which branch?", type="question")
    assert client.wait_request(2).count("which branch?") == 1
    client.wait_idle()
    planner.messages.send(to="builder", text="just so you know")
    client.type("thanks")
    assert client.wait_request(3).count("just so you know") == 1
    assert set(ways(fleet, "UserPromptSubmit", "Stop")) == {"http"}
    assert "http" not in commands(fleet)

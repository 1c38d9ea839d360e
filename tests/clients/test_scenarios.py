"""Roost with the real Claude Code: what its model saw, and what the store says about it, must be the same story."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.clients import launcher
from roost.connect import Project, connect
from roost.deliveries.model import Delivery, Receipt
from roost.hub import Hub
from roost.verbs import Sync
from tests.clients.harness import Claude, Fleet, bash, call, calls, say, wait_until
from tests.interfaces.patience import with_patience

pytestmark = pytest.mark.clients

PATIENCE_SECONDS = 60
WAKE_SECONDS_MAX = 2.0
SCRIPTS = Path(sys.executable).parent


with_and_without_daemon = pytest.mark.parametrize("daemon", ["auto", "off"], indirect=True)


@pytest.fixture
def daemon(request: pytest.FixtureRequest) -> str:
    """Whether hooks start the daemon and speak to it, or take each turn themselves on the file."""
    return getattr(request, "param", "auto")


@pytest.fixture
def fleet(tmp_path: Path, daemon: str) -> Iterator[Fleet]:
    """A namespace whose HOME has Roost's hooks, put there by `roost init`, and whose PATH has `roost`."""
    with Fleet(tmp_path / "fleet", path=[SCRIPTS], env={"ROOST_DAEMON": daemon}) as started:
        done = started.run("roost", "init", "--yes", "--me", "ada")
        assert done.returncode == 0, done.stdout + done.stderr
        hook = launcher.path(started.home)
        hook.write_bytes(with_patience(hook.read_bytes()))
        yield started
        started.end()
        assert bool(calls_of_daemon(started)) == (daemon == "auto")


def calls_of_daemon(fleet: Fleet) -> int:
    """Return how many calls daemons answered, as they wrote down when they stopped."""
    log = fleet.repo / ".roost" / "daemon.log"
    return sum(map(int, re.findall(r"stopped: (\d+) calls", log.read_text()))) if log.exists() else 0


@pytest.fixture
def project(fleet: Fleet) -> Iterator[Project]:
    """The store of the fleet's repository."""
    opened = connect(fleet.repo)
    yield opened
    opened.close()


@pytest.fixture
def planner(project: Project) -> Hub[Sync]:
    """A peer that is no client: this process."""
    return project.joined("planner")


def receipts(hub: Hub[Sync], ref: str, kind: str) -> list[Receipt]:
    return [receipt for receipt in hub.deliveries.receipts(ref) if receipt.kind == kind]


def delivery(hub: Hub[Sync], ref: str) -> Delivery:
    (only,) = hub.deliveries.of(ref)
    return only


def until_delivered(hub: Hub[Sync], ref: str) -> Receipt:
    wait_until(lambda: receipts(hub, ref, "delivered"), f"the proof of {ref}", timeout=PATIENCE_SECONDS)
    return receipts(hub, ref, "delivered")[-1]


def until_joined(project: Project, name: str) -> None:
    def look() -> bool:
        return name in {one.agent for one in project.system().sessions.activity() if one.state != "offline"}

    wait_until(look, f"{name} to join", timeout=PATIENCE_SECONDS)


def until_new_context(project: Project, session: str) -> None:
    def is_new() -> bool:
        return project.system().sessions.get(session).context == 2

    wait_until(is_new, "a new context", timeout=PATIENCE_SECONDS)


def idle_client(fleet: Fleet, name: str, *more: str) -> Claude:
    client = fleet.claude(name, script=[say("ready"), *map(say, more)])
    client.type("hello")
    client.wait_request(1)
    client.wait_idle()
    return client


@with_and_without_daemon
def test_mail_is_in_the_next_request_after_a_tool_batch(fleet: Fleet, project: Project, planner: Hub[Sync]) -> None:
    script = [bash("touch started; until [ -e go ]; do sleep 0.1; done"), bash("echo two"), say("done")]
    running = fleet.start_ask("one", "work", script=script, env={"ROOST_AGENT": "builder"})
    wait_until((fleet.repo / "started").exists, "the first tool", timeout=PATIENCE_SECONDS)
    sent = planner.messages.send(to="builder", text="tests are red")
    assert delivery(planner, sent.ref).state == "pending"
    (fleet.repo / "go").touch()
    seen = fleet.wait_request("one", 2)
    assert seen.count("tests are red") == 1
    running.communicate(timeout=PATIENCE_SECONDS)
    assert delivery(planner, sent.ref).state == "delivered"
    (offered,) = receipts(planner, sent.ref, "offered")
    assert offered.rung == "hook"
    assert "transcript: tool batch" in until_delivered(planner, sent.ref).proof


def test_at_stop_the_agent_goes_on_for_mail_that_asks_and_only_for_that(
    fleet: Fleet, project: Project, planner: Hub[Sync]
) -> None:
    running = fleet.start_ask(
        "one", "work", script=[say("first", gate="answer"), say("second")], env={"ROOST_AGENT": "builder"}
    )
    fleet.wait_request("one", 1)
    asks = planner.messages.send(to="builder", text="which branch?", type="question")
    tells = planner.messages.send(to="builder", text="just so you know")
    fleet.open_gate("answer")
    seen = fleet.wait_request("one", 2)
    running.communicate(timeout=PATIENCE_SECONDS)
    assert seen.count("which branch?") == 1
    assert "just so you know" not in seen
    assert delivery(planner, asks.ref).state == "delivered"
    assert receipts(planner, asks.ref, "offered")[0].rung == "stop"
    assert delivery(planner, tells.ref).state == "pending"


@with_and_without_daemon
def test_an_idle_session_wakes_for_mail_that_asks(fleet: Fleet, project: Project, planner: Hub[Sync]) -> None:
    client = idle_client(fleet, "one", "woke", "woke again", "after clear", "and again")
    until_joined(project, "claude-1")
    planner.messages.send(to="claude-1", text="nothing to do")
    took = []
    for number, text in ((2, "first question"), (3, "second question")):
        time.sleep(1)
        began = time.monotonic()
        sent = planner.messages.send(to="claude-1", text=text, type="question")
        seen = client.wait_request(number)
        took.append(time.monotonic() - began)
        assert seen.count(text) == 1
        assert receipts(planner, sent.ref, "offered")[0].rung == "rewake"
        assert "rewake" in until_delivered(planner, sent.ref).proof
        client.wait_idle()
    print(f"woken after {', '.join(f'{one:.2f} s' for one in took)} (promised: {WAKE_SECONDS_MAX} s)")
    assert min(took) <= WAKE_SECONDS_MAX


def test_after_compaction_the_briefing_is_there_and_owed_mail_comes_once_more(
    fleet: Fleet, project: Project, planner: Hub[Sync]
) -> None:
    client = idle_client(fleet, "one", "read", "after compaction", "done")
    until_joined(project, "claude-1")
    owed = planner.messages.send(to="claude-1", text="please confirm the plan", requires_ack=True)
    known = planner.messages.send(to="claude-1", text="the plan is final")
    client.wait_request(2)
    client.wait_idle()
    client.type("thanks")
    seen = client.wait_request(3)
    assert "the plan is final" in seen
    client.wait_idle()
    until_delivered(planner, owed.ref)
    until_delivered(planner, known.ref)
    client.type("/compact")
    wait_until(lambda: fleet.requests("one", kind="compaction"), "the compaction", timeout=PATIENCE_SECONDS)
    session = project.system().sessions.of("claude-1")
    assert session is not None
    until_new_context(project, session.id)
    client.type("go on")
    after = client.wait_request(4)
    assert "SCRIPTED-SUMMARY" in after
    assert "You are claude-1" in after
    assert after.count("\nplease confirm the plan\n") == 1
    assert "Offered again" in after
    assert after.count("\nthe plan is final\n") == 0
    assert len(receipts(planner, owed.ref, "offered")) == 2
    assert len(receipts(planner, known.ref, "offered")) == 1


def test_two_sessions_in_one_repository_get_two_names(fleet: Fleet, project: Project) -> None:
    idle_client(fleet, "one")
    idle_client(fleet, "two")
    names = {one.agent for one in project.system().sessions.activity() if one.client == "claude"}
    assert names == {"claude-1", "claude-2"}
    assert "You are claude-1" in fleet.requests("one")[0]
    assert "You are claude-2" in fleet.requests("two")[0]


def test_an_agents_own_command_carries_its_own_name(fleet: Fleet, project: Project, planner: Hub[Sync]) -> None:
    script = [bash('echo "session $ROOST_SESSION"; roost send planner "hello from my shell"'), say("done")]
    fleet.ask("one", "work", script=script, env={"ROOST_AGENT": "builder"})
    (item,) = planner.messages.inbox().items
    assert (item.message.sender_name, item.message.body) == ("builder", "hello from my shell")
    assert "stored as m1" in fleet.requests("one")[1]


def test_killed_between_offer_and_proof_it_is_offered_again_once_and_marked(
    fleet: Fleet, project: Project, planner: Hub[Sync]
) -> None:
    script = [bash("touch started; until [ -e go ]; do sleep 0.1; done"), say("never said", gate="never")]
    running = fleet.start_ask("one", "work", script=script, env={"ROOST_AGENT": "builder"})
    wait_until((fleet.repo / "started").exists, "the first tool", timeout=PATIENCE_SECONDS)
    sent = planner.messages.send(to="builder", text="tests are red")
    (fleet.repo / "go").touch()
    wait_until(lambda: delivery(planner, sent.ref).state == "offered", "the offer", timeout=PATIENCE_SECONDS)
    running.kill()
    running.communicate(timeout=PATIENCE_SECONDS)
    fleet.ask("two", "again", script=[say("back")], env={"ROOST_AGENT": "builder"})
    seen = fleet.requests("two")[0]
    assert seen.count("tests are red") == 1
    assert "Offered again" in seen
    assert len(receipts(planner, sent.ref, "offered")) == 2
    wait_until(lambda: delivery(planner, sent.ref).stage >= 1, "the stage", timeout=PATIENCE_SECONDS)


def test_a_long_tool_call_makes_no_duplicate(fleet: Fleet, project: Project, planner: Hub[Sync]) -> None:
    long = bash("touch started; until [ -e go ]; do sleep 0.1; done; sleep 3")
    script = [long, bash("sleep 2"), calls(bash("echo a"), bash("echo b")), say("done")]
    running = fleet.start_ask("one", "work", script=script, env={"ROOST_AGENT": "builder"})
    wait_until((fleet.repo / "started").exists, "the first tool", timeout=PATIENCE_SECONDS)
    sent = planner.messages.send(to="builder", text="only once, please")
    (fleet.repo / "go").touch()
    running.communicate(timeout=60)
    assert fleet.requests("one")[-1].count("only once, please") == 1
    assert len(receipts(planner, sent.ref, "offered")) == 1
    assert delivery(planner, sent.ref).state == "delivered"


@with_and_without_daemon
def test_an_edit_of_a_leased_file_is_refused_with_the_reason(
    fleet: Fleet, project: Project, planner: Hub[Sync]
) -> None:
    planner.leases.acquire("a.txt", reason="rewriting it")
    (fleet.repo / "b.txt").write_text("free\n")
    edit = call("Write", file_path=str(fleet.repo / "a.txt"), content="mine now\n")
    free = call("Write", file_path=str(fleet.repo / "new.txt"), content="new\n")
    fleet.ask("one", "work", script=[edit, free, bash("git checkout ."), say("done")], env={"ROOST_AGENT": "builder"})
    refused = fleet.requests("one")[1]
    assert "a.txt is held by planner (rewriting it) until" in refused
    assert (fleet.repo / "a.txt").read_text() == "first line\n"
    assert (fleet.repo / "new.txt").read_text() == "new\n"
    assert "git checkout would rewrite files" in fleet.requests("one")[3]


def test_clear_keeps_the_name_and_the_end_frees_the_leases(fleet: Fleet, project: Project) -> None:
    client = fleet.claude(
        "one", script=[call("Write", file_path=str(fleet.repo / "new.txt"), content="x\n"), say("done"), say("after")]
    )
    client.type("write it")
    client.wait_request(2)
    client.wait_idle()
    (lease,) = project.system().leases.list()
    assert (lease.key, lease.holder, lease.implicit) == ("new.txt", "claude-1", True)
    client.type("/clear")
    session = project.system().sessions.of("claude-1")
    assert session is not None
    until_new_context(project, session.id)
    client.type("hello")
    assert "You are claude-1" in client.wait_request(3)
    client.wait_idle()
    client.exit()
    wait_until(lambda: not project.system().leases.list(), "the lease to be free", timeout=PATIENCE_SECONDS)


def test_hooks_that_come_while_a_client_runs_let_it_join_and_their_end_is_silent(tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", path=[SCRIPTS]) as fleet:
        settings = fleet.settings({"theme": "dark"})
        before = settings.read_bytes()
        client = idle_client(fleet, "one", "joined", "left")
        assert fleet.run("roost", "init", "--yes", "--me", "ada").returncode == 0
        time.sleep(4)
        client.type("are you there?")
        assert "You are claude-1" in client.wait_request(2)
        client.wait_idle()
        assert fleet.run("roost", "hook", "uninstall", "--yes").returncode == 0
        assert settings.read_bytes() == before
        listed = subprocess.run(["pgrep", "-f", "roost/interfaces/hook"], capture_output=True, text=True, check=False)
        assert listed.returncode in (0, 1)

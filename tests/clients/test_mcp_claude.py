"""Claude Code with Roost as a server of MCP, added as its own command adds one: the tools work beside the hooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.connect import Project, connect
from tests.clients.harness import Fleet, call, say, wait_until
from tests.clients.harness.drivers import WITH_ALL_TOOLS
from tests.clients.harness.fleet import INSTALLED

pytestmark = pytest.mark.clients

SCRIPTS = Path(sys.executable).parent
ALLOWED = ("--allowedTools", "mcp__roost")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path / "fleet", path=[SCRIPTS], env=WITH_ALL_TOOLS) as started:
        for command in (
            ("roost", "init", "--yes", "--me", "ada"),
            (str(INSTALLED), "mcp", "add", "--scope", "user", "roost", "--", "roost", "mcp"),
        ):
            done = started.run(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        (started.repo / ".roost" / "roost.toml").write_text("[daemon]\nhttp = false\n")  # only the pipe is asked here
        yield started


@pytest.fixture
def project(fleet: Fleet) -> Iterator[Project]:
    opened = connect(fleet.repo)
    yield opened
    opened.close()


def test_the_model_has_the_tools_and_calls_them_as_its_session(fleet: Fleet, project: Project) -> None:
    planner = project.joined("planner")
    script = [
        call("mcp__roost__who"),
        call("mcp__roost__send", to="planner", text="done with the parser"),
        call("mcp__roost__lease", action="acquire", key="src/parser.py"),
        say("finished"),
    ]
    asked = fleet.ask("one", "hello", script=script, args=ALLOWED)
    assert asked.exit == 0, asked.err
    first = fleet.wait_request("one", 1)
    tools = {tool["name"] for tool in first.body["tools"]}
    assert {f"mcp__roost__{name}" for name in ("send", "inbox", "reply", "ack", "lease", "who", "search")} <= tools
    assert first.count("keeps them off each other's files") == 1
    assert '"name":"claude-1","kind":"agent"' in fleet.wait_request("one", 2)
    assert '"you":true' in fleet.wait_request("one", 2)
    assert '"id":"m1"' in fleet.wait_request("one", 3)
    said = planner.messages.inbox().items[0].message
    assert (said.sender_name, said.body) == ("claude-1", "done with the parser")
    assert '"holder":"claude-1"' in fleet.wait_request("one", 4)


def test_mail_that_the_tool_shows_is_shown_once_and_proved_by_the_hooks(fleet: Fleet, project: Project) -> None:
    planner = project.joined("planner")
    script = [call("mcp__roost__inbox"), call("mcp__roost__who"), say("finished")]
    script[0] = type(script[0])(calls=script[0].calls, gate="sent")
    running = fleet.start_ask("one", "hello", script=script, args=ALLOWED)
    fleet.wait_request("one", 1)
    planner.messages.send(to="claude-1", text="look at the parser")
    fleet.open_gate("sent")
    _, complaint = running.communicate(timeout=60)
    assert running.returncode == 0, complaint
    assert [fleet.wait_request("one", number).count("look at the parser") for number in (1, 2, 3)] == [0, 1, 1]
    wait_until(lambda: planner.deliveries.of("m1")[0].state == "delivered", "the proof of m1", timeout=60)
    offered = [one for one in planner.deliveries.receipts("m1") if one.kind == "offered"]
    assert [one.rung for one in offered] == ["mcp"]
    proofs = [one.proof for one in planner.deliveries.receipts("m1") if one.kind == "delivered"]
    assert proofs == ["its transcript: MCP result, then an answer"]

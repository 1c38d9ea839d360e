"""Claude Code, Codex, Gemini CLI and Qwen Code with Roost as a server of MCP and without hooks: they call every tool,
each as an agent of its own."""

from __future__ import annotations

import json
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from roost.clients.others import ADD_MCP
from roost.connect import Project, connect
from tests.clients.harness import (
    STDIO,
    ClaudeCode,
    Codex,
    Driver,
    Fleet,
    Gemini,
    Qwen,
    Server,
    Step,
    bash,
    roost,
    say,
    wait_until,
)

pytestmark = pytest.mark.clients

SCRIPTS = Path(sys.executable).parent
DRIVERS: list[Driver] = [ClaudeCode(), Codex(), Gemini(), Qwen()]
PORT = 8787
RESULT_CHARACTERS_MAX = 2_000
START_SECONDS_MAX = 90
"""Until a client that is written in JavaScript has started on a busy machine."""
each_client = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path / "fleet", path=[SCRIPTS]) as started:
        done = started.run("roost", "init", "--no-hooks", "--yes", "--me", "ada")
        assert done.returncode == 0, done.stdout + done.stderr
        (started.repo / ".roost" / "roost.toml").write_text(f"[daemon]\nport = {PORT}\n")
        yield started


@pytest.fixture
def project(fleet: Fleet) -> Iterator[Project]:
    opened = connect(fleet.repo)
    yield opened
    opened.close()


def you(result: str) -> str:
    """Return whom `who` tells the model that it is."""
    agents = json.loads(result[result.index("{") : result.rindex("}") + 1])["agents"]
    (name,) = [one["name"] for one in agents if one.get("you")]
    return str(name)


def gated(step: Step, gate: str) -> Step:
    return replace(step, gate=gate)


def with_token_of(name: str, fleet: Fleet, project: Project) -> Server:
    """Return the server over HTTP, with a token of an agent that nobody is now."""
    agent = project.joined(name)
    key = agent.tokens.create().key
    agent.turns.leave()
    assert fleet.run("roost", "up", "--detach").returncode == 0
    return Server(url=f"http://127.0.0.1:{PORT}/mcp", token=key)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@each_client
def test_the_model_calls_every_tool_as_the_agent_that_joined_by_itself_or_that_its_token_names(
    fleet: Fleet, project: Project, driver: Driver, transport: str
) -> None:
    server = STDIO if transport == "stdio" else with_token_of("builder", fleet, project)
    name = f"{driver.name}-1" if transport == "stdio" else "builder"
    driver.configure(fleet.home, fleet.repo, server)
    planner = project.joined("planner")
    script = [
        roost(driver, "who"),
        gated(roost(driver, "inbox"), "sent"),
        roost(driver, "reply", message="m1", text="done with it"),
        roost(driver, "ack", messages="m2"),
        roost(driver, "send", to="planner", text="the parser is next"),
        roost(driver, "send", to="nobody-here", text="hello?"),
        roost(driver, "lease", action="acquire", key="src/parser.py", ttl=600, reason="rewriting it"),
        roost(driver, "search", words="parser"),
        say("finished", gate="seen"),
    ]
    running = fleet.start_other(driver, "one", "hello", script=script, env=server.env)
    first, second = fleet.wait_request("one", 1, timeout=START_SECONDS_MAX), fleet.wait_request("one", 2)
    assert json.dumps(first.body).count("keeps them off each other's files") >= 1
    assert you(second.results()[0]) == name
    planner.messages.send(to=name, text="look at the scanner", requires_ack=True)
    planner.messages.send(to=name, text="the plan is final", requires_ack=True)
    fleet.open_gate("sent")

    shown = fleet.wait_request("one", 9).results()
    (lease,) = project.system().leases.list()
    fleet.open_gate("seen")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, out + err
    assert driver.failed in "".join(out.split())
    check_shown(shown, name)

    assert (lease.key, lease.holder, lease.reason) == ("src/parser.py", name, "rewriting it")
    assert [planner.deliveries.of(ref)[0].state for ref in ("m1", "m2")] == ["acknowledged", "acknowledged"]
    offers = [one.rung for one in planner.deliveries.receipts("m1") if one.kind == "offered"]
    assert offers == ["mcp"]
    said = [(item.message.sender_name, item.message.body) for item in planner.messages.inbox().items]
    assert said == [(name, "done with it"), (name, "the parser is next")]
    if transport == "stdio":
        wait_until(lambda: not project.system().leases.list(), "the lease to be free again", timeout=60)


def check_shown(shown: list[str], name: str) -> None:
    """What the model was told of each call: its own answer, short."""
    assert len(shown) == 8
    assert max(map(len, shown)) < RESULT_CHARACTERS_MAX
    _, mail, replied, acked, sent, refused, leased, found = shown
    assert "look at the scanner" in mail
    assert "the plan is final" in mail
    assert '"id":"m3"' in replied
    assert '"ids":["m2"]' in acked
    assert '"id":"m4","to":[{"name":"planner"' in sent
    assert "UNKNOWN_AGENT" in refused
    assert "no agent is called 'nobody-here'" in refused
    assert f'"holder":"{name}"' in leased
    assert "the parser is next" in found


@pytest.mark.parametrize("driver", [Codex(), Gemini(), Qwen()], ids=lambda driver: driver.name)
def test_its_own_command_adds_the_server(fleet: Fleet, driver: Driver) -> None:
    program, *more = ADD_MCP[driver.name].split()
    assert program == driver.name
    added = fleet.run(*driver.program, *more)
    assert added.returncode == 0, added.stdout + added.stderr
    (settings,) = [one for one in fleet.home.glob(f".{driver.name}/*") if one.name in ("config.toml", "settings.json")]
    text = settings.read_text()
    written = tomllib.loads(text)["mcp_servers"] if settings.suffix == ".toml" else json.loads(text)["mcpServers"]
    assert (written["roost"]["command"], written["roost"]["args"]) == ("roost", ["mcp"])
    assert ADD_MCP[driver.name] in fleet.run("roost", "init", "--no-hooks", "--yes").stdout


def test_a_client_in_an_agents_shell_is_an_agent_of_its_own(fleet: Fleet, project: Project) -> None:
    done = fleet.run("roost", "init", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    inner = Codex()
    inner.configure(fleet.home, fleet.repo, STDIO)
    url = f"{fleet.url}/inner"
    variables = " ".join(f"{name}={value}" for name, value in inner.env(url).items())
    command = f"{variables} {shlex.join(inner.command('hello', url))} </dev/null"
    fleet.script("inner", [roost(inner, "who"), say("finished")])
    asked = fleet.ask("outer", "hello", script=[bash(f"echo session $ROOST_SESSION; {command}"), say("finished")])
    assert asked.exit == 0, asked.err
    assert "session 0" in fleet.requests("outer")[1].results()[0]
    assert you(fleet.wait_request("inner", 2).results()[0]) == "codex-1"
    assert {one.name for one in project.system().agents.list()} == {"ada", "claude-1", "codex-1"}


def test_two_sessions_in_one_repository_are_two_agents_and_a_third_has_the_name_it_was_given(
    fleet: Fleet, project: Project
) -> None:
    driver = Codex()
    driver.configure(fleet.home, fleet.repo, STDIO)
    script = [roost(driver, "who"), say("finished", gate="all")]
    sessions = {"one": {}, "two": {}, "three": {"ROOST_AGENT": "builder"}}
    running = [fleet.start_other(driver, one, "hello", script=script, env=env) for one, env in sessions.items()]
    names = {session: you(fleet.wait_request(session, 2).results()[0]) for session in sessions}
    fleet.open_gate("all")
    for each in running:
        each.communicate(timeout=60)
    assert {names["one"], names["two"]} == {"codex-1", "codex-2"}
    assert names["three"] == "builder"

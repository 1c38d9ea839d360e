"""The MCP inspector calls every tool and resource: over both transports, in both eras of the protocol."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from roost.interfaces.mcp.server import REFUSED
from roost.interfaces.mcp.tools import TOOLS
from tests.interfaces.mcp.stage import Fleet, fleet_in

pytestmark = [pytest.mark.clients, pytest.mark.anyio, pytest.mark.timeout(300)]

PROGRAM = Path(".clients/inspector/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
ERAS: tuple[Literal["legacy", "modern"], ...] = ("legacy", "modern")
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("send", {"to": "ada", "text": "from the inspector", "requires_ack": True}),
    ("inbox", {}),
    ("inbox", {"message": "m1"}),
    ("reply", {"message": "m1", "text": "read"}),
    ("ack", {"messages": "m1"}),
    ("lease", {"action": "acquire", "key": "src/a.py", "ttl": 60}),
    ("lease", {"action": "list"}),
    ("lease", {"action": "release", "key": "src/a.py"}),
    ("who", {}),
    ("search", {"words": "hello"}),
]


class Inspector:
    """Asks one server one thing at a time, each in a process of its own."""

    def __init__(self, target: list[str], *, home: Path, era: str) -> None:
        node = shutil.which("node")
        assert node is not None, "please install node"
        assert PROGRAM.is_file(), "install it with `sh tools/install_inspector.sh`"
        self._command = [
            node,
            str(PROGRAM.resolve()),
            "--cli",
            *target,
            "--protocol-era",
            era,
            "--format",
            "json",
            "-q",
        ]
        self._home = home

    async def ask(self, method: str, *more: str) -> dict[str, Any]:
        """Return the result of one request."""
        ran = await anyio.run_process(
            [*self._command, "--method", method, *more],
            check=False,
            cwd=self._home,
            env={"PATH": os.environ["PATH"], "HOME": str(self._home)},
        )
        assert ran.stdout, ran.stderr.decode()
        said: dict[str, Any] = json.loads(ran.stdout)
        return said.get("result", said)  # type: ignore[no-any-return]

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of one call."""
        return await self.ask("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_in() as made:
        made.hub("bob")
        made.hub("ada").messages.send(to="bob", text="hello from ada")
        yield made


def target_of(project: Fleet, transport: str) -> list[str]:
    """Return how the inspector is told to reach the project as bob."""
    if transport == "stdio":
        variables = {name: value for name, value in project.environ_of("bob").items() if name not in ("PATH", "HOME")}
        given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        server = [sys.executable, "-m", "roost.interfaces.cli.main", "mcp"]
        return [*server, *given, "--cwd", str(project.folder)]
    key = project.hub("bob").tokens.create().key
    return [project.url, "--transport", "http", "--header", f"Authorization: Bearer {key}"]


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("era", ERAS)
async def test_the_inspector_calls_every_tool(project: Fleet, transport: str, era: str) -> None:
    assert {tool for tool, _ in CALLS} == TOOLS.keys()
    target = target_of(project, transport)
    inspector = Inspector(target, home=project.folder, era=era)
    listed = await inspector.ask("tools/list", "--strict")
    assert {tool["name"] for tool in listed["tools"]} == TOOLS.keys()
    for tool, arguments in CALLS:
        result = await inspector.call(tool, arguments)
        assert not result.get("isError"), result
        assert result["structuredContent"]
    refused = await inspector.call("send", {"to": "nobody", "text": "x"})
    assert refused["isError"] is True
    assert json.loads(refused["content"][0]["text"].removeprefix(REFUSED))["code"] == "UNKNOWN_AGENT"
    resources = await inspector.ask("resources/list")
    for one in resources["resources"]:
        read = await inspector.ask("resources/read", "--uri", one["uri"])
        assert json.loads(read["contents"][0]["text"])
    thread = await inspector.ask("resources/read", "--uri", "roost://thread/m1")
    assert "hello from ada" in thread["contents"][0]["text"]

"""The clients: how each is started, told of Roost's MCP server, and run for one prompt, without any hook of Roost's."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .home import DUMMY_KEY
from .script import Step, call

CLIENTS = Path(__file__).parents[3] / ".clients"
NODE = CLIENTS / "node" / "bin" / "node"
TOKEN = "ROOST_TEST_TOKEN"
"""The variable that holds the token for a server over HTTP."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """Roost's MCP server: the command `roost mcp`, or an address and a token."""

    url: str = ""
    token: str = ""

    @property
    def env(self) -> dict[str, str]:
        """What the client's environment must hold for it."""
        return {TOKEN: self.token} if self.token else {}


STDIO = Server()
WITH_ALL_TOOLS = {"MCP_CONNECTION_NONBLOCKING": "0", "MCP_CONNECT_TIMEOUT_MS": "60000", "MCP_TIMEOUT": "60000"}
"""Variables with which Claude Code asks its model only once its servers have connected: on a busy machine they need
longer than it waits by itself."""


class Driver(Protocol):
    """One client."""

    @property
    def name(self) -> str:
        """How its agents are called: `NAME-1`."""
        ...

    @property
    def program(self) -> list[str]:
        """How it is started."""
        ...

    @property
    def failed(self) -> str:
        """What stands in its output, without blanks, once a tool's call failed."""
        ...

    def configure(self, home: Path, repo: Path, server: Server) -> None:
        """Write the client's own settings into the scratch HOME."""
        ...

    def command(self, prompt: str, url: str) -> list[str]:
        """Return the command that answers one prompt and ends; `url` is the scripted model's."""
        ...

    def env(self, url: str) -> dict[str, str]:
        """Return the variables by which the client finds the scripted model."""
        ...

    def tool(self, name: str) -> str:
        """Return how a script names one of Roost's tools."""
        ...


def roost(driver: Driver, name: str, **arguments: Any) -> Step:
    """Make the step in which the model calls one of Roost's tools."""
    return call(driver.tool(name), **arguments)


@dataclass(frozen=True)
class Codex:
    """Codex, run as its own program: it is built for each platform, and needs no Node.js."""

    name: str = "codex"
    failed: str = '"status":"failed"'

    @property
    def program(self) -> list[str]:
        (found,) = (CLIENTS / "codex").glob(f"vendor/{platform.machine()}-*/bin/codex")
        return [str(found)]

    def configure(self, home: Path, repo: Path, server: Server) -> None:
        if server.url:
            reached = f'url = "{server.url}"\nbearer_token_env_var = "{TOKEN}"\nrequired = true\n'
        else:
            reached = 'command = "roost"\nargs = ["mcp"]\nenv_vars = ["ROOST_AGENT"]\nrequired = true\n'
        (home / ".codex").mkdir()
        (home / ".codex" / "config.toml").write_text(
            'model = "scripted"\nmodel_provider = "scripted"\n'
            'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
            f'[projects."{repo}"]\ntrust_level = "trusted"\n'
            "[analytics]\nenabled = false\n"
            f"[mcp_servers.roost]\n{reached}"
        )

    def command(self, prompt: str, url: str) -> list[str]:
        provider = f'{{name="scripted", base_url="{url}/v1", wire_api="responses", env_key="OPENAI_API_KEY"}}'
        return [*self.program, "exec", "--json", "-c", f"model_providers.scripted={provider}", prompt]

    def env(self, url: str) -> dict[str, str]:
        return {"OPENAI_API_KEY": DUMMY_KEY}

    def tool(self, name: str) -> str:
        return f"mcp__roost {name}"


@dataclass(frozen=True)
class Gemini:
    """Gemini CLI."""

    name: str = "gemini"
    failed: str = '"totalFail":1'

    @property
    def program(self) -> list[str]:
        return [str(NODE), str(CLIENTS / "gemini" / "bundle" / "gemini.js")]

    def configure(self, home: Path, repo: Path, server: Server) -> None:
        settings = {
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "general": {"enableAutoUpdate": False},
        }
        _write(home / ".gemini", settings, server)

    def command(self, prompt: str, url: str) -> list[str]:
        more = ["--approval-mode", "yolo", "-m", "gemini-2.5-flash", "--output-format", "json"]
        return [*self.program, "-p", prompt, *more]

    def env(self, url: str) -> dict[str, str]:
        return {
            "GEMINI_API_KEY": DUMMY_KEY,
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }

    def tool(self, name: str) -> str:
        return f"mcp_roost_{name}"


@dataclass(frozen=True)
class Qwen:
    """Qwen Code."""

    name: str = "qwen"
    failed: str = '"totalFail":1'

    @property
    def program(self) -> list[str]:
        return [str(NODE), str(CLIENTS / "qwen" / "cli-entry.js")]

    def configure(self, home: Path, repo: Path, server: Server) -> None:
        settings = {
            "security": {"auth": {"selectedType": "openai"}},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "general": {"enableAutoUpdate": False},
        }
        _write(home / ".qwen", settings, server)

    def command(self, prompt: str, url: str) -> list[str]:
        return [*self.program, "-p", prompt, "--approval-mode", "yolo", "--output-format", "json"]

    def env(self, url: str) -> dict[str, str]:
        return {"OPENAI_API_KEY": DUMMY_KEY, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_MODEL": "scripted"}

    def tool(self, name: str) -> str:
        return f"mcp__roost__{name}"


@dataclass(frozen=True)
class ClaudeCode:
    """Claude Code; `Fleet.claude` and `Fleet.ask` run it with its hooks."""

    name: str = "claude"
    failed: str = '"is_error":true'

    @property
    def program(self) -> list[str]:
        return [str(CLIENTS / "claude" / "claude")]

    def configure(self, home: Path, repo: Path, server: Server) -> None:
        reached: dict[str, Any] = {"command": "roost", "args": ["mcp"]}
        if server.url:
            reached = {"type": "http", "url": server.url, "headers": {"Authorization": f"Bearer ${{{TOKEN}}}"}}
        (repo / ".mcp.json").write_text(json.dumps({"mcpServers": {"roost": reached}}))

    def command(self, prompt: str, url: str) -> list[str]:
        tools = ["--mcp-config", ".mcp.json", "--allowedTools", "mcp__roost"]
        return [*self.program, "-p", prompt, *tools, "--output-format", "stream-json", "--verbose"]

    def env(self, url: str) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": url, **WITH_ALL_TOOLS}

    def tool(self, name: str) -> str:
        return f"mcp__roost__{name}"


def _write(folder: Path, settings: Mapping[str, Any], server: Server) -> None:
    reached: dict[str, Any] = {"command": "roost", "args": ["mcp"], "trust": True}
    if server.url:
        reached = {"httpUrl": server.url, "headers": {"Authorization": f"Bearer ${TOKEN}"}, "trust": True}
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({**settings, "mcpServers": {"roost": reached}}))

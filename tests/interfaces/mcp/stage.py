"""A project with agents, reached over MCP by the official client: both transports, both eras of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import uvicorn
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from roost import keyfiles, reach
from roost.connect import Project, connect
from roost.errors import Forbidden, RateLimited, WhoAreYou
from roost.hub import Hub
from roost.interfaces.door import Entrant, Filter, Scope, Subscription
from roost.interfaces.http.protocol import protocol
from roost.interfaces.mcp.app import McpApp, create_mcp_app
from roost.interfaces.mcp.server import REFUSED
from roost.launches.model import Launch
from roost.verbs import Async, InThread, Sync
from tests.daemon.served import GUARD_SECONDS, eventually
from tests.leftovers import stop_daemons

Era = Literal["legacy", "2026-07-28"]
SEND_VERBS = frozenset({"send", "reply"})


class TestDoor:
    """Lets in by tokens that name an agent: `token-bob`, and `token-bob-send` for one that may only send."""

    __test__ = False

    def __init__(self, project: Project) -> None:
        self.project = project
        self.refused_until = 0.0
        self.entered: list[str] = []

    async def enter(self, token: str, *, address: str) -> Entrant:
        self.entered.append(address)
        if time.monotonic() < self.refused_until:
            raise RateLimited("too many wrong tokens", hint="wait", retry_after=7.2)
        known, _, rest = token.partition("-")
        name, _, only = rest.partition("-")
        if known != "token" or not name:
            raise WhoAreYou("this token lets nobody in", hint="get one: `roost token create`")
        session = self.hub_of(name).sessions.me().session
        scopes: frozenset[Scope] = frozenset({"send"}) if only else frozenset({"send", "read", "lease"})
        return Entrant(session=session, agent=name, name=name, kind="agent", scopes=scopes, token=token)

    async def still(self, entrant: Entrant) -> None:
        return

    async def launched(self, key: str, *, address: str) -> Launch:
        raise AssertionError("nothing here is launched")

    async def hook(self, launch: Launch, raw: bytes) -> str:
        raise AssertionError("nothing here has hooks")

    def hub(self, entrant: Entrant) -> Hub[Async]:
        inner = self.project.as_session(entrant.session)._caller

        class Scoped(InThread):
            async def call(self, verb: Any, service: type, args: Any, kwargs: Any) -> Any:
                if "read" not in entrant.scopes and verb.name not in SEND_VERBS:
                    raise Forbidden(f"this token may not {verb.name}", hint="it needs the scope read")
                return await super().call(verb, service, args, kwargs)

        return Hub(Scoped(inner))

    def subscribe(self, entrant: Entrant, wanted: Filter, cursor: str | None) -> Subscription:
        raise AssertionError("nothing here subscribes")

    def status(self) -> dict[str, Any]:
        return {}

    def hub_of(self, name: str) -> Hub[Sync]:
        return self.project.joined(name)


@contextlib.asynccontextmanager
async def served(app: McpApp) -> AsyncIterator[str]:
    """Serve the app alone and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        free.listen()  # who connects before the server looks waits for it
        config = uvicorn.Config(app, http=protocol(100), log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[free]))
        try:
            yield f"http://127.0.0.1:{free.getsockname()[1]}/mcp"
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def connected(url: str, token: str, era: Era) -> AsyncIterator[Client]:
    """Connect the official client over HTTP."""
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=GUARD_SECONDS) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


class Fleet:
    """A project on disk with a daemon, and agents whose sessions are proved by their keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = folder / ".roost"
        self.place.mkdir(mode=0o700, parents=True)
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "ROOST_DAEMON": "auto",
        }
        (self.place / "roost.toml").write_text("[daemon]\nport = 0\n")
        self.project = connect(self.place)
        self.sessions: dict[str, str] = {}
        self._daemon: subprocess.Popen[bytes] | None = None

    def hub(self, name: str) -> Hub[Sync]:
        """Return the hub of an agent, which joins when it is first asked for."""
        if name not in self.sessions:
            key, key_hash = keyfiles.new_key()
            session = self.project.system().turns.join(name, client="shell", key_hash=key_hash)
            keyfiles.write(self.place / "sessions", session.id, key)
            self.sessions[name] = session.id
        return self.project.as_session(self.sessions[name])

    def environ_of(self, name: str) -> dict[str, str]:
        """Return the environment in which a process speaks as an agent."""
        self.hub(name)
        return {**self.environ, "ROOST_SESSION": self.sessions[name]}

    def start_daemon(self) -> None:
        """Start the daemon and wait until it answers."""
        command = [sys.executable, "-m", "roost.daemon", str(self.place)]
        with (self.place / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(command, env=self.environ, stderr=log)
        eventually(lambda: reach.is_running(str(self.place)), "it serves")

    def end_daemon(self, how: int = signal.SIGTERM) -> None:
        """End the daemon that runs, whoever started it."""
        if self._daemon is not None:
            self._daemon.send_signal(how)
            self._daemon.wait(GUARD_SECONDS)
            self._daemon = None

    def freeze_daemon(self) -> None:
        """Stop the daemon where it stands: it takes nothing more, and answers nothing."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        """End every daemon that this project has, those too that a pipe started, and wait until they are gone."""
        stop_daemons(str(self.place))
        if self._daemon is not None:
            self._daemon.wait(GUARD_SECONDS)
        self.project.close()

    @contextlib.asynccontextmanager
    async def over_stdio(self, name: str, era: Era) -> AsyncIterator[Client]:
        """Connect the official client through `roost mcp`."""
        async with Client(self.pipe(name), mode=era) as client:
            yield client

    @contextlib.asynccontextmanager
    async def over_http(self, name: str, era: Era) -> AsyncIterator[Client]:
        """Connect the official client to the daemon by a token of the agent's own."""
        key = self.hub(name).tokens.create().key
        async with connected(self.url, key, era) as client:
            yield client

    @property
    def url(self) -> str:
        """Where the daemon speaks MCP over HTTP."""
        run = json.loads((self.place / "run.json").read_text())
        return f"http://{run['host']}:{run['port']}/mcp"

    def pipe(self, name: str) -> StdioServerParameters:
        """Return how a client starts its pipe."""
        return StdioServerParameters(
            command=sys.executable,
            args=["-m", "roost.interfaces.cli.main", "mcp"],
            env=self.environ_of(name) if name else self.environ,
            cwd=str(self.folder),
        )


@contextlib.contextmanager
def fleet_in() -> Iterator[Fleet]:
    """Make a project with a daemon, and end both."""
    # A socket's path has at most 107 bytes, and a test's folder may be long.
    short = Path(tempfile.mkdtemp(prefix="roost-mcp-", dir="/tmp"))
    fleet = Fleet(short)
    try:
        fleet.start_daemon()
        yield fleet
    finally:
        fleet.close()
        shutil.rmtree(short)


def app_of(project: Project) -> tuple[McpApp, TestDoor]:
    """Return an app with its door."""
    door = TestDoor(project)
    return create_mcp_app(door), door


def error_of(result: Any) -> dict[str, Any]:
    """Return what a failed call says."""
    assert result.is_error
    text = text_of(result)
    assert text.startswith(REFUSED)
    said: dict[str, Any] = json.loads(text.removeprefix(REFUSED))
    return said


def text_of(result: Any) -> str:
    """Return the text of a tool's result."""
    (only,) = result.content
    assert only.type == "text"
    return str(only.text)

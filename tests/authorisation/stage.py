"""A daemon in a thread of the test's own process, with every door open, so that a test can plant a bug in it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvloop

from roost import keyfiles
from roost.agents.model import Kind
from roost.clock import ManualClock
from roost.config import Daemon as Settings
from roost.connect import connect
from roost.daemon import pipes
from roost.daemon.core import Core
from roost.daemon.door import DaemonDoor
from roost.daemon.doors import Doors
from roost.daemon.listening_far import tls_context
from roost.daemon.native import Connection
from roost.hub import Hub
from roost.interfaces.http.serve import serve
from roost.interfaces.wire.frames import Hello
from roost.runtimes.host import LocalHost
from roost.verbs import Sync
from tests.certificates import certified

T = TypeVar("T")
LOCAL = "127.0.0.1"
GUARD_SECONDS = 60.0
"""Only that a hung test ends; no promise."""
LIMITS = "[limits]\nrate_agent = 10000\nrate_human = 10000\ninbox_messages_max = 100000\n"
ALL = ("send", "read", "lease", "admin")


class Stage:
    """A project with a person, two agents and whoever else a test wants; and where its daemon listens."""

    def __init__(self, folder: Path, settings: str = LIMITS) -> None:
        self.place = folder / ".roost"
        self.place.mkdir(mode=0o700)
        (self.place / "roost.toml").write_text(settings)
        self.clock = ManualClock()
        self.project = connect(self.place, clock=self.clock)
        self.system = self.project.system()
        self.keys: dict[str, tuple[str, str]] = {}
        self._agents = subprocess.Popen(["sleep", "600"])  # what every session's process is, so that it lives
        self.person = self.joined("ada", kind="human")
        self.socket, self.http_socket = str(folder / "n.sock"), str(folder / "h.sock")
        self.loop = uvloop.new_event_loop()
        self._tls = certified(folder)
        self._thread = threading.Thread(target=self.loop.run_forever, name="stage", daemon=True)
        self._thread.start()
        self.run(self._begin())
        self.http = httpx.Client(timeout=GUARD_SECONDS)

    def joined(self, name: str, *, kind: Kind = "agent") -> Hub[Sync]:
        """Return the hub of somebody with a live session, whose key is known here."""
        if name not in self.keys:
            key, key_hash = keyfiles.new_key()
            process = LocalHost().process(self._agents.pid) if kind == "agent" else None
            session = self.system.turns.join(
                name,
                kind=kind,
                client="shell",
                key_hash=key_hash,
                process=process,
            )
            self.keys[name] = session.id, key
        return self.project.as_session(self.keys[name][0])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the daemon's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(GUARD_SECONDS)

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client of the TLS door trusts."""
        return ssl.create_default_context(cafile=self._tls.certificate)

    @property
    def url(self) -> str:
        """The address of the TLS door, without its token."""
        return f"roost+tls://{LOCAL}:{self.tls_port}?ca={self._tls.certificate}"

    def close(self) -> None:
        """Stop the daemon and its thread."""
        self.http.close()
        self.run(self._end())
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(GUARD_SECONDS)
        self.loop.close()
        self.project.close()
        self._agents.kill()
        self._agents.wait()

    async def _begin(self) -> None:
        loop = self.loop
        self.core = Core(connect(self.place, clock=self.clock), connect(self.place, clock=self.clock), loop)
        self.door = DaemonDoor(self.core, self._facts)
        self.doors = Doors(self.core, hook=_no_hook, pipe=self._pipe, allow=self.door.allow_by_wire)
        context = tls_context(self._tls)
        with socket.socket() as free:
            free.bind((LOCAL, 0))
            self.tls_port = int(free.getsockname()[1])
        self._servers = [
            await loop.create_unix_server(self.doors.connection, self.socket),
            await loop.create_server(self.doors.connection, LOCAL, self.tls_port, ssl=context, reuse_address=True),
        ]
        self._http = await serve(self.door, Settings(port=0, streams_max=100), unix_path=self.http_socket)
        self.port = self._http.port
        self._watching = [loop.create_task(self.core.watch()), loop.create_task(self.doors.watch(self.door.still))]

    async def _pipe(self, hello: Hello, connection: Connection) -> None:
        await pipes.serve(self.core, self.door, hello, connection)

    def _facts(self) -> dict[str, Any]:
        core = self.core
        counts = {"connections": len(self.doors.connections), "batches": core.writer.batches, "age_seconds": 1.0}
        waits = {"calls": core.writer.calls, "readers": len(core.feed), "waits": len(core.waits), "hooks": {}}
        return {**counts, **waits, "listeners": len(core.listeners)}

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._watching:
            task.cancel()
        await self._http.stop()
        for connection in tuple(self.doors.connections):
            connection.transport.abort()
        await self.core.writer.drained()
        await self.core.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _no_hook(raw: bytes, pid: int) -> asyncio.Future[bytes]:
    raise AssertionError("no hook comes to this daemon")

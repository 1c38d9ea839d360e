"""A daemon for each test: its core and its real doors, on the test's own file and clock, in a thread of this process.

One thread, one certificate and one HTTP server serve all tests of a worker, one after another: a daemon in a process of
its own would cost each of them 0.3 s.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from roost.config import Daemon as Settings
from roost.connect import Project
from roost.daemon.core import Core
from roost.daemon.door import DaemonDoor
from roost.daemon.doors import Doors
from roost.daemon.listening_far import tls_context
from roost.daemon.native import Connection
from roost.interfaces.http.serve import Served as ServedByHttp
from roost.interfaces.http.serve import serve
from roost.interfaces.wire.frames import Hello
from tests.certificates import certified

T = TypeVar("T")
ANSWER_SECONDS_MAX = 60.0
LOCAL = "127.0.0.1"


class Doorway:
    """The door of the test that runs now: the HTTP server stays where it is."""

    now: DaemonDoor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)


class Thread:
    """The loop that the daemons of a worker's tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self.doorway = Doorway()
        self._http: ServedByHttp | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, name="daemons of tests", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the loop, and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(ANSWER_SECONDS_MAX)

    @cached_property
    def tls(self) -> Settings:
        """A certificate for this machine, which signs itself."""
        return certified(self.folder)

    @cached_property
    def http_port(self) -> int:
        """Where the doorway is served; the server starts when a test first asks."""
        opening = serve(self.doorway, Settings(port=0), unix_path=str(self.folder / "h.sock"))
        self._http = self.run(opening)
        return self._http.port

    def close(self) -> None:
        if self._http is not None:
            self.run(self._http.stop())
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(ANSWER_SECONDS_MAX)
        self.loop.close()


class Served:
    """A daemon that serves one test. `open_project` opens the test's file once more."""

    def __init__(self, thread: Thread, open_project: Callable[[], Project]) -> None:
        self.thread = thread
        self.socket = str(thread.folder / "n.sock")
        self.tls_port = 0
        self._open_project = open_project
        self._servers: list[asyncio.Server] = []
        thread.run(self._begin())

    def listen_far(self) -> None:
        """Open the door for TLS too."""
        self.thread.run(self._listen_far())

    def close(self) -> None:
        """Drain, as a daemon does that is told to stop."""
        self.thread.run(self._end())

    async def _begin(self) -> None:
        loop = self.thread.loop
        self._core = Core(self._open_project(), self._open_project(), loop)
        self.thread.doorway.now = door = DaemonDoor(self._core, dict)
        self._doors = Doors(self._core, hook=_no_hook, pipe=_no_pipe, allow=door.allow_by_wire)
        self._servers.append(await loop.create_unix_server(self._doors.connection, self.socket))
        self._watching = loop.create_task(self._core.watch())

    async def _listen_far(self) -> None:
        context = tls_context(self.thread.tls)
        server = await self.thread.loop.create_server(self._doors.connection, LOCAL, 0, ssl=context)
        self._servers.append(server)
        self.tls_port = server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        self._watching.cancel()
        await self._core.writer.drained()
        for connection in tuple(self._doors.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        await self._core.close()
        os.unlink(self.socket)


def _no_hook(raw: bytes, pid: int) -> asyncio.Future[bytes]:
    raise AssertionError("no hook comes to this daemon")


async def _no_pipe(hello: Hello, connection: Connection) -> None:
    raise AssertionError("no other protocol is spoken here")

"""Serving the application in a loop that runs already, on a TCP port and a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn

from roost.config import Daemon
from roost.errors import Stopping, Unavailable
from roost.interfaces.http.app import create_app
from roost.interfaces.http.protocol import BoundedSocket, protocol
from roost.interfaces.http.security import LOCAL, Guard
from roost.interfaces.mcp.app import McpApp, create_mcp_app

if TYPE_CHECKING:
    from roost.config import Daemon as Settings
    from roost.interfaces.door import Door

BACKLOG = 2_048
KEEP_ALIVE_SECONDS = 30
TELL_SECONDS_MAX = 1.0
"""So long streams have to be told that the daemon stops; one that takes nothing is hung up on."""
STOP_SECONDS_MAX = 2
FRAME_BYTES_MAX = 64 * 1024
PORT_OF_ALL = Daemon().port
REQUESTS_MAX = 1_000
"""Connections beside the streams; further ones are hung up on."""


class Served:
    """What serves; `port` is where."""

    def __init__(self, servers: list[uvicorn.Server], tasks: list[asyncio.Task[None]], app: Guard, mcp: McpApp) -> None:
        self._servers = servers
        self._mcp = mcp
        self._tasks = tasks
        self._streams = app.streams
        self.port = app.port

    def is_busy(self) -> bool:
        """Say whether anybody is connected."""
        return any(server.server_state.connections for server in self._servers)

    async def stop(self) -> None:
        """Answer what is under way and stop; streams are told, and closed."""
        why = Stopping("the daemon stops", hint="connect again and go on from your cursor")
        await self._streams.end(why, seconds=TELL_SECONDS_MAX)  # the server hangs up without a word
        for server in self._servers:
            server.should_exit = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS_MAX + 0.5):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._mcp.close()


async def serve(
    door: Door,
    settings: Settings,
    *,
    unix_path: str,
    kept_port: int = 0,
    around: Callable[[Any], Any] = lambda app: app,
) -> Served:
    """Serve a door until it is stopped; `around` is put around the application, `kept_port` is where the project was
    served before, or 0."""
    mcp = create_mcp_app(door, hosts=(*LOCAL, *settings.hosts), origins=settings.origins)
    app = create_app(
        door, hosts=settings.hosts, origins=settings.origins, connections_max=settings.streams_max, mcp=mcp
    )
    tcp, local = _tcp(settings, kept_port), _unix(unix_path)
    app.port = tcp.getsockname()[1]
    servers: list[uvicorn.Server] = [
        _Quiet(_config(around(app), settings, settings.streams_max)),
        _Quiet(_config(around(app), None, settings.streams_max)),
    ]
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(servers[0].serve([tcp])), loop.create_task(servers[1].serve([local]))]
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                raise Unavailable(f"HTTP could not be served: {task.exception() or 'it stopped at once'}")
        await asyncio.sleep(0.005)
    return Served(servers, tasks, app, mcp)


class _Quiet(uvicorn.Server):
    """A server beside others in one process: signals are the daemon's."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def _config(app: Any, tls: Settings | None, streams_max: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol(streams_max + REQUESTS_MAX),
        ws=BoundedSocket,
        ws_max_size=FRAME_BYTES_MAX,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,  # its windows would cost each idle connection 300 KiB
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS_MAX,
        ssl_certfile=tls.certificate or None if tls is not None else None,
        ssl_keyfile=tls.private_key or None if tls is not None else None,
    )


def ports(wanted: int, kept: int) -> tuple[int, ...]:
    """Return which ports to try: one that somebody chose, then that of before, then any that is free.

    The port that nobody chose is every project's, so there that of before comes first.
    """
    order = (kept, wanted) if wanted in (0, PORT_OF_ALL) else (wanted, kept)
    return (*(port for port in order if port), 0)


def _tcp(settings: Settings, kept: int) -> socket.socket:
    """Return a socket at the first port that is not taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    for port in ports(settings.port, kept):
        end = socket.socket(family, socket.SOCK_STREAM)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            end.bind((settings.host, port))
        except OSError as error:
            end.close()
            if port == 0:
                raise Unavailable(f"{settings.host} cannot be listened at: {error}") from None
            continue
        end.listen(BACKLOG)
        return end
    raise AssertionError("port 0 is always tried")


def _unix(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.bind(path)
    end.listen(BACKLOG)
    return end

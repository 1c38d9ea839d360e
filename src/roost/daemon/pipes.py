"""Other protocols over the native socket: MCP, for clients that speak it over stdio."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from roost.daemon.entering import enter
from roost.errors import NotAllowed, RoostError, Unavailable, WhoAreYou
from roost.interfaces.mcp.pipe import serve_pipe
from roost.interfaces.wire.frames import ANSWER, ERROR, encode
from roost.interfaces.wire.trouble import body_of

if TYPE_CHECKING:
    from roost.daemon.native import Connection
    from roost.daemon.run import Daemon
    from roost.interfaces.door import Entrant
    from roost.interfaces.wire.frames import Hello


def serve(daemon: Daemon, hello: Hello, pid: int, connection: Connection) -> bool:
    """Serve what a hello asks for; False where that is not here."""
    if hello.pipe != "mcp":
        return False
    if not pid:
        _refuse(connection, NotAllowed("a pipe comes by the Unix socket only"))
    elif find_spec("mcp") is None:
        _refuse(
            connection, Unavailable("MCP is not installed here", hint="install the extra: pip install roost[server]")
        )
    else:
        daemon.core.spawn(_serve_mcp(daemon, hello, pid, connection))
    return True


async def _serve_mcp(daemon: Daemon, hello: Hello, pid: int, connection: Connection) -> None:
    """Take the connection over: after the answer to its hello it is one JSON-RPC message a line, both ways."""

    async def find() -> Entrant:
        try:
            return await enter(daemon.core, hello, pid=pid)
        except WhoAreYou as error:
            raise WhoAreYou(
                error.message, hint="type `roost join NAME` in this client's shell, then call again"
            ) from None

    connection.say(0, ANSWER, encode(None))
    connection.handed_over()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = connection.transport
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    writer = asyncio.StreamWriter(transport, protocol, reader, daemon.core.loop)
    transport.resume_reading()
    try:
        await serve_pipe(find, daemon.door, reader, writer)
    finally:
        transport.close()
        daemon.doors.connections.discard(connection)
        daemon.doors.last_left = time.monotonic()


def _refuse(connection: Connection, error: RoostError) -> None:
    connection.say(0, ERROR, body_of(error))
    connection.transport.close()

"""Other protocols over the native socket: MCP, for clients that speak it over stdio."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from roost.daemon.entering import enter_by_pipe
from roost.errors import InvalidInput, Unavailable
from roost.interfaces.mcp.pipe import LINE_BYTES_MAX, serve_pipe

if TYPE_CHECKING:
    from roost.daemon.core import Core
    from roost.daemon.door import DaemonDoor
    from roost.daemon.native import Connection
    from roost.interfaces.door import Entrant
    from roost.interfaces.wire.frames import Hello


def check(name: str) -> None:
    """Raise InvalidInput for a protocol that nobody knows, Unavailable for one that is not installed."""
    if name != "mcp":
        raise InvalidInput(f"there is no protocol {name[:40]!r}", hint="the one there is: mcp")
    if find_spec("mcp") is None:
        raise Unavailable("this installation has no MCP", hint='install it: pip install "roost[server]"')


async def serve(core: Core, door: DaemonDoor, hello: Hello, connection: Connection) -> None:
    """Serve MCP on a connection whose hello asked for it, until its other end closes it.

    Who is there is found out when it is needed: a client may start its servers before its first hook has joined it;
    one that no hook has joined by then joins.
    """
    pid = connection.peer[0]

    async def found(client: str) -> Entrant:
        return connection.entrant or await enter_by_pipe(core, hello, pid=pid, client=client)

    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX, loop=core.loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=core.loop)
    transport = connection.transport
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    writer = asyncio.StreamWriter(transport, protocol, reader, core.loop)
    transport.resume_reading()
    try:
        await serve_pipe(found, door, reader, writer)
    finally:
        writer.close()
        connection.connection_lost(None)

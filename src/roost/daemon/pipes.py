"""Other protocols over the native socket: MCP, for clients that speak it over stdio."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.daemon.native import Connection
    from roost.daemon.run import Daemon
    from roost.interfaces.wire.frames import Hello


def serve(daemon: Daemon, hello: Hello, pid: int, connection: Connection) -> bool:
    """Serve what a hello asks for; False where that is not here."""
    return False

"""Who is at the other end of a connection, and how bytes get there at once."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from roost.runtimes.host import LocalHost


def peer_of(transport: asyncio.Transport) -> tuple[int, int]:
    """Return (pid, uid) of the process at the other end of a Unix socket; pid 0 for any other socket."""
    end = transport.get_extra_info("socket")
    if end is None or end.family != socket.AF_UNIX:
        return 0, -1
    pid, uid, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return pid, uid


def parent_of(pid: int) -> int:
    """Return the process above another; itself where that cannot be seen."""
    found = LocalHost().parents(pid)
    return found[1].pid if len(found) > 1 else pid


def file_of(transport: asyncio.Transport) -> int:
    """Return the file number of a Unix socket; -1 for any other, whose bytes go through the transport (TLS)."""
    end = transport.get_extra_info("socket")
    return -1 if end is None or end.family != socket.AF_UNIX else int(end.fileno())


def write_now(transport: asyncio.Transport, file: int, data: bytes) -> None:
    """Write where the transport would write later in this turn of the loop, unless something waits before it.

    So the first of many readers begins while the others are written to. What the socket does not take now, and what is
    wrong with it, is the transport's.
    """
    if file < 0 or transport.get_write_buffer_size():
        transport.write(data)
        return
    try:
        written = os.write(file, data)
    except OSError:
        written = 0
    if written < len(data):
        transport.write(data[written:])

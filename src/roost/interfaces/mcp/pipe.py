"""MCP over a connection of the native socket: what `roost mcp` copies is served here, one JSON-RPC message a line."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from roost.interfaces.door import Entrant
from roost.interfaces.mcp.visits import Finder, Pipe

if TYPE_CHECKING:
    from roost.interfaces.door import Door

LINE_BYTES_MAX = 2 * 1024 * 1024
"""A message of 1 MiB, escaped; a longer line is refused and passed over."""
READ_BYTES = 64 * 1024


async def serve_pipe(
    entrant: Entrant | Finder, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection until its other end closes it.

    Where it is not known yet who is there, give what finds it out: it is asked at each call until it succeeds, and
    again once that session is over.
    """
    served = await asyncio.to_thread(importlib.import_module, "roost.interfaces.mcp.serving")
    await served.serve(Pipe(door, _finder(entrant)), reader, writer)


def _finder(entrant: Entrant | Finder) -> Finder:
    if not isinstance(entrant, Entrant):
        return entrant

    async def known(client: str) -> Entrant:
        return entrant

    return known


class Lines:
    """Cuts a stream of bytes into lines; of one that is too long it says so once, and passes it over."""

    def __init__(self, most: int = LINE_BYTES_MAX) -> None:
        self._most = most
        self._kept = bytearray()
        self._passing_over = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Take more bytes; return the lines that are whole now, None for one that was too long."""
        *ends, rest = data.split(b"\n")
        found: list[bytes | None] = []
        for end in ends:
            found += self._ended(end)
        self._kept += b"" if self._passing_over else rest
        if len(self._kept) > self._most:
            self._kept.clear()
            self._passing_over = True
        return found

    def _ended(self, end: bytes) -> list[bytes | None]:
        line = bytes(self._kept) + end
        self._kept.clear()
        too_long, self._passing_over = self._passing_over or len(line) > self._most, False
        if too_long:
            return [None]
        return [line] if line.strip() else []


def told_of(value: Any) -> Any:
    """Return the id of a message that is no valid one, as far as it has one."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, (str, int)) and not isinstance(found, bool) else None

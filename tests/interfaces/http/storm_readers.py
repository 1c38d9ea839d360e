"""Readers of the log by the thousand, in a process of their own: `storm_readers.py PLAN.json`, results on stdout.

Each reads WebSocket or SSE frames by hand, comes back behind its cursor whenever it is cut off, and notes the numbers
of the messages that it was told of, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOM_BYTES = 1 << 14
FRAME_MASK = b"\0\0\0\0"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: how many readers of each kind, which of them are slow, and when enough is seen."""

    port: int
    keys: list[str]
    start: str
    readers: int
    slow_every: int
    slow_seconds: float
    last: int
    seconds_max: float


class Reader:
    """One reader."""

    def __init__(self, plan: Plan, number: int, kind: str) -> None:
        self.plan = plan
        self.kind = kind
        self.key = plan.keys[number % len(plan.keys)]
        self.is_slow = number % plan.slow_every == 0
        self.cursor = plan.start
        self.seen: list[int] = []
        self.cuts = 0

    async def run(self) -> None:
        """Read until the last message was seen."""
        while not self.seen or self.seen[-1] < self.plan.last:
            try:
                await self._connected()
            except (OSError, EOFError, asyncio.IncompleteReadError, ValueError):
                self.cuts += 1
                await asyncio.sleep(random.random())

    async def _connected(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.plan.port, limit=ROOM_BYTES)
        try:
            writer.write(self._request())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
                raise ValueError(head[:60])
            if self.is_slow:
                await asyncio.sleep(self.plan.slow_seconds)
            await (self._frames(reader, writer) if self.kind == "ws" else self._lines(reader))
        finally:
            writer.close()

    def _request(self) -> bytes:
        path = (
            "/v1/stream?kinds=message.sent&cursor="
            if self.kind == "ws"
            else "/v1/events/stream?kinds=message.sent&since="
        )
        lines = [
            f"GET {path}{self.cursor} HTTP/1.1",
            f"Host: 127.0.0.1:{self.plan.port}",
            f"Authorization: Bearer {self.key}",
        ]
        if self.kind == "ws":
            nonce = base64.b64encode(os.urandom(16)).decode()
            lines += [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Key: {nonce}",
            ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self._is_done():
            first, second = await reader.readexactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            body = await reader.readexactly(size)
            if first & 15 == 9:
                writer.write(bytes((0x8A, 0x80 | len(body))) + FRAME_MASK + body)
            elif first & 15 == 8:
                raise EOFError
            elif body.startswith(b'{"type":"event"'):
                self._note(msgspec.json.decode(body)["told"]["event"])

    async def _lines(self, reader: asyncio.StreamReader) -> None:
        while not self._is_done():
            line = await reader.readline()
            if not line:
                raise EOFError
            if line.startswith(b"data: {") and b'"event"' in line:
                self._note(msgspec.json.decode(line[6:])["event"])

    def _note(self, event: dict[str, Any]) -> None:
        self.cursor = event["cursor"]
        self.seen.append(event["data"]["number"])

    def _is_done(self) -> bool:
        return bool(self.seen) and self.seen[-1] >= self.plan.last


async def main(plan: Plan) -> None:
    """Run all readers, and print what each of them saw."""
    readers = [Reader(plan, n, kind) for kind in ("ws", "sse") for n in range(plan.readers)]
    async with asyncio.timeout(plan.seconds_max):
        await asyncio.gather(*(reader.run() for reader in readers))
    told = [{"kind": one.kind, "seen": one.seen, "cuts": one.cuts, "slow": one.is_slow} for one in readers]
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, hard) if hard > 0 else 65_536, hard))
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)))

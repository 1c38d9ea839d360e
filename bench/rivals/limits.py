"""The bare limits, each the least that could be asked: `python -m bench.rivals.limits KIND FOLDER PATH PORT`."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from typing import Any, cast

import apsw
import uvloop

BODY_BYTES = 500
GROUP_MAX = 512


async def broker(folder: str, path: str, port: int) -> None:
    """A socket, a thread that writes, and everything that waits committed in one FULL transaction."""
    database = apsw.Connection(f"{folder}/broker.db")
    database.pragma("journal_mode", "wal")
    database.pragma("synchronous", 2)
    database.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, inbox TEXT, priority INT, at REAL, body TEXT)")
    database.execute("CREATE INDEX i ON m (inbox, priority, id)")
    waiting: queue.SimpleQueue[tuple[str, asyncio.Transport]] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()

    def acknowledge(batch: list[tuple[str, asyncio.Transport]]) -> None:
        for _, transport in batch:
            transport.write(b"\1")

    def write() -> None:
        while True:
            batch = [waiting.get()]
            while len(batch) < GROUP_MAX and not waiting.empty():
                batch.append(waiting.get())
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO m VALUES (NULL, 'a', 5, 0, ?)", [(body,) for body, _ in batch])
            database.execute("COMMIT")
            loop.call_soon_threadsafe(acknowledge, batch)

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.kept = cast("asyncio.Transport", transport), b""

        def data_received(self, data: bytes) -> None:
            self.kept += data
            while len(self.kept) >= BODY_BYTES:
                waiting.put((self.kept[:BODY_BYTES].decode(), self.transport))
                self.kept = self.kept[BODY_BYTES:]

    threading.Thread(target=write, daemon=True).start()
    await (await loop.create_unix_server(Connection, path, backlog=4096)).serve_forever()


async def fanout(folder: str, path: str, port: int) -> None:
    """What one connection sends goes to all others, at once and nowhere else."""
    loop = asyncio.get_running_loop()
    readers: set[asyncio.Transport] = set()

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)
            readers.add(self.transport)

        def connection_lost(self, error: Exception | None) -> None:
            readers.discard(self.transport)

        def data_received(self, data: bytes) -> None:
            for reader in readers:
                if reader is not self.transport:
                    reader.write(data)

    await (await loop.create_unix_server(Connection, path, backlog=16_384)).serve_forever()


async def http(folder: str, path: str, port: int) -> None:
    """An HTTP server of the same parts as Roost's, which checks the body and stores nothing."""
    import msgspec
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    class Body(msgspec.Struct):
        to: str
        text: str

    decoder = msgspec.json.Decoder(Body)

    async def send(request: Request) -> Response:
        said = decoder.decode(await request.body())
        return Response(b'{"id":%d}' % len(said.text), status_code=201, media_type="application/json")

    app: Any = Starlette(routes=[Route("/v1/messages", send, methods=["POST"])])
    config = uvicorn.Config(
        app, port=port, http="httptools", loop="none", log_config=None, access_log=False, lifespan="off"
    )
    await uvicorn.Server(config).serve()


async def echo(folder: str, path: str, port: int) -> None:
    """A WebSocket that answers each frame with itself."""
    from websockets.asyncio.server import ServerConnection, serve

    async def answer(live: ServerConnection) -> None:
        async for text in live:
            await live.send(text)

    async with serve(answer, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


KINDS = {"broker": broker, "fanout": fanout, "http": http, "echo": echo}

if __name__ == "__main__":
    uvloop.run(KINDS[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4])))

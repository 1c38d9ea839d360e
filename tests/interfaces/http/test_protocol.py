"""What one connection may send, and how slowly: a server of its own, with short waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from roost.interfaces.http import protocol
from roost.interfaces.http.protocol import BoundedProtocol

SMALL = b"GET / HTTP/1.1\r\nHost: x\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer with its size; `/big` answers 32 MiB."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(512 if scope["path"] == "/big" else 0):
        await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
    await send({"type": "http.response.body", "body": str(size).encode()})


@contextlib.asynccontextmanager
async def served(connections_max: int = 100) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as end:
        made = protocol.protocol(connections_max)
        config = uvicorn.Config(app, http=made, lifespan="off", loop="none", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([end])
        yield end.getsockname()[1]
        server.force_exit = True
        await server.shutdown([end])


async def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts one after another, and return all that comes back until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(_read(reader))
    for part in parts:
        if answer.done():
            break
        writer.write(part)
        await asyncio.sleep(pause)
    async with asyncio.timeout(10):
        found = await answer
    writer.close()
    return found


async def _read(reader: asyncio.StreamReader) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(65536):
            found += part
    return found


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_SECONDS_MAX", "BODY_SECONDS_MAX", "WRITE_SECONDS_MAX"):
        monkeypatch.setattr(protocol, name, 0.3)


def test_headers_and_urls_over_their_limits_are_refused_before_they_are_complete() -> None:
    async def play() -> None:
        async with served() as port:
            assert b" 414 " in await said(port, b"GET /" + b"a" * 5_000)
            assert b" 431 " in await said(port, SMALL + b"X: y\r\n" * 200)
            assert b" 431 " in await said(port, SMALL, *[b"X: " + b"y" * 5_000 + b"\r\n"] * 5)
            endless = [SMALL + b"X: ", *[b"y" * 4_000] * 8]
            assert b" 431 " in await said(port, *endless, pause=0.01), "a header without an end"
            assert b'"code":"HEADERS_TOO_LARGE"' in await said(port, SMALL + b"X: y\r\n" * 200)

    asyncio.run(play())


def test_what_is_no_request_gets_400_in_the_one_shape() -> None:
    async def play() -> None:
        async with served() as port:
            for nonsense in (
                b"\x16\x03\x01\x02\r\n\r\n",
                b"GET  HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nA b\x00: c\r\n\r\n",
            ):
                answer = await said(port, nonsense)
                assert b" 400 " in answer and b'"code":"BAD_REQUEST"' in answer

    asyncio.run(play())


def test_many_requests_in_one_piece_are_answered_in_order() -> None:
    async def play() -> None:
        async with served() as port:
            one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
            burst = b"".join(one % (size, b"x" * size) for size in range(400))
            last = SMALL + b"Connection: close\r\n\r\n"
            answer = await said(port, burst, last)
            assert answer.count(b"HTTP/1.1 200") == 401
            assert answer.index(b"\r\n17\r\n") < answer.index(b"\r\n399\r\n")

    asyncio.run(play())


@pytest.mark.usefixtures("hurried")
def test_who_sends_slowly_is_hung_up_on() -> None:
    async def play() -> None:
        async with served() as port:
            assert b" 408 " in await said(port)
            assert b" 408 " in await said(port, *[SMALL[n : n + 1] for n in range(20)], pause=0.05)
            body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
            assert b" 408 " in await said(port, body, *[b"x"] * 20, pause=0.05)
            after = await said(port, SMALL + b"\r\n", *[b"\r\n"] * 12, pause=0.05)
            assert after.count(b"HTTP/1.1 200") == 1 and b" 408 " in after, "empty lines keep no connection open"

    asyncio.run(play())


@pytest.mark.usefixtures("hurried")
def test_who_reads_nothing_of_a_long_answer_is_hung_up_on() -> None:
    async def play() -> None:
        async with served() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            writer.write(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(1.0)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(32 * 1024 * 1024)
            writer.close()

    asyncio.run(play())


def test_connections_beyond_the_limit_are_hung_up_on() -> None:
    async def play() -> None:
        async with served(connections_max=3) as port:
            open_now = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            assert await said(port, SMALL + b"\r\n") == b""
            for reader, writer in open_now:
                writer.write(SMALL + b"\r\n")
                assert b"200" in await reader.readline()
                writer.close()

    asyncio.run(play())


def test_the_limit_is_the_servers_own() -> None:
    assert protocol.protocol(7).connections_max == 7
    assert BoundedProtocol.connections_max != 7

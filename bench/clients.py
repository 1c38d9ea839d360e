"""Clients of every contestant in one shape: connections, each with a `send` that returns when it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from bench.scene import BODY

Send = Callable[[], Awaitable[object]]
BYTES = BODY.encode()


async def connected(spec: dict[str, Any], count: int) -> list[Send]:
    """Return the sends of so many clients of a contestant."""
    made: list[Send] = await KINDS[spec["kind"]](spec, count)
    return made


async def roost(spec: dict[str, Any], count: int) -> list[Send]:
    """Return clients of Roost's native socket, each an agent of its own."""
    from roost import reach

    sends: list[Send] = []
    for number in range(count):
        hub = await reach.aremote(spec["place"], as_=f"client-{number}")
        sends.append(partial(hub.messages.send, to="sink", text=BODY))
    return sends


async def broker(spec: dict[str, Any], count: int) -> list[Send]:
    """Return clients of the bare group-commit broker."""
    return [_exchange(await asyncio.open_unix_connection(spec["path"]), BYTES, 1) for _ in range(count)]


async def redis(spec: dict[str, Any], count: int) -> list[Send]:
    """Return clients of a Redis stream."""
    from redis.asyncio import Redis

    sends: list[Send] = []
    for _ in range(count):
        client = Redis(port=spec["port"], single_connection_client=True)
        await client.ping()
        sends.append(partial(client.xadd, "inbox", {"body": BYTES}))
    return sends


async def postgres(spec: dict[str, Any], count: int) -> list[Send]:
    """Return clients that insert one row a commit."""
    import psycopg

    sends: list[Send] = []
    for _ in range(count):
        connection = await psycopg.AsyncConnection.connect(spec["uri"], autocommit=True)
        sends.append(partial(connection.execute, "INSERT INTO m (inbox, body) VALUES ('a', %s)", (BODY,)))
    return sends


async def jetstream(spec: dict[str, Any], count: int) -> list[Send]:
    """Return clients that publish into a stream and wait for its acknowledgement."""
    import nats

    sends: list[Send] = []
    made = False
    for _ in range(count):
        stream = (await nats.connect(f"nats://127.0.0.1:{spec['port']}")).jetstream()
        if not made:
            made = bool(await stream.add_stream(name="mail", subjects=["mail.*"]))
        sends.append(partial(stream.publish, "mail.a", BYTES))
    return sends


async def http(spec: dict[str, Any], count: int) -> list[Send]:
    """Return HTTP clients, with a token each where the server wants one."""
    tokens = spec.get("tokens") or [""]
    body = msgspec.json.encode({"to": "sink", "text": BODY})
    sends: list[Send] = []
    for number in range(count):
        head = (
            f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{spec['port']}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {tokens[number % len(tokens)]}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", spec["port"])
        sends.append(_request(reader, writer, head + body))
    return sends


def _exchange(ends: tuple[asyncio.StreamReader, asyncio.StreamWriter], said: bytes, answered: int) -> Send:
    reader, writer = ends

    async def send() -> object:
        writer.write(said)
        return await reader.readexactly(answered)

    return send


def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes) -> Send:
    async def send() -> object:
        writer.write(said)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201"), head[:200]
        size = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        return await reader.readexactly(int(size))

    return send


KINDS: dict[str, Any] = {
    "roost": roost, "broker": broker, "redis": redis, "postgres": postgres, "jetstream": jetstream, "http": http,
}  # fmt: skip

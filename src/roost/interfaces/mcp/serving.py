"""One connection of a pipe, between its bytes and the SDK's server."""

from __future__ import annotations

import asyncio

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage

from roost.interfaces.mcp.pipe import READ_BYTES, Lines
from roost.interfaces.mcp.reading import NoMessage, message_of
from roost.interfaces.mcp.server import create_server
from roost.interfaces.mcp.visits import Pipe

WAITING_MAX = 64
"""Requests of one connection that wait to be taken; more are left in the socket."""

Incoming = SessionMessage | Exception


async def serve(pipe: Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until its other end closes it."""
    server = create_server(pipe)
    to_server, from_client = anyio.create_memory_object_stream[Incoming](WAITING_MAX)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](WAITING_MAX)
    answers = to_client.clone()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, reader, pipe, to_server, answers)
        tasks.start_soon(_write, from_server, writer)
        await serve_dual_era_loop(
            server,
            from_client,
            to_client,
            lifespan_state=pipe,
            init_options=server.create_initialization_options(),
        )
        tasks.cancel_scope.cancel()


async def _read(
    reader: asyncio.StreamReader,
    pipe: Pipe,
    to: MemoryObjectSendStream[Incoming],
    answers: MemoryObjectSendStream[SessionMessage],
) -> None:
    """Pass on what the client says; what is no message is answered at once, as JSON-RPC asks."""
    lines = Lines()
    async with to, answers:
        try:
            while data := await reader.read(READ_BYTES):
                for line in lines.feed(data):
                    try:
                        read = _message(line)
                    except NoMessage as wrong:
                        await answers.send(SessionMessage(wrong.answer))
                        continue
                    if isinstance(read, types.JSONRPCNotification):
                        pipe.heard(read.method, read.params)
                    await to.send(SessionMessage(read))
        except (ConnectionError, anyio.BrokenResourceError):
            return


async def _write(messages: MemoryObjectReceiveStream[SessionMessage], writer: asyncio.StreamWriter) -> None:
    async with messages:
        async for one in messages:
            line = one.message.model_dump_json(by_alias=True, exclude_unset=True)
            writer.write(line.encode() + b"\n")
            try:
                await writer.drain()
            except ConnectionError:
                return


def _message(line: bytes | None) -> types.JSONRPCMessage:
    if line is None:
        raise NoMessage(None, types.INVALID_REQUEST, "a message of more than 2 MiB is not read")
    return message_of(line)

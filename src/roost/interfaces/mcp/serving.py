"""One connection of a pipe, between its bytes and the SDK's server."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import mcp_types as types
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from roost.interfaces.mcp.pipe import READ_BYTES, Lines, told_of
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
                    read = _message(line)
                    if isinstance(read, types.JSONRPCNotification):
                        pipe.heard(read.method, read.params)
                    if isinstance(read, types.JSONRPCError):
                        await answers.send(SessionMessage(read))
                    else:
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
    """Return the message of a line; an error to answer with for what is none."""
    if line is None:
        return _error(None, types.INVALID_REQUEST, "a message of more than 2 MiB is not read")
    with suppress(ValidationError):
        message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        if not isinstance(message, types.JSONRPCNotification) or "id" not in msgspec.json.decode(line):
            return message  # a request whose id is none must not pass for a notification, which nobody answers
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _error(None, types.PARSE_ERROR, "this line is no JSON")
    return _error(told_of(value), types.INVALID_REQUEST, "this is no single JSON-RPC message")


def _error(id: str | int | None, code: int, message: str) -> types.JSONRPCError:
    return types.JSONRPCError(jsonrpc="2.0", id=id, error=types.ErrorData(code=code, message=message))

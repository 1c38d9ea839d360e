"""The WebSocket /v1/stream: the log behind a cursor, one's own mail, and acknowledgements, as frames of JSON text.

From the client: `hello` (a token, where no header could carry it), `subscribe`, `listen`, `more`, `ack`, `ping`.
From here: `welcome`, `subscribed`, `event`, `mail`, `acked`, `pong`, `ping`, `cut`, `error`. See
docs/reference/streams.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from roost.errors import InvalidInput, RoostError, SlowReader
from roost.interfaces.door import Filter
from roost.interfaces.errors import plain
from roost.interfaces.http.security import token_of
from roost.interfaces.http.streams import (
    SEND_SECONDS_MAX,
    Connected,
    Connections,
    Frame,
    close_code,
    encode,
)
from roost.interfaces.strict import once, refuse_twins

if TYPE_CHECKING:
    from roost.interfaces.door import Door, Entrant

HEARTBEAT_SECONDS = 20.0
HELLO_SECONDS_MAX = 10.0
PROTOCOL = "roost.v1"
TOKEN_PROTOCOL = "roost.token."
"""A browser's WebSocket carries no header of its own: its token may come as a second subprotocol."""


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One frame of a client."""

    type: str
    token: str = ""
    cursor: str | None = None
    filter: Filter = Filter()
    message: str = ""
    limit: int = 1


_said = msgspec.json.Decoder(Said)


class Sockets:
    """Serves WebSockets."""

    def __init__(self, door: Door, *, connections_max: int) -> None:
        self._door = door
        self.connections = Connections(door, most=connections_max)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one WebSocket until one side closes it."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        connected = None
        try:
            asked = _said_of(once(socket.query_params.multi_items())) if socket.query_params else None
            entrant = await self._entered(socket, offered)
            connected = self.connections.add(entrant)
            await Served(self._door, socket, connected).run(asked)
        except RoostError as error:
            await _close(socket, error)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            return  # the other side is gone, or takes nothing any more
        finally:
            if connected is not None:
                self.connections.remove(connected)

    async def _entered(self, socket: WebSocket, offered: list[str]) -> Entrant:
        address = socket.client.host if socket.client is not None else "unix"
        token = next((one.removeprefix(TOKEN_PROTOCOL) for one in offered if one.startswith(TOKEN_PROTOCOL)), "")
        token = token or token_of(socket.headers) or await _token_said(socket)
        return await self._door.enter(token, address=address)


class Served:
    """One WebSocket that was let in."""

    def __init__(self, door: Door, socket: WebSocket, connected: Connected) -> None:
        self._door = door
        self._socket = socket
        self._connected = connected
        self._hub = door.hub(connected.entrant)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cursor = ""
        self._sending = asyncio.Lock()
        self._more = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, asked: Said | None) -> None:
        """Serve until the client leaves, or has to. Raises why."""
        await self._say({"type": "welcome", "name": self._connected.entrant.name})
        try:
            if asked is not None:
                self._subscribe(asked)
            self._begin("reading", self._read())
            self._begin("over", self._watch())
            await self._failed
        except TimeoutError:
            raise SlowReader("this reader takes nothing any more", cursor=self._cursor) from None
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run one part of the connection; whatever it ends with ends the connection."""
        if name in self._tasks:
            self._tasks[name].cancel()
        task = self._tasks[name] = asyncio.get_running_loop().create_task(work)

        def ended(task: asyncio.Task[None]) -> None:
            if task.cancelled() or self._failed.done():
                return
            error = task.exception()
            if error is not None:
                self._failed.set_exception(error)

        task.add_done_callback(ended)

    async def _read(self) -> None:
        while True:
            text = await _heard(self._socket)
            try:
                await self._take(_decoded(text))
            except RoostError as error:
                await self._say({"type": "error", **plain(error)})

    async def _take(self, said: Said) -> None:
        if said.type == "subscribe":
            self._subscribe(said)
        elif said.type == "listen":
            self._begin("listening", self._listen(said.limit))
        elif said.type == "more":
            self._more.set()
        elif said.type == "ack":
            delivery = await self._hub.deliveries.acknowledge(said.message)
            await self._say({"type": "acked", "message": said.message, "state": delivery.state})
        elif said.type == "ping":
            await self._say({"type": "pong"})
        elif said.type != "pong":
            raise InvalidInput(f"there is no frame {said.type[:40]!r}", hint="subscribe, listen, more, ack or ping")

    def _subscribe(self, said: Said) -> None:
        place = self._door.subscribe(self._connected.entrant, said.filter, said.cursor)

        async def follow() -> None:
            try:
                await self._say({"type": "subscribed", "cursor": place.cursor})
                while True:
                    found = await place.next(HEARTBEAT_SECONDS)
                    if not found:
                        self._cursor = place.cursor
                        await self._say({"type": "ping", "cursor": self._cursor})
                    for told in found:
                        await self._say(Frame(cursor=told.event.cursor, told=told))
                        self._cursor = told.event.cursor
            except SlowReader as error:
                await self._say({"type": "cut", "cursor": error.details["cursor"]})
                raise
            finally:
                place.close()

        self._begin("following", follow())

    async def _listen(self, limit: int) -> None:
        async for item in self._hub.messages.listen(limit=limit):
            self._more.clear()
            await self._say({"type": "mail", "item": item})
            await self._more.wait()  # asking for the next one proves that this one arrived

    async def _watch(self) -> None:
        await self._connected.over.wait()
        assert self._connected.why is not None
        raise self._connected.why

    async def _say(self, frame: object) -> None:
        async with self._sending, asyncio.timeout(SEND_SECONDS_MAX):
            await self._socket.send_text(encode(frame).decode())


async def _token_said(socket: WebSocket) -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HELLO_SECONDS_MAX):
            said = _decoded(await _heard(socket))
        if said.type == "hello":
            return said.token
    return ""


async def _heard(socket: WebSocket) -> str:
    """Return the text of the next frame, '' for a binary one. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return message.get("text") or ""


def _decoded(text: str) -> Said:
    try:
        said = _said.decode(text)
        refuse_twins(text)
        return said
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise InvalidInput(f"this frame is wrong: {wrong}", hint="see docs/reference/streams.md") from None


def _said_of(asked: dict[str, str]) -> Said:
    """Return the subscription that is written in the URL. Raises InvalidInput, for a token too."""
    known = {"recipient_id": "recipient", "channel": "channel", "type": "type", "task_id": "task"}
    unknown = asked.keys() - known.keys() - {"cursor", "kinds", "include_broadcast"}
    if unknown:
        raise InvalidInput(f"there is no parameter {min(unknown)!r}", hint=f"use {', '.join(known)}, kinds or cursor")
    wanted = {known[name]: value for name, value in asked.items() if name in known}
    kinds = tuple(kind for kind in asked.get("kinds", "").split(",") if kind)
    return Said(type="subscribe", cursor=asked.get("cursor"), filter=Filter(**wanted, kinds=kinds))


async def _close(socket: WebSocket, error: RoostError) -> None:
    reason = str(error.details.get("cursor") or error.code)
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1.0):
            if not isinstance(error, SlowReader):
                await socket.send_text(encode({"type": "error", **plain(error)}).decode())
            await socket.close(close_code(error), reason[:120])

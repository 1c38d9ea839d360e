"""Server-sent events at /v1/events/stream: the log behind a cursor, for who has no WebSocket.

Each event's id is its cursor, so a browser that comes back says in `Last-Event-ID` where it was; so has each sign of
life, for one that comes back before anything was for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from roost.errors import InvalidInput, RoostError, SlowReader
from roost.interfaces.errors import plain
from roost.interfaces.http.handlers import filter_of
from roost.interfaces.http.streams import SEND_SECONDS_MAX, encode
from roost.interfaces.strict import once

if TYPE_CHECKING:
    from roost.interfaces.door import Door, Subscription
    from roost.interfaces.http.sockets import Sockets
    from roost.interfaces.http.streams import Connected, Connections

HEARTBEAT_SECONDS = 15.0
KIND = "text/event-stream"
HEADERS = {"Cache-Control": "no-store"}
PARAMETERS = frozenset({"recipient_id", "channel", "type", "task_id", "kinds", "since", "include_broadcast"})


class Events:
    """Serves event streams."""

    def __init__(self, door: Door, sockets: Sockets) -> None:
        self._door = door
        self._connections = sockets.connections

    async def serve(self, request: Request) -> Response:
        """Answer with a stream. Raises what the cursor is refused with, and RateLimited, LimitReached."""
        asked = once(request.query_params.multi_items())
        if unknown := asked.keys() - PARAMETERS:
            raise InvalidInput(f"there is no parameter {min(unknown)!r}", hint=f"use {', '.join(sorted(PARAMETERS))}")
        wanted = filter_of(
            asked.get("recipient_id", ""),
            asked.get("channel", ""),
            asked.get("type", ""),
            asked.get("task_id", ""),
            asked.get("kinds", ""),
        )
        cursor = request.headers.get("last-event-id") or asked.get("since")
        place = self._door.subscribe(request.state.entrant, wanted, cursor)
        if request.method == "HEAD":
            place.close()
            return Response(media_type=KIND, headers=HEADERS)
        try:
            connected = self._connections.add(request.state.entrant)
        except BaseException:
            place.close()
            raise
        return EventStream(place, connected, self._connections)


class EventStream(Response):
    """One stream, written as fast as it is read."""

    def __init__(self, place: Subscription, connected: Connected, connections: Connections) -> None:
        super().__init__(media_type=KIND, headers=HEADERS)
        del self.headers["content-length"]
        self._place = place
        self._connected = connected
        self._connections = connections

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        loop = asyncio.get_running_loop()
        writing = loop.create_task(self._write(send))
        leaving = [loop.create_task(_gone(receive)), loop.create_task(self._connected.over.wait())]
        try:
            await asyncio.wait({writing, *leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await writing  # one that takes nothing any more is dropped; its last id says where to go on
            await self._end(send)
        finally:
            for task in (writing, *leaving):
                task.cancel()
            self._place.close()
            self._connections.remove(self._connected)

    async def _write(self, send: Any) -> None:
        await _send(send, f": from {self._place.cursor}\nid: {self._place.cursor}\n\n".encode())
        while True:
            try:
                found = await self._place.next(HEARTBEAT_SECONDS)
            except SlowReader as error:
                await _send(send, b"event: cut\ndata: " + encode({"cursor": error.details["cursor"]}) + b"\n\n")
                return
            except RoostError as error:
                self._connected.end(error)
                return
            here = f": here\nid: {self._place.cursor}\n\n".encode()
            await _send(send, b"".join(_event(told) for told in found) or here)

    async def _end(self, send: Any) -> None:
        """Say why a stream ends from here, and end it."""
        with contextlib.suppress(TimeoutError):
            if self._connected.why is not None:
                await _send(send, b"event: error\ndata: " + encode(plain(self._connected.why)) + b"\n\n")
            async with asyncio.timeout(1.0):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _send(send: Any, body: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS_MAX):
        await send({"type": "http.response.body", "body": body, "more_body": True})


def _event(told: Any) -> bytes:
    head = f"id: {told.event.cursor}\nevent: {told.event.kind}\ndata: ".encode()
    return head + encode(told) + b"\n\n"

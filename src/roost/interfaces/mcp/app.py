"""MCP over Streamable HTTP, as an ASGI app for one route of the daemon's HTTP interface.

Each request stands alone, in both eras of the protocol: its token says who calls, no session of the protocol is kept,
and a restart of the daemon ends none. The SDK is imported with the first request, aside: the daemon's loop goes on
meanwhile.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from math import ceil
from typing import TYPE_CHECKING, Any

import msgspec

from roost.errors import NotAllowed, RoostError
from roost.interfaces.errors import plain, status_of
from roost.interfaces.mcp.visits import ENTRANT, Visitors

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from roost.interfaces.door import Door

BODY_BYTES_MAX = 1_310_720
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def create_mcp_app(door: Door, *, hosts: Iterable[str] = LOCAL_HOSTS, origins: Iterable[str] = ()) -> McpApp:
    """Return the app; `hosts` are those by whose name it may be reached, on any port if they name none.

    Pages of those hosts may call it, and those of `origins` (`https://example.com`, to the letter).

    Mount it as the endpoint of one route (`Route("/mcp", endpoint=app)`); it starts with its first request. `close` it
    before the loop ends.
    """
    return McpApp(door, hosts, origins)


class McpApp:
    """The app, callable as ASGI says."""

    def __init__(self, door: Door, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._door = door
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        if refused := self._refused(scope):
            await _refuse(send, *refused)
            return
        try:
            entrant = await self._door.enter(_token(scope), address=_address(scope))
        except RoostError as error:
            await _refuse(send, status_of(error), plain(error), _headers(error))
            return
        if scope["method"] != "POST":  # no session to end, and no stream but the answer to a request
            await _refuse(send, 405, _said("METHOD_NOT_ALLOWED", "MCP is spoken by POST here"), [(b"allow", b"POST")])
            return
        manager = await self._started()
        body = await _body(receive)
        if body is None:
            return
        if len(body) > BODY_BYTES_MAX:
            await _refuse(send, 413, _said("BODY_TOO_LARGE", f"more than {BODY_BYTES_MAX} bytes are not read"))
        elif (wrong := _wrong_with(body)) is not None:
            await _answer(send, 400, wrong)
        else:
            await manager.handle_request({**scope, ENTRANT: entrant}, _again(body, receive), send)

    async def close(self) -> None:
        """Give up the requests that are open, and stop."""
        self._closing.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    def _refused(self, scope: Scope) -> tuple[int, dict[str, object]] | None:
        """Refuse a host or origin that is not ours: a page of somebody else's must not speak to this address."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or not {hosts[0].lower(), _name(hosts[0])} & self._hosts:
            return 421, _said("FORBIDDEN", "this host is not served here")
        if any(not self._is_ours(origin) for origin in origins):
            return 403, _said("FORBIDDEN", "this origin may not call here")
        if scope["method"] == "POST" and not _is_json(_values(scope, b"content-type")):
            return 415, _said("NOT_JSON", "only JSON is taken")
        return None

    def _is_ours(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        return origin in self._origins or (scheme in ("http", "https") and _name(host) in self._hosts)

    async def _started(self) -> StreamableHTTPSessionManager:
        if self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(self._run(self._manager), name="roost-mcp")
        return await asyncio.shield(self._manager)

    async def _run(self, ready: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        """Hold the SDK's manager open; whoever waits for it learns why it could not start."""
        try:
            manager = await asyncio.to_thread(_manager, self._door)
            async with manager.run():
                ready.set_result(manager)
                await self._closing.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
                return
            raise

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"].removeprefix("lifespan.")
            if event == "shutdown":
                await self.close()
            await send({"type": f"lifespan.{event}.complete"})
            if event == "shutdown":
                return


def _manager(door: Door) -> StreamableHTTPSessionManager:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from roost.interfaces.mcp.server import create_server

    server = create_server(Visitors(door))
    return StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=BODY_BYTES_MAX
    )


def _token(scope: Scope) -> str:
    """Return the bearer token of a request, '' for none, or more than one."""
    given = _values(scope, b"authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unix"


def _values(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def _name(host: str) -> str:
    """Return a host without its port, '' for what is no host."""
    name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        return host.lower()
    return name.lower() if port.isascii() and port.isdigit() else ""


def _headers(error: RoostError) -> list[tuple[bytes, bytes]]:
    if "retry_after" in error.details:
        return [(b"retry-after", str(max(1, ceil(error.details["retry_after"]))).encode())]
    return [(b"www-authenticate", b'Bearer realm="roost"')] if isinstance(error, NotAllowed) else []


def _said(code: str, message: str) -> dict[str, object]:
    return {"code": code, "message": message, "hint": "see docs/reference/mcp.md", "retryable": False, "details": {}}


def _is_json(kinds: list[str]) -> bool:
    return [kind.partition(";")[0].strip().lower() for kind in kinds] == ["application/json"]


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request, cut behind its limit; None if the client left before it was whole."""
    body = b""
    while len(body) <= BODY_BYTES_MAX:
        part = await receive()
        if part["type"] == "http.disconnect":
            return None
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a receive that gives a body that was read already, and then what follows."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return parts.pop() if parts else await receive()

    return again


def _wrong_with(body: bytes) -> bytes | None:
    """Return the answer to what is no single JSON-RPC message, None for one that is."""
    from roost.interfaces.mcp.reading import NoMessage, message_of

    try:
        message_of(body)
    except NoMessage as wrong:
        return wrong.answer.model_dump_json(by_alias=True, exclude_unset=True).encode()
    return None


async def _refuse(
    send: Send, status: int, told: dict[str, object], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with an error in the shape of all errors over HTTP."""
    number = os.urandom(8).hex()
    body = msgspec.json.encode({**told, "request_id": number})
    await _answer(send, status, body, [(b"x-request-id", number.encode()), *headers])


async def _answer(send: Send, status: int, data: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": data})

"""What every request passes before anything of it is read: where it is meant for, where it comes from, how big it is.

A page in a browser can send requests to this machine; what keeps it out is the list of hosts (DNS rebinding), the list
of origins, a content type that no form can send, and the token that it has not got.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from roost.interfaces.http.answers import refusal, refusal_of_socket

if TYPE_CHECKING:
    from roost.interfaces.http.streams import Connections

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1_310_720
"""1.25 MiB: a body of 1 MiB, escaped a little."""
HOOK_PATH = "/v1/hooks/"
HOOK_BYTES_MAX = 16 * 1024 * 1024
"""What a client tells its hooks of a batch of tools holds what they answered; it is read once its key was looked at."""
HEADERS_MAX = 100
HEADER_BYTES_MAX = 16 * 1024
URL_BYTES_MAX = 4 * 1024
WRITES = ("POST", "PUT", "PATCH", "DELETE")
LOCAL = ("127.0.0.1", "localhost", "[::1]")

_PLAIN = {b"content-encoding": (b"", b"identity"), b"transfer-encoding": (b"chunked",)}
"""How bodies may come: not compressed, neither they themselves nor on their way."""
_SAFE = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
}


class TooLarge(Exception):
    """The body is over its limit."""


class Guard:
    """Refuses what is not meant for this server, before anybody reads it.

    `hosts` are further names of this server, on any port if they name none; `origins` are pages that may call it, to
    the letter. `port` goes with the local names; `streams` are the connections that stay open.
    """

    def __init__(
        self, app: App, *, streams: Connections, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._app = app
        self.streams = streams
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        self.port = 0

    @property
    def port(self) -> int:
        """The port at which it is served."""
        return self._port

    @port.setter
    def port(self, port: int) -> None:
        self._port = port
        self._local = frozenset(f"{name}:{port}" for name in LOCAL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is not None:
            if scope["type"] == "websocket":
                await refusal_of_socket(scope, receive, send, *refused)
            else:
                await refusal(scope, receive, _safely(send), *refused)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._app(scope, _counted(receive, bytes_max(scope)), _safely(send))

    def _refused(self, scope: Scope) -> tuple[int, str, str, str] | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > HEADERS_MAX or len(b"".join(chain.from_iterable(headers))) > HEADER_BYTES_MAX:
            return 431, "HEADERS_TOO_LARGE", "too many headers", f"at most {HEADERS_MAX}, {HEADER_BYTES_MAX} bytes"
        if len(scope.get("raw_path", b"")) + len(scope.get("query_string", b"")) > URL_BYTES_MAX:
            return 414, "URL_TOO_LONG", "the URL is too long", f"at most {URL_BYTES_MAX} bytes"
        if not self._is_for_us(scope, [value for name, value in headers if name == b"host"]):
            return 421, "WRONG_HOST", "this server does not go by that name", "use 127.0.0.1, or set daemon.hosts"
        for name, value in headers:
            if name == b"origin" and not self._is_known(value, scope["scheme"] in ("https", "wss")):
                return 403, "WRONG_ORIGIN", "pages of that origin may not call this server", "set daemon.origins"
            if name in _PLAIN and value.strip().lower() not in _PLAIN[name]:
                return 415, "ENCODED_BODY", "compressed bodies are not taken", "send it plain"
            if name == b"content-type" and scope.get("method") in WRITES and not _is_json(value):
                return 415, "NOT_JSON", "only JSON is taken", "send `Content-Type: application/json`"
            if name == b"content-length" and (not value.isdigit() or int(value[:20]) > bytes_max(scope)):
                return 413, "BODY_TOO_LARGE", "the body is too large", f"at most {bytes_max(scope)} bytes"
        return None

    def _is_for_us(self, scope: Scope, named: list[bytes]) -> bool:
        if len(named) != 1:
            return False
        host = named[0].decode("latin-1").lower()
        if scope.get("client") is None and host == "localhost":
            return True  # over the Unix socket there is no port
        if host in self._local:
            return True
        return host in self._hosts or (not host.endswith("]") and _without_port(host) in self._hosts)

    def _is_known(self, origin: bytes, is_secure: bool) -> bool:
        text = origin.decode("latin-1")
        own = text.removeprefix("https://" if is_secure else "http://")
        return text in self._origins or (own != text and own in self._local)


def token_of(headers: Any) -> str:
    """Return the token of a request: `Authorization: Bearer`, or RepoMesh's own header; '' for none, or for two.

    Never one in the URL.
    """
    given = [one.partition(" ") for one in headers.getlist("authorization")]
    shown = {token.strip() for kind, _, token in given if kind.lower() == "bearer"}
    shown = shown.union(headers.getlist("x-repomesh-token")) - {""}
    return str(shown.pop()) if len(shown) == 1 else ""


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isascii() and port.isdigit() else ""


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


def bytes_max(scope: Scope) -> int:
    """Return how many bytes a request's body may have."""
    return HOOK_BYTES_MAX if scope["path"].startswith(HOOK_PATH) else BODY_BYTES_MAX


def _counted(receive: Receive, most: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise TooLarge
        return message

    return counted


def _safely(send: Send) -> Send:
    async def safely(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *((k, v) for k, v in _SAFE.items() if k not in known)]
        await send(message)

    return safely

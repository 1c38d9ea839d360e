"""HTTP/1.1 as uvicorn speaks it, with bounds on what a connection may send before it is read, and on how slowly.

uvicorn's own protocol keeps all headers that come, and waits for the rest of a request without end.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from roost.interfaces.fates import CARRIER, Carrier
from roost.interfaces.http.answers import refused
from roost.interfaces.http.parting import see_out
from roost.interfaces.http.security import HEADER_BYTES_MAX, HEADERS_MAX, URL_BYTES_MAX

HEAD_SECONDS_MAX = 10.0
"""From the first byte of a request, or the opening of a connection, to the end of its headers."""
BODY_SECONDS_MAX = 30.0
WRITE_SECONDS_MAX = 30.0
"""A client that takes nothing of its answer for so long is hung up on."""

Answer = tuple[int, str, str, str]
BAD: Answer = (400, "BAD_REQUEST", "this is no HTTP request", "see RFC 9112")
SLOW: Answer = (408, "TOO_SLOW", "the request did not come in time", "send it at once")
LONG_URL: Answer = (414, "URL_TOO_LONG", "the URL is too long", f"at most {URL_BYTES_MAX} bytes")
LONG_HEAD: Answer = (
    431, "HEADERS_TOO_LARGE", "too many headers", f"at most {HEADERS_MAX}, together {HEADER_BYTES_MAX} bytes",
)  # fmt: skip


class Paced(asyncio.Protocol):
    """Hangs up on a peer that takes nothing of what is written to it for too long."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _writing: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(WRITE_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None


class BoundedProtocol(Paced, HttpToolsProtocol):
    """One connection. `connections_max` of all that one server has are open at once; further ones are hung up on."""

    connections_max = 4_096

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wrong: Answer = BAD
        self._head_bytes = 0
        self._began_now = False
        self._is_reading = False
        self._reading: asyncio.TimerHandle | None = None
        self._carrier = Carrier()
        self._expect(HEAD_SECONDS_MAX)
        if len(self.connections) > self.connections_max:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self._writing is not None:
            self._carrier.ended(is_broken=True)
        elif self._carrier.closed():
            see_out(self.transport, self.loop, self._carrier)
        self._expect(0)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._reading is None and not self._is_answering():
            self._expect(HEAD_SECONDS_MAX)
        self._began_now = False
        self._feed(data)
        if not self._is_reading or self._began_now or self.transport.is_closing():
            return
        self._head_bytes += len(data)  # also what the parser keeps of a header that has no end yet
        if self._head_bytes > HEADER_BYTES_MAX + URL_BYTES_MAX:
            self._wrong = LONG_HEAD
            self.send_400_response("")

    def _feed(self, data: bytes) -> None:
        """Parse; unlike uvicorn's own, say nothing of nonsense in the log, which anybody could fill so."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CARRIER] = self._carrier  # type: ignore[literal-required]
        self._carrier.asked()
        self._is_reading = self._began_now = True
        self._head_bytes = self._header_bytes = 0
        if self._reading is None:
            self._expect(HEAD_SECONDS_MAX)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            self._wrong = LONG_URL
            raise ValueError(LONG_URL[1])

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if len(self.headers) >= HEADERS_MAX or self._header_bytes > HEADER_BYTES_MAX:
            self._wrong = LONG_HEAD
            raise ValueError(LONG_HEAD[1])
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_reading = False
        self._expect(BODY_SECONDS_MAX)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect(0)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._carrier.answered()
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        self._expect(0)
        self.resume_writing()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or is over a limit, and hang up; an answer that is under way is cut off."""
        if not self.pipeline and not (self._is_answering() and self.cycle.response_started):
            response = refused(*self._wrong)
            head = b"".join(b"%s: %s\r\n" % pair for pair in response.raw_headers)
            line = f"HTTP/1.1 {self._wrong[0]} {self._wrong[1]}\r\n".encode()
            self.transport.write(line + head + b"connection: close\r\n\r\n" + bytes(response.body))
        self.transport.close()

    def _expect(self, seconds: float) -> None:
        """Give the request so long, from now on; 0 while nothing is expected."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if seconds:
            self._reading = self.loop.call_later(seconds, self._over)

    def _over(self) -> None:
        self._reading = None
        if self.flow.read_paused:  # it is this side that does not read
            self._expect(BODY_SECONDS_MAX)
            return
        self._wrong = SLOW
        self.send_400_response("")

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete


class BoundedSocket(Paced, WebSocketsSansIOProtocol):
    """One WebSocket. Its close goes out behind what a slow reader has not taken, and waits for it only so long."""

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        super().connection_lost(exc)


def protocol(connections_max: int) -> type[BoundedProtocol]:
    """Return the protocol of a server that has at most so many connections."""
    return type("BoundedProtocol", (BoundedProtocol,), {"connections_max": connections_max})

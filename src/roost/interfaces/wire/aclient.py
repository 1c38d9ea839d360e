"""The caller of a remote hub for asyncio: one connection carries every call and stream at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from roost.errors import RoostError, Unavailable
from roost.interfaces.wire import address as addresses
from roost.interfaces.wire import client, frames
from roost.interfaces.wire.address import Address, keep_alive, trust, unreachable
from roost.interfaces.wire.arrivals import Arrivals
from roost.interfaces.wire.client import ANSWER_SECONDS_MAX, found_args, gone, moved_on, pauses
from roost.interfaces.wire.frames import END, ERROR, HELLO, ITEM, MORE, STOP, Answer, Request, Welcome
from roost.interfaces.wire.table import Op, name_of, op
from roost.interfaces.wire.trouble import error_of
from roost.interfaces.wire.versions import read_welcome

if TYPE_CHECKING:
    from roost.interfaces.wire.client import Introduce, Revive
    from roost.verbs import Stream, Verb


STREAM_ANSWERS_MAX = 64
"""Answers of one stream that may wait for its reader; a slower one's stream ends, and begins anew behind what it has.

The connection carries other calls too, so it cannot be left unread meanwhile.
"""


class AsyncRemote:
    """Carries the calls of a hub to the daemon. Open it in the loop that uses it."""

    def __init__(self, revive: Revive, introduce: Introduce) -> None:
        self._revive = revive
        self._introduce = introduce
        self._caller = os.urandom(12).hex()
        self._joined = ""
        self._last = 0
        self._under_way: set[int] = set()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._streams: dict[int, Arrivals] = {}
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._closes = 0

    async def open(self) -> Welcome:
        """Connect and say hello. Raises OSError, and what the hello is refused with."""
        async with self._opening:
            if self._wire is not None and self._wire.welcome is not None:
                return self._wire.welcome
            try:
                address = await asyncio.to_thread(self._revive)
            except Unavailable as error:
                raise ConnectionError(error.message) from error
            wire = await connect(address, self._arrived, self._lost)
            hello = msgspec.structs.replace(self._introduce(), caller=self._caller)
            if hello.name and self._joined:
                hello = msgspec.structs.replace(hello, name="", resume=self._joined)
            self._wire = wire
            try:
                asked = Request(0, HELLO, msgspec.Raw(frames.encode(hello)))
                answer = await self._ask(wire, asked, client.HELLO_SECONDS_MAX)
            except BaseException:
                self._wire = None
                wire.drop()
                raise
            wire.welcome = read_welcome(answer.body)
            self._joined = wire.welcome.session
            return wire.welcome

    async def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = op(name_of(verb, service))
        sent = msgspec.Raw(found.write_arguments(args, kwargs))
        self._last += 1
        number = self._last
        if found.mode == "write":  # answers of no others are kept, so none that waits for hours keeps theirs
            self._under_way.add(number)  # until it is over, also while it waits to be repeated
        try:
            answer = await self._answered(
                Request(number, found.name, sent, min(self._under_way, default=1) - 1),
                None if found.mode == "wait" else ANSWER_SECONDS_MAX,
            )
        finally:
            self._under_way.discard(number)
        return found.read_result(answer.body)

    async def _answered(self, request: Request, seconds: float | None) -> Answer:
        for pause in pauses():
            try:
                if self._wire is None or self._wire.welcome is None:
                    await self.open()
                assert self._wire is not None
                return await self._ask(self._wire, request, seconds)
            except (OSError, EOFError) as error:
                if pause is None:
                    raise gone(error) from None
                await asyncio.sleep(pause)
        raise AssertionError("the last pause is None")

    async def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Yield what a stream brings, over lost connections too: it goes on behind what it brought last."""
        found, named = op(name_of(stream, service)), found_args(stream, args, kwargs)
        closes, last = self._closes, None
        while closes == self._closes:
            await self.reopened()
            if last is not None:
                moved_on(found.name, named, last)
            if (wire := self._wire) is None:
                continue
            number, arrivals = self._begin(wire, found, named)
            try:
                while (items := _items_of(found, await arrivals.next())) is not None:
                    for last in items:
                        yield last
                    if found.name == "messages.listen":
                        wire.send(Request(number, MORE))
                return
            except (OSError, EOFError):
                continue
            finally:
                self._streams.pop(number, None)
                wire.send(Request(number, STOP))

    async def reopened(self) -> None:
        """Connect, however long the daemon takes to come back. Raises Unavailable after 20 s."""
        for pause in pauses():
            try:
                await self.open()
                return
            except (OSError, EOFError) as error:
                if pause is None:
                    raise gone(error) from None
                await asyncio.sleep(pause)

    def _begin(self, wire: Wire, found: Op, named: dict[str, Any]) -> tuple[int, Arrivals]:
        """Ask for a stream; return its number, and what will arrive of it."""
        self._last += 1
        asked = Request(self._last, found.name, msgspec.Raw(found.write_arguments((), named)))
        arrivals = self._streams[asked.id] = Arrivals()
        wire.send(asked)
        return asked.id, arrivals

    def close(self) -> None:
        """Hang up; streams end."""
        self._closes += 1
        if self._wire is not None:
            self._wire.close()

    async def _ask(self, wire: Wire, request: Request, seconds: float | None) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = answer
        try:
            wire.send(request)
            if seconds is None:
                return await answer
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            wire.drop()
            raise
        except asyncio.CancelledError:
            wire.send(Request(request.id, STOP))
            raise
        finally:
            self._waiting.pop(request.id, None)

    def _arrived(self, answer: Answer) -> None:
        stream = self._streams.get(answer.id)
        if stream is not None:
            stream.put(answer)
            if len(stream) >= STREAM_ANSWERS_MAX:
                self._cut(answer.id)
            return
        waiting = self._waiting.get(answer.id)
        if waiting is None or waiting.done():
            return
        if answer.status == ERROR:
            waiting.set_exception(error_of(answer.body))
        else:
            assert answer.status != ITEM
            waiting.set_result(answer)

    def _cut(self, number: int) -> None:
        """End a stream whose reader is slow; it begins anew once that has what came."""
        self._streams.pop(number).put(None)
        if self._wire is not None:
            self._wire.send(Request(number, STOP))

    def _lost(self, wire: Wire) -> None:
        if wire is not self._wire:
            return
        self._wire = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(wire.trouble or EOFError("the daemon hung up"))
        for stream in self._streams.values():
            stream.put(None)


class Wire(asyncio.Protocol):
    """One connection of an AsyncRemote."""

    def __init__(self, arrived: Any, lost: Any) -> None:
        self._arrived = arrived
        self._lost = lost
        self._frames = frames.Frames(frames.FRAME_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self.welcome: Welcome | None = None
        self.trouble: RoostError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        try:
            answers = frames.read_answers(self._frames, data)
        except RoostError as error:
            self.trouble = error
            self.drop()
            return
        for answer in answers:
            self._arrived(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._lost(self)

    def send(self, request: Request) -> None:
        """Send a frame; one for a connection that is lost goes nowhere."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames.frame(request))

    def close(self) -> None:
        """Hang up, once what was sent is on its way."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Hang up at once: nobody may be there to take what was sent."""
        if self._transport is not None:
            self._transport.abort()


def _items_of(found: Op, answer: Answer | None) -> list[Any] | None:
    """Return what an answer of a stream brings, None at its end. Raises EOFError, and the error that ends it."""
    if answer is None:
        raise EOFError("the daemon hung up")
    if answer.status == ERROR:
        raise error_of(answer.body)
    return None if answer.status == END else found.read_result(answer.body)


async def connect(address: Address, arrived: Any, lost: Any) -> Wire:
    """Connect to a daemon. Raises ConnectionError, InvalidInput for who is no daemon that can be trusted."""
    try:
        async with asyncio.timeout(addresses.CONNECT_SECONDS_MAX):
            return await _connected(address, lambda: Wire(arrived, lost))
    except OSError as error:
        raise ConnectionError(unreachable(address, error).message) from None


async def _connected(address: Address, wire: Callable[[], Wire]) -> Wire:
    loop = asyncio.get_running_loop()
    if address.path:
        return (await loop.create_unix_connection(wire, address.path))[1]
    transport, made = await loop.create_connection(
        wire, address.host, address.port, ssl=trust(address), server_hostname=address.host
    )
    keep_alive(transport.get_extra_info("socket"))
    return made

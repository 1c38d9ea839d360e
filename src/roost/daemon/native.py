"""One connection of the native protocol: frames from a Unix socket, or TLS, become calls, many at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from roost.daemon import pipes
from roost.daemon.entering import enter, is_ours
from roost.daemon.job import Job
from roost.daemon.outflow import Following, Listening
from roost.daemon.peers import file_of, parent_of, peer_of, write_now
from roost.errors import BodyTooLarge, InvalidInput, LimitReached, NotAllowed, RoostError
from roost.interfaces.wire import frames, versions
from roost.interfaces.wire.address import keep_alive
from roost.interfaces.wire.frames import ANSWER, END, ERROR, HELLO, HOOK, ITEM, MORE, STOP, Frames, Hello, Request
from roost.interfaces.wire.table import Op, op
from roost.interfaces.wire.trouble import body_of

if TYPE_CHECKING:
    from roost.daemon.doors import Doors
    from roost.interfaces.door import Entrant

HOOK_BYTES_MAX = 17 * 1024 * 1024
"""The event of a hook, which brings what its client's tools put out, with what goes with it."""
IN_FLIGHT_MAX = 2_048
"""Calls of one connection that may be unanswered; beyond it nothing more is read from it."""
STREAMS_MAX = 64
HELLO_SECONDS_MAX = 10.0
CONNECTIONS_MAX = 20_000
STRANGERS_MAX = 256
"""Connections from far that have shown no token yet; a further one is hung up on. They take no place of who is here."""

log = logging.getLogger("roost.daemon")


class Connection(asyncio.Protocol):
    """One connection: a hello, then calls and streams; or the one event of a hook."""

    __slots__ = (
        "_arrived", "_doors", "_file", "_frames", "_in_flight", "_is_greeting", "_is_reading", "_paused", "_streams",
        "_timer", "caller", "entrant", "peer", "transport",
    )  # fmt: skip

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._file = -1
        self._frames = Frames()
        self._arrived: deque[bytes] = deque()
        self._is_greeting = False
        self._streams: dict[int, Following | Listening | Callable[[], None]] = {}
        self._in_flight = 0
        self._is_reading = True
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport
        self.entrant: Entrant | None = None
        self.caller = ""
        self.peer = (0, -1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self.transport = transport
        doors = self._doors
        if len(doors.connections) >= CONNECTIONS_MAX:
            transport.abort()
            return
        doors.connections.add(self)
        self.peer = peer_of(transport)
        self._file = file_of(transport)
        if self.peer[0] and not is_ours(self.peer[1]):
            transport.abort()
            return
        if not self.peer[0]:
            if len(doors.strangers) >= STRANGERS_MAX:
                transport.abort()
                return
            doors.strangers.add(self)
            keep_alive(transport.get_extra_info("socket"))
        self._frames.hook_bytes_max = HOOK_BYTES_MAX if self.peer[0] else 0
        self._timer = doors.core.loop.call_later(HELLO_SECONDS_MAX, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        for stream in tuple(self._streams.values()):
            stream() if callable(stream) else stream.stop()
        self._streams.clear()
        self._doors.connections.discard(self)
        self._doors.strangers.discard(self)
        self._doors.last_left = time.monotonic()

    def data_received(self, data: bytes) -> None:
        try:
            self._arrived.extend(self._frames.feed(data))
        except RoostError as error:
            self.say(0, ERROR, body_of(error))
            self.transport.close()
            return
        self._go_on()

    def _go_on(self) -> None:
        """Take what has arrived while the peer reads its answers; meanwhile nothing more is read from it."""
        while self._arrived and self._is_free:
            self._take(self._arrived.popleft())
        if self._is_free != self._is_reading and not self.transport.is_closing():
            self._is_reading = not self._is_reading
            (self.transport.resume_reading if self._is_reading else self.transport.pause_reading)()

    @property
    def _is_free(self) -> bool:
        most = IN_FLIGHT_MAX if self._is_reading else IN_FLIGHT_MAX // 2
        is_open = not self._is_greeting and not self.transport.is_closing()
        return is_open and not self._doors.is_closing and not self._paused and self._in_flight < most

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._paused = True
        self._go_on()

    def resume_writing(self) -> None:
        self._paused = False
        for stream in tuple(self._streams.values()):
            if isinstance(stream, Following):
                stream.pump()
        self._go_on()

    def hang_up(self, why: RoostError) -> None:
        """End the connection; whoever waits at it for something is told why."""
        for number in tuple(self._streams):
            self.say(number, ERROR, body_of(why))
        self.transport.close()

    @property
    def is_full(self) -> bool:
        """Whether the peer reads more slowly than it is written to."""
        return self._paused

    def say(self, id: int, status: int, body: bytes) -> None:
        """Send one answer, or a stream's next items."""
        if len(body) > frames.BODY_BYTES_MAX:
            trouble = BodyTooLarge(f"the answer has {len(body):,} bytes", hint="ask for less at a time")
            status, body = ERROR, body_of(trouble)
        if not self.transport.is_closing():
            self.transport.write(frames.answer(id, status, body))

    def push(self, id: int, items: list[bytes]) -> None:
        """Send a stream's next items, at once where nothing waits to be sent."""
        frame = self._doors.framing.of(id, items)
        if frame is None:
            self.say(id, ITEM, frames.array(items))  # which says that it is too large
        elif not self.transport.is_closing():
            write_now(self.transport, self._file, frame)

    def _take(self, body: bytes) -> None:
        if body[:1] and body[0] == HOOK and self.entrant is None:
            self._hooked(body)
            return
        try:
            request = frames.read_request(body)
        except RoostError as error:
            self.say(0, ERROR, body_of(error))
            self.transport.close()
            return
        if self.entrant is None:
            self._hello(request)
        elif request.op in (MORE, STOP):
            self._steer(request)
        else:
            self._call(request)

    def _call(self, request: Request) -> None:
        try:
            found = op(request.op)
            assert self.entrant is not None
            self._doors.allow(self.entrant, found)
            kwargs = found.read_arguments(request.args)
            if found.mode == "write":
                self._write(request, found, kwargs)
            elif found.mode == "read":
                result = self._doors.core.read(self.entrant.session, found.verb, found.service, (), kwargs)  # type: ignore[arg-type]
                self.say(request.id, ANSWER, frames.encode(result))
            elif found.mode == "wait":
                self._wait(request, found, kwargs)
            else:
                self._stream(request, found, kwargs)
        except Exception as error:
            self._refuse(request.id, request.op, error)

    def _refuse(self, id: int, name: str, error: BaseException) -> None:
        """Answer with an error. Without its project nothing is answered: the caller asks the next daemon,
        which is where that is now."""
        if self._doors.is_lost_by(error):
            self.transport.abort()
        else:
            self.say(id, ERROR, _trouble(name, error))

    def _write(self, request: Request, found: Op, kwargs: dict[str, Any]) -> None:
        core, number = self._doors.core, request.id
        assert self.entrant is not None
        if request.done:
            core.answers.done(self.caller, request.done)
        known = core.answers.get(self.caller, number)
        if known is not None:
            self.say(number, ANSWER, known)
            return
        job = Job(
            self.entrant.session,
            found.verb,  # type: ignore[arg-type]
            found.service,
            kwargs,
            lambda result, error: self._written(job, number, error),
            request=(self.caller, number),
            pack=frames.encode,
        )
        self._in_flight += 1
        core.submit_once(job)

    def _written(self, job: Job, id: int, error: BaseException | None) -> None:
        self._in_flight -= 1
        if error is not None:
            self._refuse(id, job.verb.name, error)
        else:
            assert job.packed is not None
            self.say(id, ANSWER, job.packed)
        if not self._is_reading:
            self._go_on()

    def _wait(self, request: Request, found: Op, kwargs: dict[str, Any]) -> None:
        self._check_number(request)
        core, number = self._doors.core, request.id
        assert self.entrant is not None

        def answered(result: Any, error: BaseException | None) -> None:
            if self._streams.pop(number, None) is None:
                return
            if error is not None:
                self._refuse(number, found.name, error)
            else:
                self.say(number, ANSWER, frames.encode(result))

        self._streams[number] = core.wait(self.entrant.session, found.verb, found.service, kwargs, answered)  # type: ignore[arg-type]

    def _stream(self, request: Request, found: Op, kwargs: dict[str, Any]) -> None:
        self._check_number(request)
        if len(self._streams) >= STREAMS_MAX:
            raise LimitReached(f"{STREAMS_MAX} streams are open on this connection", hint="open another connection")
        kind = Listening if found.name == "messages.listen" else Following
        self._streams[request.id] = kind(self, self._doors.core, request.id, found.name, kwargs)

    def _check_number(self, request: Request) -> None:
        if request.id in self._streams:
            raise InvalidInput(f"request {request.id} is under way already", hint="number each request anew")

    def _steer(self, request: Request) -> None:
        stream = self._streams.get(request.id)
        if request.op == STOP:
            self._streams.pop(request.id, None)
            if stream is not None:
                stream() if callable(stream) else stream.stop()
        elif isinstance(stream, Listening):
            stream.more()

    def ended(self, id: int, error: BaseException | None) -> None:
        """A stream is over: tell why."""
        if self._streams.pop(id, None) is not None:
            self.say(id, ERROR if error else END, body_of(error) if error else b"\xc0")

    def _hello(self, request: Request) -> None:
        try:
            if request.op != HELLO:
                raise InvalidInput("a connection begins with a hello", hint="see docs/reference/wire.md")
            hello = frames.read_hello(request.args)
            if self._makes_way(hello):
                self.transport.close()  # without a word: its caller looks for the next daemon
                return
            versions.refuse_other(hello)
        except RoostError as error:
            self.say(request.id, ERROR, body_of(error))
            self.transport.close()
            return
        self._is_greeting = True
        self._doors.core.spawn(self._greet(request.id, hello))

    def _makes_way(self, hello: Hello) -> bool:
        is_near = bool(self.peer[0]) and not hello.token
        return is_near and versions.is_of_newer(hello) and self._doors.make_way(hello.roost)

    async def _greet(self, id: int, hello: Hello) -> None:
        if hello.pipe:
            await self._pipe(id, hello)
            return
        try:
            self.entrant = await self._entered(hello)
            me = self._doors.core.me(self.entrant.session)
        except Exception as error:
            self._refuse(id, HELLO, error)
            self.transport.close()
            return
        if self._timer:
            self._timer.cancel()
        self.caller = f"{me.agent} {hello.caller}"  # a name given to oneself leads to nobody else's answers
        self._frames.bytes_max = frames.FRAME_BYTES_MAX
        self.say(id, ANSWER, frames.encode(versions.welcome(me)))
        self._is_greeting = False
        self._go_on()

    async def _entered(self, hello: Hello) -> Entrant:
        address = "unix" if self.peer[0] else str(self.transport.get_extra_info("peername")[0])
        entrant = await enter(self._doors.core, hello, pid=self.peer[0], address=address)
        self._doors.strangers.discard(self)
        return entrant

    async def _pipe(self, id: int, hello: Hello) -> None:
        """Leave the connection to another protocol; one from far, or with a token, shows first who it is."""
        try:
            pipes.check(hello.pipe)
            if hello.token or not self.peer[0]:
                self.entrant = await self._entered(hello)
        except RoostError as error:
            self.say(id, ERROR, body_of(error))
            self.transport.close()
            return
        if self._timer:
            self._timer.cancel()
        self.say(id, ANSWER, b"\xc0")
        await self._doors.pipe(hello, self)

    def _hooked(self, body: bytes) -> None:
        if not self.peer[0]:
            self.say(0, ERROR, body_of(NotAllowed("hooks come by the Unix socket only")))
            self.transport.close()
            return

        def answered(answer: asyncio.Future[bytes]) -> None:
            if not self.transport.is_closing():
                text = b"" if answer.cancelled() or answer.exception() else answer.result()
                self.transport.write(len(text).to_bytes(4, "big") + text)
                self.transport.close()

        self._doors.hook(body[1:], parent_of(self.peer[0])).add_done_callback(answered)


def _trouble(what: str, error: BaseException) -> bytes:
    """Return an error as it travels. One that is a fault of Roost's own is written down, as its caller is told."""
    if not isinstance(error, (RoostError, TypeError)):
        log.error("%s failed", what, exc_info=error)
    return body_of(error)

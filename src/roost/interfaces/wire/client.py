"""The caller of a remote hub: each call is a frame to the daemon, repeated under its id when the connection is lost."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from roost.errors import RoostError, TimedOut, Unavailable
from roost.interfaces.wire import frames
from roost.interfaces.wire.address import Address, connected
from roost.interfaces.wire.frames import END, ERROR, HELLO, ITEM, MORE, Answer, Hello, Request, Welcome
from roost.interfaces.wire.table import Op, name_of, op
from roost.interfaces.wire.trouble import error_of
from roost.interfaces.wire.versions import read_welcome

if TYPE_CHECKING:
    from roost.verbs import Stream, Verb

ANSWER_SECONDS_MAX = 30.0
"""No answer to a short call for so long: the connection is taken for lost, and the call is repeated."""
HELLO_SECONDS_MAX = 15.0
"""The same for a hello, which a daemon that was stopped does not answer; who joins may wait 10 s for the gate."""
RESUME_SECONDS_MAX = 20.0
"""So long a call goes on looking for a daemon, a new one too, before it fails."""
FIRST_PAUSE_SECONDS = 0.02
LAST_PAUSE_SECONDS = 1.0

Introduce = Callable[[], Hello]
"""Makes the hello of a connection: who is calling, anew each time."""
Revive = Callable[[], Address]
"""Finds the daemon, and starts one where none runs; returns where it listens. Raises Unavailable."""


class Line:
    """One caller's connection, through all its sockets; its requests are numbered through."""

    def __init__(self, revive: Revive, introduce: Introduce) -> None:
        self._revive = revive
        self._introduce = introduce
        self._caller = os.urandom(12).hex()
        self._socket: socket.socket | None = None
        self._frames = frames.Frames(frames.FRAME_BYTES_MAX)
        self._arrived: list[Answer] = []
        self._last = 0
        self._pid = os.getpid()
        self.welcome: Welcome | None = None

    def request(self, name: str, args: bytes, *, seconds: float | None) -> Answer:
        """Make one call, again and again under one id until it is answered. Raises Unavailable, TimedOut."""
        self._last += 1
        call = Request(self._last, name, msgspec.Raw(args), self._last - 1)
        for pause in pauses():
            try:
                self.open()
                self._send(call)
                return self._answer(call.id, seconds)
            except (OSError, EOFError) as error:
                self.close()
                if pause is None:
                    raise gone(error) from None
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def open(self) -> Welcome:
        """Connect and say hello, if that is not done. Raises OSError, and what the hello is refused with."""
        if self._socket is not None and self.welcome is not None:
            return self.welcome
        try:
            self._socket = connected(self._revive())
        except Unavailable as error:
            raise ConnectionError(error.message) from error
        self._socket.settimeout(ANSWER_SECONDS_MAX)
        self._frames, self._arrived = frames.Frames(frames.FRAME_BYTES_MAX), []
        hello = msgspec.structs.replace(self._introduce(), caller=self._caller)
        self._send(Request(0, HELLO, msgspec.Raw(frames.encode(hello))))
        try:
            answer = self._answer(0, HELLO_SECONDS_MAX)
        except BaseException:
            self.close()
            raise
        self.welcome = read_welcome(answer.body)
        return self.welcome

    def close(self) -> None:
        """Hang up; a thread that waits for an answer here is told so. A child of a fork only lets go of the socket."""
        end, self._socket = self._socket, None
        if end is not None:
            if self._pid == os.getpid():
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            end.close()

    def stream(self, found: Op, args: bytes) -> Iterator[Any]:
        """Yield what a stream brings; a page of mail is confirmed when the next one is asked for. Raises OSError."""
        self.open()
        self._last += 1
        self._send(Request(self._last, found.name, msgspec.Raw(args)))
        while True:
            answer = self._answer(self._last, None)
            if answer.status == END:
                return
            assert answer.status == ITEM
            yield from found.read_result(answer.body)
            if found.name == "messages.listen":
                self._send(Request(self._last, MORE))

    def _send(self, request: Request) -> None:
        assert self._socket is not None
        self._socket.sendall(frames.frame(request))

    def _answer(self, id: int, seconds: float | None) -> Answer:
        end = self._socket
        if end is None or self._pid != os.getpid():
            raise EOFError("another thread hung up, or this is a child of a fork")
        end.settimeout(seconds)
        while True:
            while self._arrived:
                answer = self._arrived.pop(0)
                if answer.id == id:
                    if answer.status == ERROR:
                        raise error_of(answer.body)
                    return answer
            data = end.recv(1 << 18)
            if not data:
                raise EOFError("the daemon hung up")
            self._arrived += frames.read_answers(self._frames, data)


class Remote:
    """Carries the calls of a hub to the daemon. Threads may share it: each call has a line for itself."""

    def __init__(self, revive: Revive, introduce: Introduce) -> None:
        self._revive = revive
        self._introduce = introduce
        self._joined = ""
        self._free: list[Line] = []
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._closes = 0
        self._busy: set[Line] = set()

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = op(name_of(verb, service))
        seconds = None if found.mode == "wait" else ANSWER_SECONDS_MAX
        line = self._take()
        try:
            answer = line.request(found.name, found.write_arguments(args, kwargs), seconds=seconds)
        except RoostError:
            self._give_back(line)
            raise
        except BaseException:
            line.close()  # an answer may still come that nobody waits for
            self._busy.discard(line)
            raise
        self._give_back(line)
        return found.read_result(answer.body)

    def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        """Yield what a stream brings, over lost connections too: it goes on behind what it brought last."""
        found, named = op(name_of(stream, service)), found_args(stream, args, kwargs)
        closes = self._closes
        while closes == self._closes:
            line = self._line()
            self._busy.add(line)
            try:
                yield from _resumed(line, found, named)
            except _Lost:
                continue
            finally:
                line.close()
                self._busy.discard(line)
            return

    def idle(self, seconds: float) -> None:
        raise TypeError("a remote caller waits at the daemon")

    def open(self) -> Welcome:
        """Say hello now; return who the daemon says is calling. Raises what the hello is refused with."""
        line = self._take()
        try:
            welcome = _patiently(line)
        finally:
            self._give_back(line)
        self._joined = welcome.session
        return welcome

    def close(self) -> None:
        """Hang up; streams of other threads end."""
        self._closes += 1
        with self._lock:
            self._leave_parents()
        for line in (*self._free, *self._busy):
            line.close()
        self._free.clear()

    def _take(self) -> Line:
        with self._lock:
            self._leave_parents()
            line = self._free.pop() if self._free else self._line()
            self._busy.add(line)
            return line

    def _leave_parents(self) -> None:
        """A child of a fork neither talks on its parent's sockets nor shuts them down."""
        if self._pid != os.getpid():
            self._free, self._busy, self._pid = [], set(), os.getpid()

    def _line(self) -> Line:
        return Line(self._revive, self._hello)

    def _hello(self) -> Hello:
        """Who joined once comes back as that session, also when it was taken over meanwhile: it is told so then."""
        hello = self._introduce()
        return msgspec.structs.replace(hello, name="", resume=self._joined) if hello.name and self._joined else hello

    def _give_back(self, line: Line) -> None:
        with self._lock:
            self._busy.discard(line)
            self._free.append(line)


class _Lost(Exception):
    """The connection broke; the stream goes on over another."""


def moved_on(name: str, kwargs: dict[str, Any], item: Any) -> None:
    """Make a stream's arguments ask for what comes behind an item."""
    if name == "history.follow":
        kwargs["cursor"] = item.cursor
    elif name == "messages.follow":
        kwargs["after"] = item.number


def found_args(stream: Stream[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a stream by name."""
    return dict(zip(stream.body.__code__.co_varnames[1:], args, strict=False)) | kwargs


def _resumed(line: Line, found: Op, named: dict[str, Any]) -> Iterator[Any]:
    _patiently(line)
    try:
        for item in line.stream(found, found.write_arguments((), named)):
            moved_on(found.name, named, item)
            yield item
    except (OSError, EOFError):
        raise _Lost from None


def _patiently(line: Line) -> Welcome:
    for pause in pauses():
        try:
            return line.open()
        except (OSError, EOFError) as error:
            line.close()
            if pause is None:
                raise gone(error) from None
            time.sleep(pause)
    raise AssertionError("the last pause is None")


def pauses() -> Iterator[float | None]:
    """Yield how long to wait before each further attempt, with full jitter; None when it was the last."""
    deadline, pause = time.monotonic() + RESUME_SECONDS_MAX, FIRST_PAUSE_SECONDS
    while time.monotonic() < deadline:
        yield pause * random.random()
        pause = min(LAST_PAUSE_SECONDS, pause * 2)
    yield None


def gone(error: BaseException) -> RoostError:
    """Return the error for a daemon that could not be reached again."""
    if isinstance(error, TimeoutError):
        return TimedOut(
            "the daemon did not answer",
            hint="see `roost doctor`, or end it: `roost down`; repeating a send with its key is safe",
        )
    return Unavailable(
        f"the daemon is gone: {error}",
        hint="start it: `roost up`; repeating a send with its key is safe",
        in_doubt=True,
    )

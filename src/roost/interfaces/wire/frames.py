"""Frames: four bytes of length, big-endian, then one msgpack array, or the raw event of a hook.

A stream's items come as arrays.

A request is `[id, op, args, done]`. Ids grow within one caller's life, over reconnects too, so a request that is
repeated is the same request: the daemon keeps each write's answer for 10 minutes, or until `done` says that every
answer up to that id arrived. An answer is `[id, status, body]`.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from roost.errors import BodyTooLarge, InvalidInput

VERSION = 1
CALLER_CHARACTERS_MAX = 64
FRAME_BYTES_MAX = 80 * 1024 * 1024
"""A full batch of 1,000 messages of 64 KiB, with room for what goes with them."""
BODY_BYTES_MAX = FRAME_BYTES_MAX - 16
"""What the body of an answer may have; its id and status go with it."""
HELLO_BYTES_MAX = 64 * 1024
"""Nobody who has not said who they are sends more at a time."""

ANSWER, ERROR, ITEM, END = 0, 1, 2, 3
HOOK = 0xC1
"""The first byte of a hook's frame: the one byte that msgpack never uses."""

HELLO, MORE, STOP = "hello", "more", "stop"
"""What is said beside verbs: who is calling; that a stream's items were used; that a stream or wait is given up."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One call; `args` are its arguments by name."""

    id: int
    op: str
    args: msgspec.Raw = msgspec.Raw(b"\x80")
    done: int = 0


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What became of a call; of a stream, one of its items."""

    id: int
    status: int
    body: msgspec.Raw


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling, as far as the caller can say; the daemon proves it by the kernel and the session's key.

    `caller` names this caller for as long as it lives; `session` and `key` are those of `ROOST_SESSION`; `token`
    comes from far; `name` joins as an agent; `resume` is the session that this process joined before; `terminal` says
    that a person may be typing; `pipe` asks for another protocol after the hello (`mcp`), and `agent` and `folder` say
    of its client what `ROOST_AGENT` names and where it works. `roost` is the caller's version of Roost.
    """

    version: int = VERSION
    roost: str = ""
    caller: str
    session: str = ""
    key: str = ""
    token: str = ""
    name: str = ""
    resume: str = ""
    takeover: bool = False
    terminal: bool = False
    pipe: str = ""
    agent: str = ""
    folder: str = ""


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon answers to a hello: the session that the caller acts as, and its own version of Roost."""

    version: int = VERSION
    roost: str = ""
    session: str
    agent: str
    name: str
    kind: str
    epoch: int


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_answers = msgspec.msgpack.Decoder(Answer)
_size_at = struct.Struct(">I").unpack_from


def frame(value: Any) -> bytes:
    """Return a value as one frame. Raises BodyTooLarge for what the other end would hang up on."""
    body = _encoder.encode(value)
    if len(body) > FRAME_BYTES_MAX:
        raise BodyTooLarge(f"a call of {len(body):,} bytes is over {FRAME_BYTES_MAX:,}", hint="send less at a time")
    return len(body).to_bytes(4, "big") + body


def encode(value: Any) -> bytes:
    """Return a value as msgpack."""
    return _encoder.encode(value)


def answer(id: int, status: int, body: bytes) -> bytes:
    """Return an answer, whose body is encoded already, as one frame."""
    head = _encoder.encode(id)
    size = 2 + len(head) + len(body)
    return b"%c%c%c%c\x93%b%c%b" % (size >> 24, size >> 16 & 255, size >> 8 & 255, size & 255, head, status, body)


def array(items: list[bytes]) -> bytes:
    """Return values that are encoded already as one array."""
    count = len(items)
    head = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return head + b"".join(items)


def read_request(body: bytes | memoryview) -> Request:
    """Return the request in a frame's body. Raises InvalidInput."""
    try:
        return _requests.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"this frame is no request: {error}", hint="see docs/reference/wire.md") from None


def read_hello(body: bytes | msgspec.Raw) -> Hello:
    """Return a hello, of whichever version. Raises InvalidInput for none, or without a name for its caller."""
    try:
        hello = msgspec.msgpack.decode(body, type=Hello)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no hello: {error}", hint="see docs/reference/wire.md") from None
    if not hello.pipe and not 1 <= len(hello.caller) <= CALLER_CHARACTERS_MAX:  # else two would share their answers
        raise InvalidInput(
            f"a caller's name has 1 to {CALLER_CHARACTERS_MAX} characters", hint="make one at random for each client"
        )
    return hello


def read_answers(cut: Frames, data: bytes) -> list[Answer]:
    """Take more bytes from a daemon; return the answers that are whole now. Raises InvalidInput for what none says."""
    try:
        return [_answers.decode(body) for body in cut.feed(data)]
    except (BodyTooLarge, msgspec.DecodeError):
        hint = "name a daemon's native socket, or its port for TLS: `roost up --json` says which"
        raise InvalidInput("who answers there is no daemon of Roost", hint=hint) from None


class Frames:
    """Cuts a stream of bytes into frames. Those of hooks may have `hook_bytes_max`, if that is set."""

    def __init__(self, bytes_max: int = HELLO_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.hook_bytes_max = 0
        self._kept = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; return the bodies of the frames that are whole now. Raises BodyTooLarge."""
        if not self._kept and len(data) > 4 and _size_at(data)[0] == len(data) - 4 <= self.bytes_max:
            return [data[4:]]  # one whole frame, as nearly all come
        if self._kept:
            self._kept += data
            if len(self._kept) < self._needed:  # a long frame is not copied anew for each part of it
                return []
            data = bytes(self._kept)
        found, at, end, self._needed = [], 0, len(data), 5
        while end - at >= 5:
            (size,) = _size_at(data, at)
            if size > (self.hook_bytes_max if data[at + 4] == HOOK and self.hook_bytes_max else self.bytes_max):
                raise BodyTooLarge(f"a frame of {size:,} bytes is over {self.bytes_max:,}", hint="send less at a time")
            if end - at - 4 < size:
                self._needed = 4 + size
                break
            found.append(data[at + 4 : at + 4 + size])
            at += 4 + size
        if self._kept or at < end:
            self._kept = bytearray(data[at:])
        return found

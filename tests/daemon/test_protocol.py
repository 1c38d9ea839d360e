"""What comes over the native socket and is no call: each is answered or hung up on, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost.connect import connect
from roost.daemon import native, waits
from roost.daemon.core import Core
from roost.daemon.doors import Doors
from roost.daemon.entering import is_ours
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import HELLO_BYTES_MAX, HOOK, Hello, Request
from roost.messages.service import Messages

from .served import Served, Wire, eventually

BLOBS = 150
LONG = "x" * 10_000
PRIVATE = (
    "messages._get", "messages.__init__", "messages.tx", "history.verify.body", "nothing.send", "messages", "",
    "_caller.call", "leases.tidy", "deliveries.settle", "x" * 10_000,
)  # fmt: skip


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def hello(**fields: Any) -> bytes:
    """Return a hello, with fields as somebody else may fill them."""
    return framed(msgspec.msgpack.encode([0, "hello", {"caller": "one", "name": "alice", **fields}]))


def answers(site: Served, sent: bytes) -> list[tuple[int, int, Any]]:
    """Send bytes, say nothing more, and return what is answered until the daemon hangs up."""
    end = site.raw()
    try:
        end.sendall(sent)
        end.shutdown(socket.SHUT_WR)
    except BrokenPipeError:
        return []  # it hung up at the first part
    said = b""
    try:
        while data := end.recv(1 << 16):
            said += data
    except ConnectionResetError:
        return []
    end.close()
    return [msgspec.msgpack.decode(body) for body in frames.Frames(1 << 26).feed(said)]


def is_well(site: Served, wire: Wire) -> None:
    """Assert that a caller that was there before is served as ever."""
    wire.send(99, "sessions.me", {})
    assert wire.answer(99)["name"] == "ada"
    assert site.pid


@pytest.fixture
def ada(served: Served) -> Wire:
    return served.wire("ada")


def test_random_bytes_are_hung_up_on(served: Served, ada: Wire) -> None:
    dice = random.Random(3)
    for _ in range(BLOBS):
        blob = dice.randbytes(dice.choice([1, 3, 4, 5, 40, 5_000]))
        for sent in (blob, framed(blob), framed(b"\x93" + blob), hello() + framed(blob)):
            answers(served, sent)
    is_well(served, ada)


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        (framed(b"\xc0"), "INVALID", "no request"),
        (framed(b"\x91" * 60_000), "INVALID", "no request"),
        (framed(msgspec.msgpack.encode([1, "messages.send", {}])), "INVALID", "begins with a hello"),
        (framed(msgspec.msgpack.encode(["one", "hello", {}])), "INVALID", "no request"),
        (framed(msgspec.msgpack.encode([0, "hello", {}])), "INVALID", "no hello"),
        (framed(msgspec.msgpack.encode([0, "hello", {"caller": 7}])), "INVALID", "no hello"),
        (hello(caller=""), "INVALID", "a caller's name"),
        (hello(caller="x" * 65), "INVALID", "a caller's name"),
        (hello(version=0), "INVALID", "speaks version 1 of the protocol, the caller 0"),
        (hello(name="../ada"), "INVALID_NAME", "name"),
        (hello(resume="nobody"), "UNAUTHENTICATED", "no such session"),
        (hello(token="rst_wrong"), "UNAUTHENTICATED", "token"),
        (hello(pipe="telnet"), "INVALID", "no protocol 'telnet'"),
        ((HELLO_BYTES_MAX + 1).to_bytes(4, "big") + b"\x93", "BODY_TOO_LARGE", "frame"),
        (b"\xff\xff\xff\xff\x93", "BODY_TOO_LARGE", "frame"),
        (b"\xff\xff\xff\xff" + bytes((HOOK,)), "BODY_TOO_LARGE", "frame"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "BODY_TOO_LARGE", "frame"),
    ],
)  # fmt: skip
def test_a_beginning_that_is_wrong_is_told_so_and_hung_up_on(
    served: Served, ada: Wire, sent: bytes, code: str, words: str
) -> None:
    ((_, status, trouble),) = answers(served, sent + hello())
    assert status == frames.ERROR
    assert trouble["code"] == code
    assert words in trouble["message"]
    is_well(served, ada)


def test_a_hello_in_small_parts_is_understood(served: Served) -> None:
    end = served.raw()
    for byte in hello():
        end.sendall(bytes((byte,)))
    assert end.recv(5)


def test_calls_that_come_with_the_hello_wait_for_it(served: Served) -> None:
    calls = b"".join(framed(msgspec.msgpack.encode([number, "sessions.me", {}])) for number in (1, 2))
    end = served.raw()
    end.sendall(hello() + calls)
    got, known = list[Any](), frames.Frames(1 << 20)
    while len(got) < 3:
        got += [msgspec.msgpack.decode(body) for body in known.feed(end.recv(1 << 16))]
    assert [number for number, _, _ in got] == [0, 1, 2]
    assert got[2][2]["name"] == "alice"


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_no_verb_of_the_hub_cannot_be_called(ada: Wire, name: str) -> None:
    ada.send(1, name, {})
    status, trouble = ada.said(1)
    assert (status, trouble["code"]) == (frames.ERROR, "NOT_FOUND")
    assert len(trouble["message"]) < 200


@pytest.mark.parametrize(
    "args", [{}, {"to": "ada"}, {"to": 5, "text": "x"}, {"to": "ada", "text": "x", "sender": "bob"}, [], 7]
)
def test_arguments_that_are_wrong_are_told_so_and_the_connection_goes_on(served: Served, ada: Wire, args: Any) -> None:
    ada.send(1, "messages.send", args)
    status, trouble = ada.said(1)
    assert status == frames.ERROR
    assert trouble["code"] == "INVALID"
    is_well(served, ada)
    assert served.system().messages.last_number() == 0


def test_arguments_that_are_nested_without_end_are_refused(served: Served, ada: Wire) -> None:
    other, deep = served.wire("bob"), b"\x81\xa4text" + b"\x91" * 50_000 + b"\xc0"
    other.end.sendall(frames.frame(Request(1, "messages.send", msgspec.Raw(deep))))
    assert other.said(0)[1]["code"] == "INVALID"
    is_well(served, ada)


def test_a_second_hello_is_no_verb(served: Served, ada: Wire) -> None:
    ada.send(1, "hello", Hello(caller="one", name="bob"))
    assert ada.said(1)[1]["code"] == "NOT_FOUND"
    is_well(served, ada)


def test_a_frame_that_cannot_be_read_ends_the_connection(served: Served, ada: Wire) -> None:
    other = served.wire("bob")
    other.end.sendall(framed(b"\xc0"))
    assert other.said(0)[1]["code"] == "INVALID"
    with pytest.raises(EOFError):
        other.said(1)
    is_well(served, ada)


def test_a_stream_cannot_be_given_a_number_that_is_taken(served: Served, ada: Wire) -> None:
    for _ in range(2):
        ada.send(1, "history.follow", {})
    assert ada.said(1)[1]["code"] == "INVALID"
    is_well(served, ada)


def test_streams_of_one_connection_are_bounded(served: Served, ada: Wire) -> None:
    for number in range(1, native.STREAMS_MAX + 2):
        ada.send(number, "history.follow", {})
    assert ada.said(native.STREAMS_MAX + 1)[1]["code"] == "LIMIT_REACHED"
    ada.send(1, "stop", {})
    ada.send(200, "messages.follow", {})
    is_well(served, ada)


def test_waits_of_one_session_are_bounded_and_leave_room_for_others(served: Served, ada: Wire) -> None:
    ada.send(1, "messages.send", {"to": "ada", "text": "hello"})
    wait = {"message": ada.answer(1)["id"], "stage": "acknowledged", "timeout": 600.0}
    same = served.wire(caller="second", resume=ada.welcome["session"])
    for number in range(waits.EACH_MAX):
        (ada, same)[number % 2].send(10 + number, "deliveries.wait", wait)
    for wire in (ada, same):
        is_well(served, wire)  # what it sent before is taken
    for wire in (ada, same):
        wire.send(200, "deliveries.wait", wait)
        status, refused = wire.said(200)
        assert (status, refused["code"]) == (frames.ERROR, "LIMIT_REACHED")
        assert f"{waits.EACH_MAX} calls of this session wait already" in refused["message"]
        assert refused["hint"]
    eve = served.wire("eve")
    eve.send(1, "leases.wait", {"key": "deploy", "timeout": 0.05})
    assert eve.said(1)[1].get("code") != "LIMIT_REACHED"
    ada.send(10, "stop", {})
    is_well(served, ada)
    eventually(lambda: _is_taken(ada, wait), "the one that was given up left room")


def _is_taken(wire: Wire, wait: dict[str, Any]) -> bool:
    """Say whether a wait that ends at once is let in."""
    wire.send(300, "deliveries.wait", {**wait, "timeout": 0.01})
    return bool(wire.said(300)[1]["code"] == "TIMED_OUT")


def test_steering_what_is_no_stream_does_nothing(served: Served, ada: Wire) -> None:
    for name in ("more", "stop"):
        ada.send(5, name, {})
    is_well(served, ada)


def test_many_calls_in_one_go_are_all_answered(served: Served, ada: Wire) -> None:
    count = 3 * native.IN_FLIGHT_MAX
    calls = [frames.frame(Request(n, "leases.release_edits", msgspec.Raw(b"\x80"))) for n in range(1, count + 1)]
    ada.end.sendall(b"".join(calls))
    assert [ada.said(number)[0] for number in range(1, count + 1)] == [frames.ANSWER] * count
    is_well(served, ada)


@pytest.mark.parametrize(
    "body", [b"", b"claude", b"claude\0-\0\0", b"claude\0-\0\0not json", b"nobody\0-\0\0{}", b"\xff\xfe\0-\0\0{}"]
)  # fmt: skip
def test_the_frame_of_no_hook_is_answered_with_nothing_to_print(served: Served, ada: Wire, body: bytes) -> None:
    end = served.raw()
    end.sendall(framed(bytes((HOOK,)) + body))
    said = b""
    while data := end.recv(1 << 16):
        said += data
    assert int.from_bytes(said[:4], "big") == len(said) - 4
    assert said[4:] in (b"", b"\0\0\0\0\0")
    is_well(served, ada)


def test_the_event_of_a_hook_may_be_long(served: Served) -> None:
    event = {"session_id": "one", "hook_event_name": "PostToolUse", "tool_response": "x" * (4 << 20)}
    end = served.raw()
    end.sendall(framed(bytes((HOOK,)) + b"claude\0-\0\0" + json.dumps(event).encode()))
    assert int.from_bytes(end.recv(4), "big") > 0


@asynccontextmanager
async def door(folder: Path) -> AsyncIterator[tuple[Doors, socket.socket]]:
    """Open the native door in this process, for one connection; yield that connection's other end."""
    place = folder / ".roost"
    place.mkdir(mode=0o700)
    loop = asyncio.get_running_loop()
    core = Core(connect(place), connect(place), loop)

    async def never(*args: object) -> None:
        raise AssertionError("no pipe was asked for")

    doors = Doors(core, hook=lambda body, parent: loop.create_future(), pipe=never, allow=lambda entrant, found: None)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    await loop.connect_accepted_socket(doors.connection, theirs)
    try:
        yield doors, ours
    finally:
        for connection in tuple(doors.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        ours.close()
        await core.close()


@pytest.mark.parametrize("sent", [b"", b"\0", hello()[:20], framed(bytes((HOOK,)) + b"x" * 90)[:50]])
def test_who_says_no_hello_in_time_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    async def play() -> bytes:
        async with door(tmp_path) as (doors, end):
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(end, sent)
            assert len(doors.connections) == 1
            async with asyncio.timeout(30):
                said = await loop.sock_recv(end, 100)
            assert not doors.connections
            return said

    assert native.HELLO_SECONDS_MAX <= 10
    monkeypatch.setattr(native, "HELLO_SECONDS_MAX", 0.5)
    assert asyncio.run(play()) == b""


def test_a_process_of_another_user_is_hung_up_on_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> bytes:
        async with door(tmp_path) as (_, end):
            async with asyncio.timeout(30):
                return await asyncio.get_running_loop().sock_recv(end, 100)

    def other(uid: int) -> bool:
        return is_ours(uid + 1)

    monkeypatch.setattr(native, "is_ours", other)
    assert asyncio.run(play()) == b""


def test_one_more_connection_than_may_be_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> bytes:
        async with door(tmp_path) as (_, end):
            async with asyncio.timeout(30):
                return await asyncio.get_running_loop().sock_recv(end, 100)

    monkeypatch.setattr(native, "CONNECTIONS_MAX", 0)
    assert asyncio.run(play()) == b""


async def said_to(end: socket.socket, *sent: bytes, answers: int) -> list[tuple[int, int, Any]]:
    """Send frames; return so many answers."""
    loop, parts, found = asyncio.get_running_loop(), frames.Frames(1 << 26), list[Any]()
    await loop.sock_sendall(end, b"".join(sent))
    async with asyncio.timeout(30):
        while len(found) < answers:
            found += map(msgspec.msgpack.decode, parts.feed(await loop.sock_recv(end, 1 << 16)))
    return found


def test_an_answer_that_is_too_long_for_a_frame_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> tuple[int, int, Any]:
        async with door(tmp_path) as (_, end):
            sent = frames.frame(Request(1, "messages.send", msgspec.Raw(frames.encode({"to": "alice", "text": LONG}))))
            await said_to(end, hello(), sent, answers=2)
            return (await said_to(end, frames.frame(Request(2, "messages.log")), answers=1))[0]

    monkeypatch.setattr(frames, "BODY_BYTES_MAX", len(LONG))
    number, status, told = asyncio.run(play())
    assert (number, status, told["code"]) == (2, frames.ERROR, "BODY_TOO_LARGE")


def test_a_fault_of_our_own_at_a_query_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(service: object) -> int:
        raise KeyError("a bug")

    async def play() -> tuple[int, int, Any]:
        async with door(tmp_path) as (_, end):
            return (await said_to(end, hello(), frames.frame(Request(1, "messages.last_number")), answers=2))[1]

    monkeypatch.setattr(Messages.last_number, "body", broken)
    assert asyncio.run(play())[2]["code"] == "INTERNAL"
    assert "messages.last_number failed" in caplog.text
    assert "a bug" in caplog.text


def test_a_peer_from_far_that_is_gone_is_noticed(tmp_path: Path) -> None:
    async def play() -> int:
        async with door(tmp_path) as (doors, _):
            with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
                theirs, _ = server.accept()
                await asyncio.get_running_loop().connect_accepted_socket(doors.connection, theirs)
                return theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    assert asyncio.run(play()) == 1

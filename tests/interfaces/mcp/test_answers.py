"""What becomes of answers that showed mail: read, only handed over, not known yet, or lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from roost.interfaces.fates import Carrier
from roost.interfaces.http import parting
from roost.interfaces.http.parting import see_out
from tests.daemon.served import eventually

from .stage import Fleet
from .test_pipe import Raw

pytestmark = pytest.mark.timeout(180)

READ = "delivered: its client read the answer, and called again"
HANDED = "delivered: its client's transport took the answer, and it called again"
ANSWER_BYTES = 20_000


@pytest.fixture
def mailed(fleet: Fleet) -> Fleet:
    """A fleet whose bob has a message."""
    fleet.hub("bob")
    fleet.hub("ada").messages.send(to="bob", text="important")
    return fleet


@pytest.fixture
def raw(mailed: Fleet) -> Iterator[Raw]:
    pipe = Raw(mailed, "bob").begin()
    yield pipe
    assert pipe.close() == 0


def state(fleet: Fleet) -> str:
    return fleet.hub("ada").deliveries.of("m1")[0].state


def last_proof(fleet: Fleet) -> str:
    last = fleet.hub("ada").deliveries.receipts("m1")[-1]
    return f"{last.kind}: {last.proof}"


def until(is_so: Callable[[], bool]) -> None:
    eventually(is_so, "it is so")


def more_than(raw: Raw, unread: int) -> None:
    """Wait until another answer lies in a pipe that nobody reads."""
    until(lambda: raw.waiting > unread)


def ids(answer: dict[str, Any]) -> list[str]:
    found: list[str] = answer["result"]["structuredContent"].get("ids", [])
    return found


def test_a_client_that_read_its_pipe_and_calls_again_has_its_mail(raw: Raw, mailed: Fleet) -> None:
    assert ids(raw.ask(raw.call(1, "inbox"))) == ["m1"]
    assert state(mailed) == "offered"
    assert ids(raw.ask(raw.call(2, "inbox"))) == []
    assert last_proof(mailed) == READ


def test_a_call_that_was_made_beside_the_first_proves_nothing_of_its_answer(raw: Raw, mailed: Fleet) -> None:
    for number, tool in enumerate(("inbox", "who", "inbox"), 1):
        unread = raw.waiting
        raw.say(raw.call(number, tool))
        more_than(raw, unread)
    answers = {answer["id"]: answer for answer in (raw.hear(), raw.hear(), raw.hear())}
    assert ids(answers[1]) == ["m1"] and ids(answers[3]) == []
    assert state(mailed) == "offered"
    raw.ask(raw.call(4, "who"))
    assert last_proof(mailed) == READ


def test_mail_of_a_call_that_its_client_gave_up_comes_again(raw: Raw, mailed: Fleet) -> None:
    raw.say(raw.call(1, "inbox"))
    until(lambda: state(mailed) == "offered")
    raw.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    raw.say(raw.call(2, "inbox"))
    while (answer := raw.hear())["id"] != 2:
        continue
    assert ids(answer) == ["m1"] and "Offered again" in answer["result"]["structuredContent"]["mail"]
    assert state(mailed) == "offered"


def test_mail_that_a_client_died_over_comes_again(mailed: Fleet) -> None:
    dead = Raw(mailed, "bob").begin()
    dead.say(dead.call(1, "inbox"))
    until(lambda: state(mailed) == "offered")
    dead.process.kill()
    dead.close()
    again = Raw(mailed, "bob").begin()
    again.ask(again.call(1, "who"))
    assert state(mailed) == "offered"
    assert ids(again.ask(again.call(2, "inbox"))) == ["m1"]
    again.ask(again.call(3, "who"))
    assert last_proof(mailed) == READ
    assert again.close() == 0


class Wire:
    """One HTTP connection of bob's, on which each request is written and each answer read by hand."""

    def __init__(self, fleet: Fleet, key: str) -> None:
        self.host, port = fleet.url.removeprefix("http://").removesuffix("/mcp").split(":")
        self.end = socket.create_connection((self.host, int(port)), timeout=30)
        self.key, self.port = key, port

    def say(self, tool: str, **headers: str) -> None:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}).encode()
        head = {
            "Host": f"{self.host}:{self.port}",
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.end.sendall(f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body)

    def hear(self) -> dict[str, Any]:
        response = http.client.HTTPResponse(self.end)
        response.begin()
        answer: dict[str, Any] = json.loads(response.read())
        return answer

    def ask(self, tool: str, **headers: str) -> dict[str, Any]:
        self.say(tool, **headers)
        return self.hear()

    def close(self) -> None:
        self.end.close()


@pytest.fixture
def wire(mailed: Fleet) -> Iterator[Callable[[], Wire]]:
    key = mailed.hub("bob").tokens.create().key
    with contextlib.ExitStack() as opened:

        def begin() -> Wire:
            made = Wire(mailed, key)
            opened.callback(made.close)
            return made

        yield begin


def test_the_next_request_on_a_connection_proves_that_the_answer_before_it_was_read(
    wire: Callable[[], Wire], mailed: Fleet
) -> None:
    bob = wire()
    assert ids(bob.ask("inbox")) == ["m1"]
    assert ids(bob.ask("inbox")) == []
    assert last_proof(mailed) == READ


def test_a_client_that_hangs_up_before_it_read_the_answer_sees_the_mail_again(
    wire: Callable[[], Wire], mailed: Fleet
) -> None:
    lost = wire()
    lost.say("inbox")
    assert lost.end.recv(1)  # the answer is there, and the rest of it is never read: closing tells the other side so
    lost.close()
    bob = wire()
    bob.ask("who")
    assert state(mailed) == "offered"
    again = bob.ask("inbox")
    assert ids(again) == ["m1"] and "Offered again" in again["result"]["structuredContent"]["mail"]
    bob.ask("who")
    assert last_proof(mailed) == READ


def test_so_does_one_that_hung_up_on_an_answer_behind_which_the_daemon_closed_the_connection(
    wire: Callable[[], Wire], mailed: Fleet
) -> None:
    lost = wire()
    lost.say("inbox", Connection="close")
    assert lost.end.recv(1)
    bob = wire()
    bob.ask("who")
    lost.close()
    bob.ask("who")
    assert state(mailed) == "offered"
    until(lambda: ids(bob.ask("inbox")) == ["m1"])


def test_a_client_that_left_before_there_was_an_answer_sees_the_mail(wire: Callable[[], Wire], mailed: Fleet) -> None:
    lost = wire()
    lost.say("inbox")
    lost.close()
    bob = wire()
    bob.ask("who")
    until(lambda: ids(bob.ask("inbox")) == ["m1"])
    assert state(mailed) == "offered"


def test_while_nothing_is_known_of_an_answer_its_mail_is_neither_delivered_nor_shown_again(
    wire: Callable[[], Wire], mailed: Fleet
) -> None:
    open_still, other = wire(), wire()
    assert ids(open_still.ask("inbox")) == ["m1"]
    assert ids(other.ask("inbox")) == []
    assert state(mailed) == "offered"
    open_still.ask("who")
    assert last_proof(mailed) == READ


@pytest.mark.parametrize("headers", [{}, {"Connection": "close"}])
def test_of_an_answer_that_a_transport_took_no_more_is_said(
    wire: Callable[[], Wire], mailed: Fleet, headers: dict[str, str]
) -> None:
    once = wire()
    assert ids(once.ask("inbox", **headers)) == ["m1"]
    once.close()
    other = wire()
    until(lambda: other.ask("who")["result"]["isError"] is False and state(mailed) == "delivered")
    assert last_proof(mailed) == HANDED
    assert ids(other.ask("inbox")) == []


def test_what_a_connection_tells_of_an_answer() -> None:
    carrier, told = Carrier(), list[str]()
    read = carrier.fate()
    for happens in (carrier.asked, carrier.answered, carrier.asked):
        happens()  # what is asked before the answer was written proves nothing
        told.append(read.known)
    assert told == ["under way", "sent", "read"]
    lost = carrier.fate()
    carrier.ended(is_broken=False)
    assert (read.known, lost.known, carrier.fate().known) == ("read", "lost", "lost")


class Watched(Carrier):
    """Says when it knows what became of its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    def ended(self, *, is_broken: bool) -> None:
        super().ended(is_broken=is_broken)
        self.over.set()


class Answering(asyncio.Protocol):
    """Answers at once with more than a client takes that does not read, and closes the connection."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.transport.write(bytes(ANSWER_BYTES))
        assert not self.transport.get_write_buffer_size(), "all of it lies with the system"
        self.carrier.answered()
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None and self.carrier.closed()
        see_out(self.transport, asyncio.get_running_loop(), self.carrier)


@pytest.mark.parametrize(("reads", "known"), [(True, "handed"), (False, "lost")])
def test_where_a_client_keeps_its_end_open_what_its_system_took_decides(
    reads: bool, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parting, "SECONDS_MAX", 1.0)

    async def known_at_last() -> str:
        loop, carrier = asyncio.get_running_loop(), Watched()
        fate = carrier.fate()
        server = await loop.create_server(lambda: Answering(carrier), "127.0.0.1")
        with socket.socket() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            end.setblocking(False)
            await loop.sock_connect(end, server.sockets[0].getsockname())
            left = ANSWER_BYTES if reads else 0
            while left:
                left -= len(await loop.sock_recv(end, left))
            await carrier.over.wait()
        server.close()
        return fate.known

    assert asyncio.run(asyncio.wait_for(known_at_last(), 30)) == known


@pytest.mark.parametrize(("is_broken", "known"), [(True, "lost"), (False, "handed")])
def test_how_a_connection_ends_tells_whether_its_last_answer_was_taken(is_broken: bool, known: str) -> None:
    carrier = Carrier()
    fate = carrier.fate()
    carrier.answered()
    carrier.ended(is_broken=is_broken)
    assert fate.known == known

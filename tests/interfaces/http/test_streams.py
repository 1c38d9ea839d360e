"""The WebSocket and the event stream: nothing is missed, nothing comes twice, and nobody is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as ws

from roost import reach
from roost.daemon.door import BEHIND_SECONDS_MAX
from roost.daemon.places import told
from roost.errors import Archived, Stopping
from roost.interfaces.door import Entrant, Told
from roost.interfaces.http.sockets import Said, Served
from roost.interfaces.http.sse import EventStream
from roost.interfaces.http.streams import Connected, Connections
from tests.daemon.served import GUARD_SECONDS, eventually, is_alive

from .conftest import SETTINGS, Site, begin, call, end


def test_a_subscriber_gets_what_is_sent_and_resumes_behind_its_cursor(site: Site) -> None:
    alice = site.client("alice")
    with site.stream("bob") as live:
        _say(live, type="subscribe")
        _ready(live)
        call(alice, "POST", "/v1/messages", {"to": "bob", "text": "one"})
        first = _event(live, "message.sent")
        assert first["told"]["message"]["body"] == "one"
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "two"})
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "three"})
    with site.stream("bob") as live:
        _say(live, type="subscribe", cursor=first["cursor"], filter={"kinds": ["message.sent"]})
        assert [_event(live)["told"]["message"]["body"] for _ in range(2)] == ["two", "three"]


def test_filters_choose_by_recipient_channel_type_and_kind(site: Site) -> None:
    alice = site.client("alice")
    with site.stream("bob", "?recipient_id=bob&type=question") as live:
        _ready(live)
        call(alice, "POST", "/v1/messages", {"to": "ada", "text": "not for bob", "type": "question"})
        call(alice, "POST", "/v1/messages", {"to": "bob", "text": "no question"})
        call(alice, "POST", "/v1/messages", {"to": "bob", "text": "asked", "type": "question"})
        assert _event(live)["told"]["message"]["body"] == "asked"


def test_mail_comes_by_the_socket_one_by_one_and_asking_on_proves_it(site: Site) -> None:
    ada, bob = site.client("ada"), site.client("bob")
    batch = call(bob, "POST", "/v1/messages/inbox/take?limit=500").json()["batch"]
    call(bob, "POST", "/v1/messages/inbox/arrived", {"batches": [batch] if batch else []})
    with site.stream("bob") as live:
        _say(live, type="listen", limit=5)
        sent = call(ada, "POST", "/v1/messages", {"to": "bob", "text": "wake up", "requires_ack": True}).json()
        mail = _frame(live, "mail")
        assert mail["item"]["message"]["number"] == sent["number"]
        _say(live, type="more")
        _until(lambda: _state(ada, sent["number"]) == "delivered")
        _say(live, type="ack", message=f"m{sent['number']}")
        assert _frame(live, "acked")["state"] == "acknowledged"


def test_what_a_client_used_before_it_left_counts_and_what_it_was_not_sent_has_not_been_tried(site: Site) -> None:
    ada, bob = site.client("ada"), site.client("bob")
    batch = call(bob, "POST", "/v1/messages/inbox/take?limit=500").json()["batch"]
    call(bob, "POST", "/v1/messages/inbox/arrived", {"batches": [batch] if batch else []})
    sent = [call(ada, "POST", "/v1/messages", {"to": "bob", "text": "one of four"}).json()["number"] for _ in range(4)]
    seen = []
    for _ in range(2):
        with site.stream("bob") as live:
            _say(live, type="listen")
            for _ in range(2):
                item = _frame(live, "mail")["item"]
                seen.append((item["message"]["number"], item["attempts"]))
                _say(live, type="more")
            _until(lambda: _state(ada, seen[-1][0]) == "delivered")
    assert [number for number, _ in seen] == sent
    assert all(attempts <= 2 for _, attempts in seen), "what follows may have been on its way when the client left"


def test_wrong_frames_are_told_so_and_the_socket_goes_on(site: Site) -> None:
    with site.stream("bob") as live:
        for text in (
            '{"type":"dance"}',
            "{",
            '{"type":"subscribe","cursor":"nonsense"}',
            '{"type":"ack","message":"m99999"}',
        ):
            live.send(text)
            assert _frame(live, "error")["message"]
        _say(live, type="ping")
        assert _frame(live, "pong") == {"type": "pong"}


def test_a_frame_that_is_too_long_closes_the_socket(site: Site) -> None:
    with site.stream("bob") as live, pytest.raises(ConnectionClosed) as closed:
        live.send("x" * 70_000)
        while True:
            live.recv(timeout=GUARD_SECONDS)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_one_principal_has_eight_streams_and_not_nine(site: Site) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(site.stream("alice")).recv(timeout=GUARD_SECONDS)
        ninth = opened.enter_context(site.stream("alice"))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                ninth.recv(timeout=GUARD_SECONDS)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
        with site.client("alice").stream("GET", "/v1/events/stream") as refused:
            assert refused.status_code == 429


def test_the_event_stream_resumes_by_its_last_id(site: Site) -> None:
    alice = site.client("alice")
    lines = _Lines(site, "bob", "/v1/events/stream?kinds=message.sent")
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "first"})
    cursor, told_ = lines.event()
    assert told_["message"]["body"] == "first"
    lines.close()
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "second"})
    again = _Lines(site, "bob", "/v1/events/stream?kinds=message.sent", cursor)
    assert again.event()[1]["message"]["body"] == "second"
    again.close()
    assert site.client("bob").get("/v1/events/stream", params={"since": "nonsense"}).status_code == 400
    assert site.client("bob").get("/v1/events/stream", params={"colour": "red"}).status_code == 400


def test_who_leaves_before_the_first_event_comes_back_without_a_gap(site: Site) -> None:
    """A browser's EventSource remembers ids alone, also one without an event."""
    alice = site.client("alice")
    lines = _Lines(site, "bob", "/v1/events/stream?kinds=message.sent")
    begun = lines.id()
    lines.close()
    with site.stream("bob") as live:
        _say(live, type="subscribe", filter={"kinds": ["message.sent"]})
        cursor = _frame(live, "subscribed")["cursor"]
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "while nobody was there"})
    again = _Lines(site, "bob", "/v1/events/stream?kinds=message.sent", begun)
    assert again.event()[1]["message"]["body"] == "while nobody was there"
    again.close()
    with site.stream("bob") as live:
        _say(live, type="subscribe", cursor=cursor, filter={"kinds": ["message.sent"]})
        assert _event(live)["told"]["message"]["body"] == "while nobody was there"


def test_an_event_stream_says_why_it_cannot_go_on() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def serve() -> None:
        no_door: Any = None  # it is asked for tokens later than this stream ends
        connections = Connections(no_door, most=1)
        connected = connections.add(Entrant(session="s", agent="a", name="bob", kind="agent"))
        await EventStream(Cut(), connected, connections)({}, receive, send)
        assert not len(connections)

    asyncio.run(serve())
    text = b"".join(message.get("body", b"") for message in sent).decode()
    assert "event: error" in text and '"code":"ARCHIVED"' in text
    assert sent[-1]["more_body"] is False


def test_the_server_hangs_up_once_every_stream_has_said_why_it_ends() -> None:
    who = Entrant(session="s", agent="a", name="bob", kind="agent")
    told: list[bool] = []

    async def stop() -> None:
        no_door: Any = None  # it is asked for tokens later than this
        connections = Connections(no_door, most=3)
        one, _deaf = connections.add(who), connections.add(who)

        async def serve() -> None:
            await one.over.wait()
            await asyncio.sleep(0.05)
            told.append(isinstance(one.why, Stopping))
            connections.remove(one)

        serving = asyncio.create_task(serve())
        await connections.end(Stopping("the daemon stops", hint=""), seconds=0.3)
        assert told == [True]
        assert len(connections) == 1, "one that takes nothing holds nobody up"
        with pytest.raises(Stopping):
            connections.add(who)
        await serving

    asyncio.run(stop())


def test_a_socket_that_cannot_begin_leaves_nothing_running() -> None:
    class Closed:
        """A door that takes no cursor, and the socket of who gave it one."""

        def subscribe(self, entrant: Entrant, wanted: object, cursor: str | None) -> None:
            raise Archived("the events before 9 were cut", hint="begin anew", first=9)

        def hub(self, entrant: Entrant) -> None:
            """Nobody comes so far."""

        async def send_text(self, text: str) -> None:
            """Nobody listens."""

        async def receive(self) -> None:
            await asyncio.Event().wait()

    async def serve() -> None:
        closed: Any = Closed()
        connected = Connected(Entrant(session="s", agent="a", name="bob", kind="agent"))
        with pytest.raises(Archived):
            await Served(closed, closed, connected).run(Said(type="subscribe", cursor="1-1-00000000"))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(serve())


class Cut:
    """A place in a log of which retention cuts off the part that is to be read next."""

    cursor = "1-1-00000000"
    is_behind = True

    async def next(self, seconds: float) -> list[Told]:
        raise Archived("the events before 9 were cut", hint="begin anew", first=9)

    def close(self) -> None:
        """There is nothing to give up."""


def test_an_open_stream_leaves_what_its_agent_told_of_itself(site: Site) -> None:
    alice = site.client("alice")
    call(alice, "POST", "/v1/activity", {"state": "busy", "operation": "the build"})
    with site.stream("alice") as live:
        for _ in range(4):  # tokens of open streams are looked at about twice a second
            time.sleep(0.3)
            _ready(live)
        (activity,) = alice.get("/v1/activity", params={"agent": "alice"}).json()["items"]
    assert (activity["state"], activity["operation"]) == ("busy", "the build")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A daemon at a port of its own choice, which it keeps over a restart."""
    made = begin(tmp_path, SETTINGS.replace("port = 0", f"port = {_free_port()}"))
    yield made
    end(made)


def test_streams_go_on_without_a_gap_when_the_daemon_is_killed(own: Site) -> None:
    alice, seen = own.client("alice"), list[str]()
    cursor, sent = "", 0
    with own.stream("bob") as live:
        _say(live, type="subscribe", cursor="", filter={"kinds": ["message.sent"]})
        for sent in range(10):
            call(alice, "POST", "/v1/messages", {"to": "bob", "text": str(sent)})
        while len(seen) < 4:
            event = _event(live)
            seen.append(event["told"]["message"]["body"])
            cursor = event["cursor"]
        os.kill(own.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(own.pid), "the killed daemon is gone: until then it seems to run")
    reach.start(own.place)
    run = told(own.place)
    assert run is not None and run.port == own.port
    call(own.client("alice"), "POST", "/v1/messages", {"to": "bob", "text": str(sent + 1)})
    with own.stream("bob") as live:
        _say(live, type="subscribe", cursor=cursor, filter={"kinds": ["message.sent"]})
        while len(seen) < sent + 2:
            seen.append(_event(live)["told"]["message"]["body"])
    assert seen == [str(number) for number in range(sent + 2)]


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Site]:
    """A daemon that gives up no write, however long a busy machine needs until its reader is behind for too long."""
    made = begin(tmp_path, but="from roost.interfaces.http import sockets; sockets.SEND_SECONDS_MAX = 600.0")
    yield made
    end(made)


BATCHES = 12
"""17 MB of events: more than the kernel keeps for a connection that nobody reads from."""


def test_a_reader_that_does_not_read_is_cut_off_with_its_cursor_and_holds_up_nobody(patient: Site) -> None:
    own = patient
    alice = own.client("alice")
    with _narrow(own, "bob") as slow, own.stream("ada") as quick:
        for live in (slow, quick):
            _say(live, type="subscribe", filter={"kinds": ["message.sent"]})
            _ready(live)
        batch = {"messages": [{"to": ["bob"], "text": "x" * 2_000}] * 500}
        for _ in range(BATCHES):
            assert call(alice, "POST", "/v1/messages/batch", batch).status_code == 201
            for _ in range(500):
                _event(quick)  # who reads gets everything
        time.sleep(BEHIND_SECONDS_MAX + 1.0)
        last, seen = "", 0
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frame = json.loads(slow.recv(timeout=GUARD_SECONDS))
                seen += frame["type"] == "event"
                last = frame.get("cursor", last)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, last)
    with own.stream("bob") as again:
        _say(again, type="subscribe", filter={"kinds": ["message.sent"]}, cursor=last)
        for _ in range(500 * BATCHES - seen):
            _event(again)
        _say(again, type="ping")
        assert json.loads(again.recv(timeout=GUARD_SECONDS)) == {"type": "pong"}, (
            "where it was cut off it went on, to the end"
        )


class _Lines:
    """An event stream, read by hand."""

    def __init__(self, site: Site, who: str, path: str, last: str = "") -> None:
        self._end = socket.create_connection(("127.0.0.1", site.port), timeout=GUARD_SECONDS)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nAuthorization: Bearer {site.keys[who]}\r\n"
        head += f"Last-Event-ID: {last}\r\n" if last else ""
        self._end.sendall(head.encode() + b"\r\n")
        self._file = self._end.makefile("rb")
        while not self._file.readline().startswith(b": from"):
            continue

    def id(self) -> str:
        """Return the next id."""
        while line := self._file.readline():
            if line.startswith(b"id: "):
                return line[4:].decode().strip()
        raise EOFError("the stream ended")

    def event(self) -> tuple[str, Any]:
        """Return the next event: its id and its data."""
        cursor = ""
        while line := self._file.readline():
            if line.startswith(b"id: "):
                cursor = line[4:].decode().strip()
            if line.startswith(b"data: "):
                return cursor, json.loads(line[6:])
        raise EOFError("the stream ended")

    def close(self) -> None:
        self._file.close()
        self._end.close()


def _narrow(site: Site, who: str) -> ClientConnection:
    """Open the WebSocket with little room at this side for what is not read."""
    end_ = socket.socket()
    end_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    end_.connect(("127.0.0.1", site.port))
    url = f"ws://127.0.0.1:{site.port}/v1/stream"
    return ws(url, sock=end_, additional_headers=site.shows(who), max_queue=1, ping_interval=None)


def _say(live: ClientConnection, **frame: Any) -> None:
    live.send(json.dumps(frame))


def _ready(live: ClientConnection) -> None:
    """Return when what was said before is done: frames are taken in their order."""
    _say(live, type="ping")
    _frame(live, "pong")


def _frame(live: ClientConnection, kind: str) -> Any:
    while True:
        frame = json.loads(live.recv(timeout=GUARD_SECONDS))
        if frame["type"] == kind:
            return frame


def _event(live: ClientConnection, kind: str = "") -> Any:
    while True:
        frame = _frame(live, "event")
        if not kind or frame["told"]["event"]["kind"] == kind:
            return frame


def _state(client: Any, number: int) -> str:
    for item in client.get("/v1/messages/outbox").json()["items"]:
        if item["message"]["number"] == number:
            return str(item["deliveries"][0]["state"])
    return ""


def _until(holds: Any) -> None:
    deadline = time.monotonic() + GUARD_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def _free_port() -> int:
    with socket.socket() as end_:
        end_.bind(("127.0.0.1", 0))
        return int(end_.getsockname()[1])

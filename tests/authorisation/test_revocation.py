"""A token that is over is over on open connections too: each is looked at more than once a second."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from math import ceil
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from websockets.exceptions import ConnectionClosed

from roost.daemon import door, hubs
from roost.interfaces.http import streams
from roost.interfaces.mcp import listening
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import HELLO
from roost.tokens.model import NewToken

from .callers import VERSION, Credential, Wire, asked, by_http, by_mcp, pipe_of, socket_of, tell
from .stage import GUARD_SECONDS, LOCAL, Stage

HOUR = 3_600.0
End = Callable[[NewToken], object]


@pytest.fixture
def made(stage: Stage) -> NewToken:
    """A token that may do everything, of the person, so that all its streams count for one."""
    return stage.person.tokens.create(scopes=["send", "read", "lease", "admin"], expires_in=HOUR)


@pytest.fixture(params=["revoked", "rotated", "expired"])
def end(request: pytest.FixtureRequest, stage: Stage) -> End:
    """Each way in which a token ends."""
    ends: dict[str, End] = {
        "revoked": lambda made: stage.person.tokens.revoke(made.token.id),
        "rotated": lambda made: stage.person.tokens.rotate(made.token.id, overlap=0),
        "expired": lambda made: stage.clock.advance(HOUR),
    }
    return ends[request.param]


@pytest.fixture(autouse=True)
def fresh_count(stage: Stage) -> Iterator[None]:
    """Wrong tokens are counted by the minute, and each test shows some."""
    stage.clock.advance(61)
    yield


def test_t9_a_look_at_open_connections_comes_within_the_second() -> None:
    """T9: a good token is taken for good for a moment, and looked at so often that this ends in a second."""
    for look in (hubs.LOOK_SECONDS, streams.LOOK_SECONDS, listening.LOOK_SECONDS):
        assert ceil(door.KNOWN_SECONDS / look) * look < 1.0
    assert door.KNOWN_SECONDS < 1.0


def test_t9_a_websocket_is_closed(stage: Stage, made: NewToken, end: End) -> None:
    with socket_of(stage, Credential(token=made.key)) as live:
        assert json.loads(live.recv(timeout=GUARD_SECONDS))["type"] == "welcome"
        live.send('{"type":"subscribe"}')
        end(made)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frame = json.loads(live.recv(timeout=GUARD_SECONDS))
        assert (frame["type"], frame["code"]) == ("error", "UNAUTHENTICATED")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


def test_t9_an_event_stream_is_ended_with_a_word(stage: Stage, made: NewToken, end: End) -> None:
    url, headers = f"http://{LOCAL}:{stage.port}/v1/events/stream", Credential(token=made.key).header
    with stage.http.stream("GET", url, headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith(": from ")
        end(made)
        said = [line for line in lines if line]
    assert said[-2] == "event: error" and json.loads(said[-1].removeprefix("data: "))["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("is_far", [True, False], ids=["tls", "unix"])
def test_t9_a_native_connection_is_hung_up_on(stage: Stage, made: NewToken, end: End, *, is_far: bool) -> None:
    """Idle, with a stream and with a call that waits: none goes on."""
    stage.joined("victim").leases.acquire("resource:waited-for", ttl=HOUR * 10)
    with closing(Wire(stage, is_far=is_far)) as wire:
        assert wire.call(0, HELLO, Credential(token=made.key).hello()) == "done"
        wire.send(1, "history.follow", {})
        wire.send(2, "leases.wait", {"key": "resource:waited-for", "timeout": HOUR})
        assert wire.call(3, "agents.list", {}) == "done"
        end(made)
        for number in (1, 2):
            status, body = _last(wire, number)
            assert status == frames.ERROR and body["code"] == "UNAUTHENTICATED"
        with pytest.raises(EOFError):
            wire.answer(4)
    _until(lambda: [one.waiter for one in stage.system.leases.queue()] == [])


def test_t9_a_token_that_ends_while_a_call_waits_gets_nothing_of_it(stage: Stage, made: NewToken, end: End) -> None:
    """By HTTP: the wait is given up, and what was waited for goes to nobody."""
    victim = stage.joined("victim")
    victim.leases.acquire("resource:wanted", ttl=HOUR * 10)
    answers: list[str] = []
    body = {"key": "resource:wanted", "wait": 60.0}
    credential = Credential(token=made.key)
    asking = threading.Thread(target=lambda: answers.append(by_http(stage, credential, "POST", "/v1/leases", body)))
    asking.start()
    _until(lambda: [one.waiter for one in stage.system.leases.queue()] == ["ada"])
    end(made)
    asking.join(GUARD_SECONDS)
    assert answers == ["who are you"]
    _until(lambda: stage.system.leases.queue() == ())
    victim.leases.release("resource:wanted")
    assert stage.system.leases.who("resource:wanted") == ()


@pytest.mark.parametrize("is_far", [True, False], ids=["tls", "unix"])
def test_t9_an_mcp_pipe_ends(stage: Stage, made: NewToken, end: End, *, is_far: bool) -> None:
    with pipe_of(stage, Credential(token=made.key), is_far=is_far) as (greeted, lines):
        assert greeted == "done"
        client = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        tell(lines, asked("initialize", client))
        assert json.loads(lines.readline())["id"] == 7
        end(made)
        assert lines.readline() == b"", "the daemon hung up"


@pytest.mark.anyio
@pytest.mark.parametrize("wanted", [{"resource_subscriptions": ["roost://inbox"]}, {"tools_list_changed": True}])
async def test_t9_an_mcp_stream_ends(stage: Stage, made: NewToken, end: End, wanted: dict[str, Any]) -> None:
    url, headers = f"http://{LOCAL}:{stage.port}/mcp", {"authorization": f"Bearer {made.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=GUARD_SECONDS) as http,
        Client(streamable_http_client(url, http_client=http), mode="2026-07-28") as client,
        client.listen(**wanted) as told,
    ):
        end(made)
        assert [event async for event in told] == []
        with pytest.raises(MCPError), anyio.fail_after(GUARD_SECONDS):
            while True:  # by another request it was good a moment ago
                await client.call_tool("who", {})


def test_t9_a_request_on_a_connection_that_is_kept_open_is_refused(stage: Stage, made: NewToken, end: End) -> None:
    credential = Credential(token=made.key)
    tool = {"name": "who", "arguments": {}}
    assert by_http(stage, credential, "GET", "/v1/agents") == "done"
    assert by_mcp(stage, credential, "tools/call", tool) == "done"
    end(made)
    _until(lambda: by_http(stage, credential, "GET", "/v1/agents") == "who are you")
    assert by_mcp(stage, credential, "tools/call", tool) == "who are you"


def _last(wire: Wire, number: int) -> tuple[int, Any]:
    """Return the answer that ends a request; a stream's items come before it."""
    while True:
        status, body = wire.answer(number)
        if status != frames.ITEM:
            return status, body


def _until(holds: Callable[[], bool]) -> None:
    pause, deadline = threading.Event(), GUARD_SECONDS
    while not holds():
        assert deadline > 0
        pause.wait(0.02)
        deadline -= 0.02

"""No token, no answer: every route that the application has, taken from the application, so that none is forgotten."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from starlette.routing import Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as ws

from roost.errors import InvalidInput
from roost.interfaces.http.app import create_app
from roost.interfaces.wire.address import Address, trust
from roost.reach import at

from .callers import Credential, Wire, by_wire
from .stage import GUARD_SECONDS, LOCAL, Stage

HOUR = 3_600.0
OPEN = {"/healthz"}
"""What answers anybody."""


def routes() -> Iterator[tuple[str, str]]:
    """Yield the method and path of every route of the application; `WS` for a WebSocket."""
    app: Any = create_app(None, mcp=lambda scope, receive, send: None)  # type: ignore[arg-type]
    for route in app._app._others.routes:
        path = re.sub(r"{\w+}", "m1", route.path)
        assert isinstance(route, (Route, WebSocketRoute)), f"{route} is of a kind that nobody asks for its token"
        methods = {"WS"} if isinstance(route, WebSocketRoute) else route.methods or {"GET", "POST", "DELETE", "PUT"}
        yield from ((method, path) for method in sorted(methods))


ROUTES = list(routes())


@pytest.fixture(scope="module")
def wrong(stage: Stage) -> dict[str, str]:
    """What somebody may show who may not come in."""
    tokens = stage.person.tokens
    revoked, expired = tokens.create(), tokens.create(expires_in=HOUR)
    good = tokens.create(expires_in=100 * HOUR).key
    tokens.revoke(revoked.token.id)
    stage.clock.advance(HOUR)
    return {
        "nothing": "",
        "an empty token": "Bearer",
        "an unknown token": "Bearer rst_" + "A" * 43,
        "no token at all": "Bearer open sesame",
        "another scheme": f"Basic {good}",
        "a token without a scheme": good,
        "a good token and more": f"Bearer {good}x",
        "a revoked token": f"Bearer {revoked.key}",
        "an expired token": f"Bearer {expired.key}",
    }


def test_the_table_is_whole() -> None:
    paths = {path for _, path in ROUTES}
    assert paths >= {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/mcp", "/v1/messages", "/v1/stream"}
    assert paths >= {"/v1/events/stream", "/v1/tokens", "/v1/events/sse", "/v1/events/ws"} and len(ROUTES) > 80


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES])
def test_t2_who_shows_no_valid_token_gets_nothing(stage: Stage, wrong: dict[str, str], method: str, path: str) -> None:
    """T2: by the route table of the application; what is refused is told in one way."""
    stage.clock.advance(61)  # wrong tokens are counted by the minute
    for what, header in wrong.items():
        headers = {"Authorization": header} if header else {}
        if method == "WS":
            assert _refused_by_socket(stage, path, headers) == "UNAUTHENTICATED", what
            continue
        answer = _ask(stage, method, path, headers)
        if path in OPEN:
            assert answer.status_code == 200
            continue
        assert answer.status_code == 401, f"{what}: {answer.text}"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        if method != "HEAD":
            assert answer.json()["code"] == "UNAUTHENTICATED" and "roost" in answer.json()["hint"]


@pytest.fixture(scope="module")
def good(stage: Stage) -> dict[str, str]:
    """The header of a token that may do everything."""
    key = stage.person.tokens.create(scopes=["send", "read", "lease", "admin"], expires_in=1_000 * HOUR).key
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES])
def test_t1_t3_t5_a_page_of_another_site_reaches_no_route(
    stage: Stage, good: dict[str, str], method: str, path: str
) -> None:
    """T1, T3, T5: not by a name that was rebound, not from its origin, not by a form; with a good token neither."""
    local = f"{LOCAL}:{stage.port}"
    wrong = [(421, {"Host": "evil.example"}), (421, {"Host": f"evil.example:{stage.port}"})]
    wrong += [(403, {"Origin": origin}) for origin in ("null", "http://evil.example", f"http://{local}.evil.example")]
    if method in ("POST", "PATCH", "PUT", "DELETE"):
        wrong += [(415, {"Content-Type": "text/plain"}), (413, {"Content-Length": "99999999999"})]
    for status, headers in wrong:
        sent = {"Host": local, **good, **headers}
        assert _status(stage, method, path, sent) == status, headers


def test_t5_no_answer_lets_another_site_read_it(stage: Stage, good: dict[str, str]) -> None:
    for method, path in ROUTES:
        if method in ("GET", "HEAD") and "stream" not in path and "sse" not in path:
            answer = _ask(stage, method, path, {**good, "Origin": f"http://{LOCAL}:{stage.port}"})
            assert not any(name.lower().startswith("access-control") for name in answer.headers), path
            assert answer.headers["x-content-type-options"] == "nosniff" and "set-cookie" not in answer.headers
    asking = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert _ask(stage, "OPTIONS", "/v1/messages", asking).status_code == 403


@pytest.mark.parametrize("said", ['{"type":"hello"}', '{"type":"hello","token":"rst_x"}', '{"type":"ping"}', "{", ""])
def test_t3_a_socket_without_a_token_is_heard_once(stage: Stage, said: str) -> None:
    stage.clock.advance(61)
    with ws(f"ws://{LOCAL}:{stage.port}/v1/stream") as live:
        live.send(said)
        first = json.loads(live.recv(timeout=GUARD_SECONDS))
        assert (first["type"], first["code"]) == (
            "error",
            "UNAUTHENTICATED" if "hello" in said or "ping" in said else "INVALID",
        )
        with pytest.raises(ConnectionClosed) as closed:
            live.recv(timeout=GUARD_SECONDS)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


def test_a_browsers_token_comes_as_a_subprotocol_and_a_wrong_one_is_refused(stage: Stage) -> None:
    stage.clock.advance(61)
    good = stage.person.tokens.create().key
    for token, kind in ((good, "welcome"), ("rst_" + "B" * 43, "error")):
        offered = ["roost.v1", f"roost.token.{token}"]
        with ws(f"ws://{LOCAL}:{stage.port}/v1/stream", subprotocols=offered) as live:  # type: ignore[arg-type]
            assert live.subprotocol == "roost.v1", "the token is not said back"
            assert json.loads(live.recv(timeout=GUARD_SECONDS))["type"] == kind


def test_t10_a_token_in_a_url_is_refused_even_beside_a_good_one(stage: Stage) -> None:
    """T10: whoever puts one there learns so at once, before it is in some log."""
    good = stage.person.tokens.create().key
    headers = {"Authorization": f"Bearer {good}"}
    answer = stage.http.get(f"http://{LOCAL}:{stage.port}/v1/agents", params={"token": good}, headers=headers)
    assert answer.status_code == 400 and "logs" in answer.json()["message"] and good not in answer.text
    with pytest.raises(InvalidInput):
        at(f"roost+tls://{LOCAL}:{stage.tls_port}?token={good}")


def test_t28_the_native_doors_ask_who_is_there(stage: Stage, wrong: dict[str, str]) -> None:
    """T28: by TLS a token and nothing else; by the Unix socket a session's own key."""
    stage.clock.advance(61)
    stage.joined("builder")
    session, key = stage.keys["builder"]
    for header in wrong.values():
        token = header.removeprefix("Bearer ").removeprefix("Basic ")
        if not header.startswith(("Basic", "rst_")):
            assert by_wire(stage, Credential(token=token), "agents.list", {}, is_far=True) == "who are you"
    assert by_wire(stage, Credential(session=session, key=key), "agents.list", {}, is_far=True) == "who are you"
    assert by_wire(stage, Credential(session=session, key=key), "agents.list", {}, is_far=False) == "done"
    for claim in (
        Credential(session=session),
        Credential(session=session, key="0" * 64),
        Credential(session="x", key=key),
    ):
        assert by_wire(stage, claim, "agents.list", {}, is_far=False) == "who are you"


def test_nothing_is_answered_before_the_hello(stage: Stage) -> None:
    for is_far in (False, True):
        with closing(Wire(stage, is_far=is_far)) as wire:
            wire.send(1, "agents.list", {})
            status, body = wire.answer(1)
            assert status == 1 and body["code"] == "INVALID" and "hello" in body["message"]
            with pytest.raises(EOFError):
                wire.answer(2)


def test_the_tls_door_speaks_nothing_older_and_trusts_no_plain_text(stage: Stage) -> None:
    old = stage.trust
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection((LOCAL, stage.tls_port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname=LOCAL)
    with socket.create_connection((LOCAL, stage.tls_port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        trust(Address(host=LOCAL, port=stage.tls_port)).wrap_socket(plain, server_hostname=LOCAL)  # nobody vouches


def test_hooks_do_not_come_from_the_network(stage: Stage) -> None:
    with closing(Wire(stage, is_far=True)) as wire:
        wire.end.sendall(b"\x00\x00\x00\x05\xc1aaaa")
        status, body = wire.answer(0)
        assert status == 1 and body["code"] == "FORBIDDEN"


def test_refusals_are_in_the_log(stage: Stage) -> None:
    """Nobody at all, a wrong token and a missing scope: each is told, with whose and what."""
    start = stage.system.history.head().cursor
    stage.clock.advance(61)
    stage.door._told.clear()  # it tells the same once a minute of its own clock
    made = stage.person.tokens.create(scopes=["read"])
    _ask(stage, "GET", "/v1/agents", {})
    _ask(stage, "GET", "/v1/agents", {"Authorization": "Bearer rst_" + "C" * 43})
    body = {"Authorization": f"Bearer {made.key}"}
    assert _ask(stage, "POST", "/v1/messages", body, {"to": "builder", "text": "x"}).status_code == 403
    assert by_wire(stage, Credential(token=made.key), "leases.acquire", {"key": "x"}, is_far=True) == "no scope"
    stage.run(stage.core.writer.drained())
    told = stage.system.history.since(start, kinds=["token.refused", "token.denied"]).events
    assert [(one.kind, one.object) for one in told] == [("token.refused", LOCAL), ("token.denied", made.token.id)]
    assert told[1].data == {"verb": "messages.send", "scope": "send"}


def _ask(stage: Stage, method: str, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
    given = {"Content-Type": "application/json", **headers} if method in ("POST", "PUT", "PATCH") else headers
    content = json.dumps(body or {}) if method in ("POST", "PUT", "PATCH") else None
    url = f"http://{LOCAL}:{stage.port}{path}"
    return stage.http.request(method, url, headers=given, content=content)


def _status(stage: Stage, method: str, path: str, headers: dict[str, str]) -> int:
    """Send only the head of a request, with no header that is not named; return the status of the answer."""
    given = dict(headers)
    if method == "WS":
        method = "GET"
        given |= {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        given |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    with socket.create_connection((LOCAL, stage.port), timeout=GUARD_SECONDS) as end:
        end.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(end.recv(65_536).split(b" ", 2)[1])


def _refused_by_socket(stage: Stage, path: str, headers: dict[str, str]) -> str:
    with ws(f"ws://{LOCAL}:{stage.port}{path}", additional_headers=headers) as live:
        if not headers.get("Authorization", "").startswith("Bearer "):
            live.send('{"type":"hello"}')
        frame = json.loads(live.recv(timeout=GUARD_SECONDS))
        assert frame["type"] == "error"
        return str(frame["code"])

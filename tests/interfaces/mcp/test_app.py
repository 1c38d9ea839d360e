"""The app alone: who is let in, by which names it may be reached, and what a caller can do with a token."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from roost.connect import Project, connect
from roost.interfaces.mcp.app import BODY_BYTES_MAX

from .stage import TestDoor, app_of, connected, error_of, served

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
TOKEN = {"authorization": "Bearer token-bob"}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "who"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NOTIFIED = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / ".roost").mkdir(mode=0o700)
    opened = connect(tmp_path / ".roost")
    yield opened
    opened.close()


@contextlib.asynccontextmanager
async def knocking(project: Project) -> AsyncIterator[tuple[httpx2.AsyncClient, str, TestDoor]]:
    app, door = app_of(project)
    async with served(app) as url, httpx2.AsyncClient(trust_env=False, headers=HEADERS, timeout=60) as http:
        yield http, url, door


async def test_nobody_comes_in_without_a_good_token(project: Project) -> None:
    async with knocking(project) as (http, url, _):
        for given in ("", "Bearer", "Basic dG9rZW4=", "Bearer wrong", "Bearer\ttoken-bob"):
            headers = {"authorization": given} if given else {}
            for method in ("GET", "POST", "DELETE", "PUT", "OPTIONS"):
                answer = await http.request(method, url, headers=headers, json=PING)
                assert answer.status_code == 401, (method, given)
                assert answer.headers["www-authenticate"] == 'Bearer realm="roost"'
                assert answer.json()["code"] == "UNAUTHENTICATED"
        twice = [("authorization", "Bearer token-bob"), ("authorization", "Bearer token-ada"), *HEADERS.items()]
        assert (await http.post(url, headers=twice, json=PING)).status_code == 401


async def test_too_many_wrong_tokens_are_told_when_to_come_again(project: Project) -> None:
    async with knocking(project) as (http, url, door):
        door.refused_until = time.monotonic() + 60
        answer = await http.post(url, headers=TOKEN, json=PING)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "8")
        assert door.entered == ["127.0.0.1"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "127.0.0.1:80:80"],
)
async def test_no_other_host_is_served(project: Project, host: str) -> None:
    async with knocking(project) as (http, url, door):
        answer = await http.post(url, headers={**TOKEN, "host": host}, json=PING)
        assert answer.status_code in (400, 421)
        assert door.entered == []


@pytest.mark.parametrize("hosts", [[], [b"localhost", b"localhost"], [b"localhost", b"evil.example"]])
async def test_one_host_is_named_and_no_more(project: Project, hosts: list[bytes]) -> None:
    app, door = app_of(project)
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing more is read")

    scope = {"type": "http", "method": "POST", "headers": [(b"host", host) for host in hosts]}
    await app(scope, receive, send)
    assert told[0]["status"] == 421
    assert door.entered == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "file://",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#localhost",
        "localhost",
    ],
)
async def test_no_page_of_another_origin_calls(project: Project, origin: str) -> None:
    async with knocking(project) as (http, url, door):
        answer = await http.post(url, headers={**TOKEN, "origin": origin}, json=PING)
        assert answer.status_code == 403
        assert door.entered == []


async def test_local_names_and_origins_are_served(project: Project) -> None:
    async with knocking(project) as (http, url, _):
        port = httpx2.URL(url).port
        for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LocalHost"):
            answer = await http.post(url, headers={**TOKEN, "host": host, "origin": f"http://{host}"}, json=PING)
            assert answer.status_code == 200, host


async def test_only_json_is_posted_and_not_too_much(project: Project) -> None:
    async with knocking(project) as (http, url, _):
        assert (await http.get(url, headers=TOKEN)).status_code == 405
        assert (await http.delete(url, headers=TOKEN)).headers["allow"] == "POST"
        for kind in ("text/plain", ""):
            form = await http.post(url, headers={**TOKEN, "content-type": kind}, content=json.dumps(PING))
            assert (form.status_code, form.json()["code"]) == (415, "NOT_JSON")
        assert (await http.post(url, headers=TOKEN, content=b"x" * (BODY_BYTES_MAX + 1))).status_code == 413


@pytest.mark.parametrize("headers", [{}, MODERN])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"null",
        b"\xff\xfe\x00",
        b'{"jsonrpc":"2.0","id":1,"method":5}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"no/such","params":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":[1]}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":{"name":' + b"[" * 50_000,
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"who","arguments":{"name":'
        + (b"[" * 5_000 + b"]" * 5_000)
        + b"}}}",
        b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b',"method":"ping"}',
    ],
)
async def test_what_is_no_request_gets_a_numeric_error_and_no_crash(
    project: Project, headers: dict[str, str], body: bytes
) -> None:
    async with knocking(project) as (http, url, _):
        answer = await http.post(url, headers={**TOKEN, **headers}, content=body)
        assert answer.status_code < 500
        if answer.content:
            said = answer.json()
            assert isinstance(said["error"]["code"], int)
            assert "Traceback" not in answer.text
        again = await http.post(url, headers=TOKEN, json=PING)
        assert again.status_code == 200


async def test_what_is_no_single_message_is_said_to_be_none_and_never_passed_over(project: Project) -> None:
    """A request whose id is none must not pass for a notification, which nobody answers."""
    async with knocking(project) as (http, url, _):
        for body, code, number in (
            (b"{", -32700, None),
            (b"[]", -32600, None),
            (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
            (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 1),
            (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
            (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
            (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', -32600, 1),
            (json.dumps(called("who")).replace("{}", '{"name":"a","name":"b"}').encode(), -32600, 1),
        ):
            answer = await http.post(url, headers=TOKEN, content=body)
            said = answer.json()
            assert (answer.status_code, said["error"]["code"], said["id"]) == (400, code, number), (body, said)
            assert "pydantic" not in answer.text
        assert (await http.post(url, headers=TOKEN, content=NOTIFIED)).status_code == 202


async def test_a_refusal_has_the_shape_of_every_refusal_over_http(project: Project) -> None:
    async with knocking(project) as (http, url, _):
        for method, headers in (
            ("GET", TOKEN),
            ("POST", {}),
            ("POST", {**TOKEN, "host": "evil.example"}),
            ("POST", {**TOKEN, "origin": "null"}),
            ("POST", {**TOKEN, "content-type": "text/plain"}),
        ):
            refused = await http.request(method, url, headers=headers, content=json.dumps(PING))
            told = refused.json()
            assert set(told) == {"code", "message", "hint", "retryable", "request_id", "details"}, told
            assert refused.headers["x-request-id"] == told["request_id"]


async def test_each_request_is_its_own_tokens_whatever_came_before(project: Project) -> None:
    async with knocking(project) as (http, url, _):
        for name in ("ada", "bob", "ada"):
            headers = {"authorization": f"Bearer token-{name}"}
            answer = await http.post(url, headers=headers, json=called("who"))
            agents = answer.json()["result"]["structuredContent"]["agents"]
            assert [one["name"] for one in agents if one.get("you")] == [name]


async def test_a_token_that_may_only_send_reads_nothing(project: Project) -> None:
    async with knocking(project) as (_, url, _), connected(url, "token-bob-send", "legacy") as bob:
        project.joined("ada")
        sent = await bob.call_tool("send", {"to": "ada", "text": "hello"})
        assert sent.structured_content["to"] == [{"name": "ada", "state": "stored"}]
        for tool, arguments in (("inbox", {}), ("who", {}), ("search", {"words": "hello"})):
            refused = await bob.call_tool(tool, arguments)
            assert error_of(refused)["code"] == "FORBIDDEN"


async def test_an_agents_token_can_do_nothing_of_a_persons(project: Project) -> None:
    async with knocking(project) as (_, url, _), connected(url, "token-bob", "legacy") as bob:
        ada = project.joined("ada")
        ada.messages.send(to="ada", text="private")
        ada.leases.acquire("src/a.py")
        for tool in ("pause", "resume", "cancel", "redeliver", "revoke", "handover", "retire", "rename", "join"):
            with pytest.raises(Exception, match="there is no tool"):
                await bob.call_tool(tool, {"name": "ada"})
        for tool, arguments in (
            ("inbox", {"message": "m1"}),
            ("inbox", {"of": "ada"}),
            ("ack", {"messages": "m1"}),
            ("reply", {"message": "m1", "text": "x"}),
            ("lease", {"action": "revoke", "key": "src/a.py"}),
            ("lease", {"action": "release", "key": "src/a.py"}),
            ("send", {"to": "ada", "text": "x", "priority": "system"}),
        ):
            refused = await bob.call_tool(tool, arguments)
            assert refused.is_error, (tool, arguments)
        assert (await bob.call_tool("search", {"words": "private"})).structured_content["found"] == []
        assert ada.leases.list()[0].holder == "ada"


async def test_mail_that_is_held_back_is_counted_and_not_shown(project: Project) -> None:
    async with knocking(project) as (_, url, door), connected(url, "token-bob", "legacy") as bob:
        door.hub_of("bob")
        project.joined("ada").messages.send(to="bob", text="later")
        project.system().deliveries.pause("bob")
        project.joined("ada").messages.send(to="bob", text="much later")
        mail = (await bob.call_tool("inbox", {})).structured_content
        assert "ids" not in mail
        assert "later" not in mail["mail"].replace("their time", "")
        project.system().deliveries.resume("bob")
        assert (await bob.call_tool("inbox", {})).structured_content["ids"] == ["m1", "m2"]


def called(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}

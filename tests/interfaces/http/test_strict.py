"""What is asked wrongly is refused and never half understood: twice the same field, fields that there are not, bodies
that nobody reads, methods, paths and headers."""

from __future__ import annotations

import json
import socket

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError

from tests.daemon.served import GUARD_SECONDS

from .conftest import Site, call

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", '{"to": "ada", "to": "bob", "text": "x"}'),
        ("/v1/messages", '{"to": "bob", "text": "x", "metadata": {"a": 1, "a": 2}}'),
        ("/v1/messages", '{"to": "bob", "text": "x", "metadata": {"a": [{"b": 1, "\\u0062": 2}]}}'),
        ("/v1/messages/batch", '{"messages": [{"to": ["bob"], "text": "x", "text": "y"}]}'),
        ("/v1/events", '{"recipient_id": "bob", "payload": {"content": "x", "content": "y"}}'),
    ],
)
def test_a_field_that_stands_twice_is_refused_for_nobody_knows_which_was_meant(
    site: Site, path: str, body: str
) -> None:
    refused = site.client("alice").post(path, content=body, headers=JSON)
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_JSON"), refused.text
    assert "twice" in refused.json()["message"]


def test_a_message_of_a_batch_has_no_field_that_there_is_not(site: Site) -> None:
    draft = {"to": ["bob"], "text": "x", "requires_akc": True}
    refused = call(site.client("alice"), "POST", "/v1/messages/batch", {"messages": [draft]})
    assert refused.status_code == 422 and "requires_akc" in refused.text


def test_a_route_without_a_body_refuses_what_it_would_not_read(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    number = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "x"}).json()["number"]
    refused = call(bob, "POST", "/v1/messages/inbox/take", {"limit": 1, "acknowledge": f"m{number}"})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_JSON")
    assert call(bob, "POST", f"/v1/messages/m{number}/ack", {}).status_code == 200
    assert bob.post(f"/v1/messages/m{number}/ack").status_code == 200


def test_a_body_whose_fields_may_all_be_left_out_may_be_left_out_itself(site: Site) -> None:
    alice = site.client("alice")
    assert alice.post("/v1/agents/alice/heartbeat").status_code == 200
    assert alice.post("/v1/messages").status_code == 422
    assert alice.post("/v1/messages", content=b'{"to": "bob", "text": "x"}').status_code == 415


def test_a_method_that_a_path_has_not_is_told_all_that_it_has(site: Site) -> None:
    alice = site.client("alice")
    told = {
        "/v1/channels": "GET, HEAD, POST",
        "/v1/channels/all": "DELETE, GET, HEAD",
        "/v1/channels/all/subscribe": "DELETE, POST",
        "/v1/leases/7": "GET, HEAD",
        "/v1/events": "GET, HEAD, POST",
    }
    for path, allowed in told.items():
        assert alice.put(path, json={}).headers["allow"] == allowed, path


@pytest.mark.parametrize("path", ["/v1/messages/", "/v1/agents/me/", "/docs/", "/mcp/"])
def test_a_path_with_a_slash_behind_it_is_another_path(site: Site, path: str) -> None:
    answer = site.client("alice").get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/events/stream", "/v1/events/sse"])
def test_the_head_of_an_event_stream_ends(site: Site, path: str) -> None:
    head = (
        f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nConnection: close\r\n"
        f"Authorization: Bearer {site.keys['alice']}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=GUARD_SECONDS) as end:
        end.sendall(head.encode())
        answer = b""
        while part := end.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200") and b"text/event-stream" in answer.lower()


def test_whoever_has_any_version_is_told_only_that_it_is_there(site: Site) -> None:
    alice = site.client("alice")
    tag = alice.get("/v1/agents").headers["etag"]
    assert alice.get("/v1/agents", headers={"If-None-Match": "*"}).status_code == 304
    several = httpx.Headers([*alice.headers.raw, (b"if-none-match", b'"a"'), (b"if-none-match", tag.encode())])
    assert httpx.get(f"{alice.base_url}/v1/agents", headers=several, timeout=GUARD_SECONDS).status_code == 304
    assert alice.get("/v1/agents", headers={"If-None-Match": f'"{tag[1:-2]}x"'}).status_code == 200


def test_what_repomesh_clients_leave_out_they_may_say_null_for(site: Site) -> None:
    alice = site.client("alice")
    for path, body in (
        ("/v1/agents/alice/heartbeat", {"status": None, "current_task": None}),
        ("/v1/locks/acquire", {"resource_key": "file:null.py", "agent_id": None, "ttl": None}),
        ("/v1/events", {"type": None, "payload": {"content": "x"}, "recipient_id": "bob"}),
    ):
        answer = call(alice, "POST", path, body)
        assert answer.status_code in (200, 201), answer.text
    empty = call(alice, "POST", "/v1/events", {"type": "x", "payload": None, "recipient_id": "bob"})
    assert (empty.status_code, empty.json()["hint"]) == (400, "give payload.content")


def test_a_repomesh_client_may_write_its_own_name_as_it_likes(site: Site) -> None:
    alice = site.client("alice")
    registered = call(alice, "POST", "/v1/agents/register", {"name": "Alice", "type": "cli"})
    assert (registered.status_code, registered.json()["name"]) == (200, "alice")
    assert call(alice, "POST", "/v1/agents/ALICE/heartbeat", {"status": "active"}).status_code == 200
    lock = call(alice, "POST", "/v1/locks/acquire", {"resource_key": "own", "agent_id": "Alice"})
    assert lock.status_code == 200
    for other in ("bob", "Bob", "nobody"):
        assert call(alice, "POST", "/v1/agents/register", {"name": other}).status_code == 403


def test_a_filter_has_no_field_that_there_is_not(site: Site) -> None:
    with site.stream("alice") as socket:
        assert json.loads(socket.recv())["type"] == "welcome"
        socket.send('{"type": "subscribe", "filter": {"recipent": "bob"}}')
        refused = json.loads(socket.recv())
        assert refused["type"] == "error" and "recipent" in refused["message"]


def test_a_stream_is_asked_for_each_thing_once(site: Site) -> None:
    twice = site.client("alice").get("/v1/events/stream?kinds=lease&kinds=message")
    assert (twice.status_code, twice.json()["code"]) == (400, "INVALID")
    with site.stream("alice", "?kinds=lease&kinds=message") as socket:
        assert "twice" in json.loads(socket.recv())["message"]
        with pytest.raises(ConnectionClosedError):
            socket.recv()
    with site.stream("alice") as socket:
        assert json.loads(socket.recv())["type"] == "welcome"
        socket.send('{"type": "ping", "type": "ack", "message": "m1"}')
        assert "twice" in json.loads(socket.recv())["message"]


def test_the_document_says_where_a_body_may_be_left_out(site: Site) -> None:
    paths = site.client("alice").get("/openapi.json").json()["paths"]
    assert paths["/v1/messages"]["post"]["requestBody"]["required"] is True
    assert paths["/v1/agents/me"]["patch"]["requestBody"]["required"] is False
    assert site.client("alice").patch("/v1/agents/me").status_code == 200


def test_who_shows_two_tokens_shows_none(site: Site) -> None:
    url = f"http://127.0.0.1:{site.port}/v1/agents/me"
    shown = [("Authorization", f"Bearer {site.keys[name]}") for name in ("alice", "bob")]
    for given in (shown, [shown[0], ("X-RepoMesh-Token", site.keys["bob"])]):
        assert httpx.get(url, headers=given, timeout=GUARD_SECONDS).status_code == 401


def test_who_gives_two_idempotency_keys_sends_nothing(site: Site) -> None:
    keys = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    url, body = f"http://127.0.0.1:{site.port}/v1/messages", {"to": "bob", "text": "keyed by which?"}
    refused = httpx.post(url, json=body, headers=[*site.shows("alice").items(), *keys], timeout=GUARD_SECONDS)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID")
    assert body["text"] not in site.client("alice").get("/v1/messages/outbox").text


def test_a_body_that_is_compressed_on_its_way_is_refused_as_such(site: Site) -> None:
    answer = site.raw(
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {site.keys['alice']}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.1 415") and b"ENCODED_BODY" in answer

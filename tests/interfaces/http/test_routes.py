"""Every route answers what its verb says, in one shape, and refuses in one shape."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from roost.interfaces.http.answers import json_bytes
from roost.interfaces.http.openapi import document
from roost.interfaces.http.repomesh import COMPATIBLE
from roost.interfaces.http.table import ROUTES

from .conftest import Site, call


def test_a_message_goes_from_one_token_to_another_and_shows_how_far_it_got(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    sent = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "tests are red", "requires_ack": True}).json()
    assert sent["recipients"] == ["bob"] and sent["durability"] == "D2"
    looked = bob.get("/v1/messages/inbox").json()
    assert looked["items"][0]["message"]["body"] == "tests are red" and looked["items"][0]["state"] == "pending"
    taken = call(bob, "POST", "/v1/messages/inbox/take").json()
    assert taken["items"][-1]["state"] == "offered"
    assert call(bob, "POST", f"/v1/messages/m{sent['number']}/ack").json()["state"] == "acknowledged"
    kinds = [one["kind"] for one in alice.get(f"/v1/messages/m{sent['number']}/receipts").json()["items"]]
    assert kinds[0] == "offered" and kinds[-1] == "acknowledged"
    assert alice.get("/v1/messages/outbox").json()["items"][0]["deliveries"][0]["state"] == "acknowledged"


def test_a_reply_a_reaction_a_read_and_a_thread(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    first = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "which port?"}).json()
    ref = f"/v1/messages/m{first['number']}"
    assert call(bob, "POST", f"{ref}/read").json()["body"] == "which port?"
    assert call(bob, "POST", f"{ref}/react", {"value": "eyes"}).json()["items"][0]["value"] == "eyes"
    answer = call(bob, "POST", f"{ref}/reply", {"text": "8787"})
    assert answer.status_code == 201 and answer.json()["recipients"] == ["alice"]
    assert [one["body"] for one in alice.get(f"{ref}/thread").json()["items"]] == ["which port?", "8787"]
    assert alice.get("/v1/messages/search", params={"q": "which port"}).json()["items"]


def test_lists_are_paged_by_opaque_cursors(site: Site) -> None:
    alice = site.client("alice")
    for number in range(5):
        call(alice, "POST", "/v1/messages", {"to": "bob", "text": f"page {number}"})
    seen, cursor = [], ""
    while True:
        page = alice.get("/v1/messages/outbox", params={"limit": 2, "cursor": cursor}).json()
        seen += [one["message"]["number"] for one in page["items"]]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen)) >= 5
    refused = alice.get("/v1/messages/outbox", params={"cursor": "bm90aGluZw"})
    assert (refused.status_code, refused.json()["code"]) == (400, "BAD_CURSOR")
    other = alice.get("/v1/messages/inbox", params={"cursor": cursor})
    assert other.json()["code"] == "BAD_CURSOR"


def test_what_is_known_already_is_not_sent_again(site: Site) -> None:
    alice = site.client("alice")
    first = alice.get("/v1/agents")
    again = alice.get("/v1/agents", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    call(site.client("bob"), "PATCH", "/v1/agents/me", {"role": "tester"})
    assert alice.get("/v1/agents", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_a_call_with_a_key_may_be_repeated_and_says_one_thing(site: Site) -> None:
    alice, key = site.client("alice"), {"Idempotency-Key": "deploy-2026-11-21"}
    body = {"to": "bob", "text": "deployed"}
    first, again = (call(alice, "POST", "/v1/messages", body, **key).json() for _ in range(2))
    assert (again["id"], again["duplicate"]) == (first["id"], True)
    other = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "something else"}, **key)
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert call(alice, "POST", "/v1/messages", body, **{"Idempotency-Key": "x"}).status_code == 400


def test_a_batch_is_stored_all_or_none(site: Site) -> None:
    alice = site.client("alice")
    good, bad = {"to": ["bob"], "text": "one"}, {"to": ["nobody"], "text": "two"}
    assert call(alice, "POST", "/v1/messages/batch", {"messages": [good, good]}).status_code == 201
    before = alice.get("/v1/messages/outbox", params={"limit": 1}).json()["items"][0]["message"]["number"]
    assert call(alice, "POST", "/v1/messages/batch", {"messages": [good, bad]}).json()["code"] == "UNKNOWN_AGENT"
    after = alice.get("/v1/messages/outbox", params={"limit": 1}).json()["items"][0]["message"]["number"]
    assert after == before
    many = call(alice, "POST", "/v1/messages/batch", {"messages": [good] * 1_001})
    assert (many.status_code, many.json()["code"]) == (413, "BATCH_TOO_LARGE")


def test_channels_are_made_joined_spoken_in_left_and_closed(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    assert call(alice, "POST", "/v1/channels", {"name": "build", "topic": "the build"}).status_code == 201
    assert call(bob, "POST", "/v1/channels/build/subscribe").json()["joined"] is True
    said = call(alice, "POST", "/v1/channels/build/messages", {"text": "green"}).json()
    assert said["recipients"] == ["bob"] and said["channel"] == "build"
    assert bob.get("/v1/channels/build/messages").json()["items"][0]["body"] == "green"
    assert sorted(bob.get("/v1/channels/build").json()["members"]) == ["alice", "bob"]
    assert bob.delete("/v1/channels/build/subscribe").json()["joined"] is False
    assert alice.delete("/v1/channels/build").json()["closed_at"] is not None
    assert call(alice, "POST", "/v1/channels/build/messages", {"text": "x"}).status_code == 404


def test_a_lease_has_one_holder_and_a_token(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    lease = call(alice, "POST", "/v1/leases", {"key": "src/*.py", "ttl": 60}).json()
    refused = call(bob, "POST", "/v1/leases", {"key": "src/a.py"})
    assert (refused.status_code, refused.json()["code"]) == (409, "LEASE_HELD")
    assert bob.get(f"/v1/leases/{lease['token']}").json()["holder"] == "alice"
    assert call(alice, "POST", "/v1/leases/renew", {"key": "src/*.py", "token": lease["token"]}).status_code == 200
    stale = call(alice, "POST", "/v1/leases/renew", {"key": "src/*.py", "token": lease["token"] - 1})
    assert stale.status_code == 409
    assert call(alice, "POST", "/v1/leases/release", {"key": "src/*.py"}).json()["end"] == "released"
    waited = call(bob, "POST", "/v1/leases", {"key": "src/a.py", "wait": 5})
    assert waited.status_code == 201
    assert call(bob, "POST", "/v1/leases/release", {"key": "src/a.py"}).status_code == 200


def test_an_operation_runs_through_its_routes(site: Site) -> None:
    alice = site.client("alice")
    begun = call(alice, "POST", "/v1/operations", {"targets": ["bob"], "title": "onboarding"}).json()
    path = f"/v1/operations/{begun['id']}"
    assert call(alice, "POST", f"{path}/steps", {"text": "first"}).status_code == 201
    assert call(alice, "POST", f"{path}/seal").json()["state"] == "sealed"
    assert alice.get(path).json()["deliveries"] == 1
    assert call(alice, "POST", f"{path}/abort", {"reason": "enough"}).json()["state"] == "aborted"


def test_sessions_activity_status_and_metrics(site: Site) -> None:
    alice = site.client("alice")
    assert call(alice, "POST", "/v1/activity", {"state": "busy", "operation": "writing"}).json()["state"] == "busy"
    sessions = alice.get("/v1/sessions").json()["items"]
    assert sessions and not {"key_hash", "process", "transcript"} & set(sessions[0])
    assert alice.get(f"/v1/sessions/{sessions[0]['id']}").json()["id"] == sessions[0]["id"]
    assert {one["agent"] for one in alice.get("/v1/activity").json()["items"]} >= {"alice", "bob"}
    assert alice.get("/v1/status").json()["me"] == "alice"
    text = alice.get("/metrics").text
    for name in (
        "roost_queue_depth",
        "roost_deliveries",
        "roost_daemon_batch_size",
        "roost_briefings",
        "roost_compactions",
    ):
        assert name in text
    assert alice.get("/readyz").json()["ready"] is True


def test_events_are_read_behind_a_cursor_and_filtered(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    start = _end_of(alice)
    call(alice, "POST", "/v1/messages", {"to": "bob", "text": "for you", "type": "question"})
    call(bob, "POST", "/v1/messages", {"to": "alice", "text": "for me"})
    found = alice.get("/v1/events", params={"since": start, "recipient_id": "bob"}).json()
    assert [one["message"]["body"] for one in found["items"] if one["message"]] == ["for you"]
    typed = alice.get("/v1/events", params={"since": start, "type": "question"}).json()
    assert [one["message"]["body"] for one in typed["items"]] == ["for you"]
    assert alice.get("/v1/events", params={"since": found["cursor"]}).json()["items"] == []
    assert alice.get("/v1/events", params={"since": "9-9-99999999"}).status_code == 409
    assert alice.get("/v1/events", params={"since": "nonsense"}).status_code == 400


def test_what_two_others_say_to_each_other_is_not_shown(site: Site) -> None:
    ada, bob = site.client("ada"), site.client("bob")
    alice = site.client("alice")
    start = _end_of(bob)
    sent = call(alice, "POST", "/v1/messages", {"to": "ada", "text": "between us"}).json()
    assert bob.get(f"/v1/messages/m{sent['number']}").status_code == 404
    told = bob.get("/v1/events", params={"since": start}).json()["items"]
    assert all(one["message"] is None for one in told if one["event"]["kind"] == "message.sent")
    assert ada.get(f"/v1/messages/m{sent['number']}").status_code == 200


def test_tokens_are_made_rotated_and_revoked_by_people(site: Site) -> None:
    ada = site.client("ada")
    made = call(ada, "POST", "/v1/tokens", {"name": "bob", "scopes": ["read"], "label": "ci"}).json()
    site.keys["made"] = made["key"]
    assert site.client("made").get("/v1/agents/me").json()["name"] == "bob"
    rotated = call(ada, "POST", f"/v1/tokens/{made['token']['id']}/rotate", {"overlap": 0}).json()
    site.keys["rotated"] = rotated["key"]
    assert site.client("rotated").get("/v1/agents/me").status_code == 200
    assert ada.delete(f"/v1/tokens/{rotated['token']['id']}").json()["revoked_at"] is not None
    listed = ada.get("/v1/tokens").json()["items"]
    assert {"key", "hash"}.isdisjoint(listed[0])


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("read", "POST", "/v1/messages", {"to": "alice", "text": "x"}),
        ("read", "POST", "/v1/leases", {"key": "a"}),
        ("send", "GET", "/v1/agents", None),
        ("send", "POST", "/v1/leases", {"key": "a"}),
        ("lease", "POST", "/v1/messages", {"to": "alice", "text": "x"}),
        ("read", "GET", "/v1/tokens", None),
        ("send", "POST", "/v1/tokens", {"name": "bob"}),
    ],
)
def test_a_token_does_only_what_its_scopes_say(site: Site, scope: str, method: str, path: str, body: Any) -> None:
    refused = call(site.client(f"{scope} only"), method, path, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")


def test_a_key_that_cannot_be_honoured_is_refused_and_nothing_is_made(site: Site) -> None:
    alice, key = site.client("alice"), {"Idempotency-Key": "build-4711"}
    before = alice.get("/v1/messages/outbox").json()
    batch = call(alice, "POST", "/v1/messages/batch", {"messages": [{"to": ["bob"], "text": "once"}]}, **key)
    operation = call(alice, "POST", "/v1/operations", {"targets": ["bob"]}, **key)
    assert (batch.status_code, operation.status_code) == (400, 400)
    assert alice.get("/v1/messages/outbox").json() == before and not alice.get("/v1/operations").json()["items"]
    assert call(alice, "POST", "/v1/activity", {"state": "idle"}, **key).status_code == 200, "it may be repeated anyway"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/v1/agents", 200),
        ("GET", "/v1/%61gents", 200),
        ("PUT", "/v1/messages", 405),
        ("POST", "/v1/status", 405),
        ("GET", "/v1/message", 404),
        ("GET", "/V1/agents", 404),
        ("POST", "/v1/messages", 422),
    ],
)
def test_a_path_without_parameters_is_found_as_any_other_is(site: Site, method: str, path: str, status: int) -> None:
    found = site.client("alice").request(method, path)
    assert found.status_code == status, found.text
    assert found.headers["x-request-id"] and found.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert found.headers["allow"] and found.json()["code"] == "METHOD_NOT_ALLOWED"


NULLS = {"agent_id": None, "channel": None, "parent_message_id": None, "repo_id": None, "task_id": None}
"""What a client of RepoMesh says of an event that has none of these."""


def test_repomesh_clients_find_their_paths(site: Site) -> None:
    mesh = site.client(**{"x-repomesh-token": site.keys["alice"]})
    me = call(mesh, "POST", "/v1/agents/register", {"name": "alice", "type": "cli", "capabilities": ["python"]}).json()
    assert me["name"] == "alice" and me["capabilities"] == ["python"]
    assert call(mesh, "POST", "/v1/agents/register", {"name": "bob"}).status_code == 403
    assert call(mesh, "POST", f"/v1/agents/{me['id']}/heartbeat", {"status": "active"}).json()["state"] == "busy"
    idle = call(mesh, "POST", f"/v1/agents/{me['id']}/heartbeat", {"status": "idle", "current_task": None}).json()
    assert idle["state"] == "idle"
    lock = call(mesh, "POST", "/v1/locks/acquire", {"resource_key": "db", "agent_id": me["id"], "ttl": 60}).json()
    assert call(site.client("bob"), "POST", "/v1/locks/acquire", {"resource_key": "db"}).status_code == 409
    assert call(mesh, "POST", f"/v1/locks/{lock['id']}/renew", {}).json()["state"] == "active"
    again = call(mesh, "POST", "/v1/locks/acquire", {"resource_key": "db", "ttl": 60}).json()
    assert again["id"] == lock["id"], "its owner renews a lock by acquiring it again"
    assert call(mesh, "POST", f"/v1/locks/{lock['id']}/release", {}).json()["state"] == "released"
    said = call(
        mesh, "POST", "/v1/events", {"recipient_id": "bob", "payload": {"content": "milestone"}, **NULLS}
    ).json()
    assert said["recipients"] == ["bob"]
    assert mesh.get(f"/v1/events/thread/{said['id']}").json()["items"][0]["type"] == "message"  # an alias of it
    assert (
        call(mesh, "POST", "/v1/events", {"agent_id": "bob", "channel": "all", "payload": {"text": "x"}}).status_code
        == 403
    )


def test_a_repomesh_event_that_names_nobody_is_said_in_the_channel_default(site: Site) -> None:
    alice, bob = site.client("alice"), site.client("bob")
    assert alice.get("/v1/channels/default").status_code == 404
    event = {"type": "plan.update", "payload": {"content": "half done", "progress": 50}, **NULLS}
    first = call(alice, "POST", "/v1/events", event)
    assert (first.status_code, first.json()["channel"]) == (201, "default")
    assert alice.get("/v1/channels/default").json()["members"] == ["alice"]
    call(bob, "POST", "/v1/channels/default/subscribe")
    second = call(alice, "POST", "/v1/events", {"channel": "default", "payload": {"step": 2}}).json()
    assert second["recipients"] == ["bob"]
    third = call(bob, "POST", "/v1/events", {"payload": {"content": "and I", "channel": "default"}}).json()
    assert third["recipients"] == ["alice"]
    said = bob.get("/v1/channels/default/messages").json()["items"]
    assert [(one["body"], one["metadata"]) for one in said] == [
        ("half done", {"progress": 50}), ('{"step":2}', {}), ("and I", {}),
    ]  # fmt: skip
    since = call(alice, "GET", "/v1/events?channel=default&type=message.sent").json()["items"]
    assert [one["message"]["number"] for one in since] == [said[0]["number"], said[1]["number"], said[2]["number"]]
    assert call(alice, "POST", "/v1/events", {"type": "chat.message"}).status_code == 400
    assert call(alice, "DELETE", "/v1/channels/default").json()["closed_at"] is not None
    assert call(alice, "POST", "/v1/events", {"payload": {"content": "anybody?"}}).json()["code"] == "UNKNOWN_CHANNEL"


def test_a_repomesh_event_goes_to_whom_it_names_in_the_thread_that_it_names(site: Site) -> None:
    alice, bob, ada = site.client("alice"), site.client("bob"), site.client("ada")
    asked = call(alice, "POST", "/v1/messages", {"to": "bob", "text": "ready?", "requires_ack": True}).json()
    parent = {"parent_message_id": asked["id"]}
    other = call(bob, "POST", "/v1/events", {"recipient_id": "ada", "payload": {"text": "is it?"}, **parent}).json()
    assert (other["recipients"], other["thread"]) == (["ada"], asked["thread"])
    answer = {"payload": {"message": "yes", "to": "alice", "reply_to": asked["id"]}, "type": "chat.message"}
    assert call(bob, "POST", "/v1/events", answer).json()["recipients"] == ["alice"]
    shown = alice.get("/v1/messages/outbox", params={"limit": 1}).json()["items"][0]
    assert shown["deliveries"][0]["state"] == "acknowledged"
    blocker = call(alice, "POST", "/v1/events", {"type": "blocker", "recipient_id": "ada", "payload": {"text": "x"}})
    assert ada.get(f"/v1/messages/m{blocker.json()['number']}").json()["severity"] == "high"
    wrong = {"recipient_id": "ada", "payload": {"text": "x", "channel": 7}}
    assert call(alice, "POST", "/v1/events", wrong).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/messages", {"to": "bob"}, 422),
        ("POST", "/v1/messages", {"to": "bob", "text": "x", "unknown": 1}, 422),
        ("POST", "/v1/messages", {"to": "bob", "text": "x", "priority": 300}, 422),
        ("POST", "/v1/messages", {"to": "bob", "text": "x", "expires_in": 0}, 422),
        ("POST", "/v1/messages", {"to": "nobody", "text": "x"}, 404),
        ("POST", "/v1/messages", {"to": "bob", "text": "x" * 1_100_000}, 413),
        ("POST", "/v1/messages", {"to": "bob", "text": "x", "metadata": {"a": {"b": [1e400]}}}, 400),
        ("GET", "/v1/messages/inbox?limit=0", None, 400),
        ("GET", "/v1/messages/inbox?limit=501", None, 400),
        ("GET", "/v1/messages/inbox?wrong=1", None, 400),
        ("GET", "/v1/messages/inbox?limit=1&limit=2", None, 400),
        ("GET", "/v1/messages/inbox?token=rst_x", None, 400),
        ("GET", "/v1/messages/m999999", None, 404),
        ("GET", "/v1/agents/nobody", None, 404),
        ("GET", "/v1/channels/nothing", None, 404),
        ("GET", "/v1/leases/12", None, 404),
        ("GET", "/v1/nothing", None, 404),
        ("PUT", "/v1/messages", {"to": "bob", "text": "x"}, 405),
        ("DELETE", "/v1/agents/bob", None, 405),
    ],
)
def test_bad_input_gets_one_shape_and_says_what_to_do(
    site: Site, method: str, path: str, body: Any, status: int
) -> None:
    refused = call(site.client("alice"), method, path, body)
    assert refused.status_code == status, refused.text
    told = refused.json()
    assert set(told) == {"code", "message", "hint", "retryable", "request_id", "details"}
    assert refused.headers["x-request-id"] == told["request_id"] and told["message"]


def test_a_path_and_a_method_that_there_are_not_are_told_apart(site: Site) -> None:
    alice = site.client("alice")
    nowhere, wrongly = alice.get("/v1/nothing").json(), alice.put("/v1/messages", json={}).json()
    assert (nowhere["code"], nowhere["message"]) == ("NOT_FOUND", "there is no such route")
    assert (wrongly["code"], wrongly["message"]) == ("METHOD_NOT_ALLOWED", "this route does not take PUT")


def test_every_route_is_in_the_openapi_document_with_its_errors(site: Site) -> None:
    told = site.client("alice").get("/openapi.json").json()
    assert told == json.loads(json_bytes(document())) and told["openapi"].startswith("3.1")
    for route in (*ROUTES, *COMPATIBLE):
        operation = told["paths"][route.path][route.method.lower()]
        assert {"400", "401", "403", "404", "422", "429", "503"} <= set(operation["responses"])


def test_the_page_of_the_routes_shows_what_each_takes_and_answers(site: Site) -> None:
    page = site.client("alice").get("/docs").text
    send = page[page.index("<code>/v1/messages</code>") :]
    send = send[: send.index("</details>")]
    assert "<code>to</code> *<td>body<td>string or array of string" in send
    assert "<code>priority</code><td>body<td>integer or string<td>default &quot;normal&quot;" in send
    assert "Answers 201: <code>Sent</code>" in send and "<code>duplicate</code><td><td>boolean" in send
    assert "array of Told</code> in <code>items</code>" in page and "<script" not in page


def _end_of(client: httpx.Client) -> str:
    cursor = ""
    while True:
        page = client.get("/v1/events", params={"since": cursor, "limit": 500}).json()
        cursor = str(page["cursor"])
        if not page["more"]:
            return cursor

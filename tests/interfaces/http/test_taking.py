"""Mail that a program takes is delivered once the program names the answer that brought it, and not before."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection

from tests.daemon.served import GUARD_SECONDS

from .conftest import Site, begin, call, end


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = begin(tmp_path_factory.mktemp("site"))
    yield made
    end(made)


def send(site: Site, text: str) -> str:
    sent = call(site.client("alice"), "POST", "/v1/messages", {"to": "bob", "text": text})
    return f"m{sent.json()['number']}"


def take(bob: httpx.Client, arrived: str = "", **more: Any) -> dict[str, Any]:
    found = bob.post("/v1/messages/inbox/take", params={"arrived": arrived, **more})
    assert found.status_code == 200, found.text
    page: dict[str, Any] = found.json()
    return page


def shown(page: dict[str, Any]) -> list[tuple[str, int]]:
    """Return what a page shows, each with the number of times that it was offered."""
    return [(item["message"]["body"], item["attempts"]) for item in page["items"]]


def proofs(site: Site, message: str) -> list[str]:
    found = site.client("alice").get(f"/v1/messages/{message}/receipts").json()["items"]
    return [f"{one['kind']}: {one['proof']}".rstrip(": ") for one in found]


def hang_up_unread(site: Site) -> None:
    """Take bob's mail and reset the connection before its answer was read."""
    with socket.create_connection(("127.0.0.1", site.port)) as end:
        head = f"Host: 127.0.0.1:{site.port}\r\nAuthorization: Bearer {site.keys['bob']}\r\n\r\n"
        end.sendall(b"POST /v1/messages/inbox/take HTTP/1.1\r\n" + head.encode())
        end.recv(1)  # it was answered
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_mail_whose_answer_was_lost_comes_again_with_the_next_call(site: Site) -> None:
    message = send(site, "important")
    hang_up_unread(site)
    again = take(site.client("bob"))
    assert shown(again) == [("important", 2)]
    assert not any(proof.startswith("delivered") for proof in proofs(site, message))


def test_mail_whose_answer_is_named_is_delivered_and_does_not_come_again(site: Site) -> None:
    message, bob = send(site, "important"), site.client("bob")
    page = take(bob)
    assert shown(page) == [("important", 1)]
    assert shown(take(bob, page["batch"])) == []
    assert proofs(site, message) == ["offered", "delivered: its program named the answer that brought it"]
    assert shown(take(bob)) == []


def test_a_call_that_is_repeated_because_its_answer_was_lost_gets_what_that_brought(site: Site) -> None:
    send(site, "one")
    bob = site.client("bob")
    first = take(bob)["batch"]
    send(site, "two")
    take(bob, first)  # its answer is lost, so the same is asked again
    assert shown(take(bob, first)) == [("two", 2)]


def test_an_answer_that_is_named_late_arrived_all_the_same(site: Site) -> None:
    message, bob = send(site, "important"), site.client("bob")
    slow = take(bob)["batch"]
    assert shown(take(bob)) == [("important", 2)]  # another thread of the same program
    assert shown(take(bob, slow)) == []
    assert proofs(site, message)[-1] == "delivered: its program named the answer that brought it"


def test_a_program_may_say_that_mail_arrived_and_take_no_more(site: Site) -> None:
    first = send(site, "one")
    bob = site.client("bob")
    page = take(bob, limit=1)
    send(site, "two")
    said = call(bob, "POST", "/v1/messages/inbox/arrived", {"batches": [page["batch"]]}).json()["items"]
    assert [(one["number"], one["state"]) for one in said] == [(int(first[1:]), "delivered")]
    again = call(bob, "POST", "/v1/messages/inbox/arrived", {"batches": [page["batch"]]})
    assert (again.status_code, again.json()["items"]) == (200, [])
    assert shown(take(bob)) == [("two", 1)]


def test_what_is_no_batch_of_ones_own_proves_nothing(site: Site) -> None:
    message, bob = send(site, "important"), site.client("bob")
    batch = take(bob)["batch"]
    alice = site.client("alice")
    assert call(alice, "POST", "/v1/messages/inbox/arrived", {"batches": [batch]}).json()["items"] == []
    assert shown(take(bob, "00000000")) == [("important", 2)]
    for wrong in ("short", "00000000,", "0000000'", "é" * 8, "0" * 9, ",".join(["00000000"] * 101)):
        refused = bob.post("/v1/messages/inbox/take", params={"arrived": wrong})
        assert refused.status_code in (400, 422), wrong
    assert not any(proof.startswith("delivered") for proof in proofs(site, message))


def test_mail_that_nobody_ever_names_is_dead_after_eight_offers(site: Site) -> None:
    message = send(site, "unread")
    bob = site.client("bob")
    for attempt in range(1, 9):
        assert shown(take(bob)) == [("unread", attempt)]
    assert shown(take(bob)) == []
    (dead,) = bob.get("/v1/messages/inbox", params={"state": "dead"}).json()["items"]
    assert dead["message"]["body"] == "unread"
    assert proofs(site, message)[-1].startswith("failed: dead: offered 8 times without proof")


def test_mail_of_a_socket_that_broke_comes_again_over_the_next_one(site: Site) -> None:
    message = send(site, "important")
    with site.stream("bob") as lost:
        listen(lost)
        assert heard(lost) == ("important", 1)
    with site.stream("bob") as live:
        listen(live)
        assert heard(live) == ("important", 2)
        live.send(json.dumps({"type": "more"}))
        send(site, "and this")
        assert heard(live) == ("and this", 1)
    assert proofs(site, message)[-1] == "delivered: its program named the answer that brought it"


def listen(socket: ClientConnection) -> None:
    socket.send(json.dumps({"type": "listen"}))


def heard(socket: ClientConnection) -> tuple[str, int]:
    """Return the next mail, and the number of times that it was offered."""
    while (frame := json.loads(socket.recv(GUARD_SECONDS)))["type"] != "mail":
        continue
    return frame["item"]["message"]["body"], frame["item"]["attempts"]

"""A cursor that a client made up moves its own place in a list or in the log, and shows and breaks nothing."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import httpx
import pytest

from roost.interfaces.http.cursors import cursor
from roost.interfaces.http.table import ROUTES
from tests.daemon.served import GUARD_SECONDS

from .conftest import Site, call

LISTS = {
    "/v1/messages/inbox": "inbox",
    "/v1/messages/outbox": "outbox",
    "/v1/messages/search": "search secret",
    "/v1/messages/{id}/receipts": "receipts",
    "/v1/messages/{id}/thread": "thread",
    "/v1/agents": "agents",
    "/v1/sessions": "sessions",
    "/v1/activity": "activity",
    "/v1/channels": "channels",
    "/v1/channels/{name}/messages": "channel all",
    "/v1/leases": "leases",
    "/v1/operations": "operations",
    "/v1/tokens": "tokens",
}
"""The routes that take a cursor of their own, and what their cursors are made for."""
PLACES: tuple[Any, ...] = (
    0, -1, 1, 7, 500, 2**31, 2**62, 2**63, 2**64, 10**30, -(2**63), -(10**30),
    "", "~", "\x00", "'; DROP TABLE message; --", "é\U0001f600", "z" * 90, "0000000000000000 0",
)  # fmt: skip
GARBAGE = (
    "x", "====", "%00", "bm90aGluZw", "W10", "bnVsbA", "W251bGwsbnVsbF0", "WzEsMl0", "a" * 400, "é", "1-1-00000000",
    "1-7fffffffffffffff-00000000", "1-ffffffffffffffffffffffff-00000000", "0-0-", "-1--1-0", "999999-1-73f59729", "1-1",
    "1-\u0661-73f59729", "1-g-00000000", "1--", "--", "\u0661-1-00000000",
)  # fmt: skip


@pytest.fixture(scope="module")
def mailed(site: Site) -> Site:
    """A site in which alice and ada keep a secret from bob."""
    call(site.client("alice"), "POST", "/v1/messages", {"to": "ada", "text": "secret of two"})
    call(site.client("alice"), "POST", "/v1/messages", {"to": "bob", "text": "for bob, no secret"})
    call(site.client("alice"), "POST", "/v1/messages", {"to": "all", "text": "for all"})
    return site


def asked(client: httpx.Client, path: str, given: str) -> httpx.Response:
    full = path.replace("{id}", "m2").replace("{name}", "all")
    more = {"q": "secret"} if path.endswith("search") else {}
    return client.get(full, params={"cursor": given, **more})


def test_every_list_with_a_cursor_stands_here() -> None:
    paged = {route.path for route in ROUTES if "cursor" in route.query.__struct_fields__}
    assert paged == set(LISTS)


@pytest.mark.parametrize("path", LISTS)
def test_a_forged_cursor_shows_no_more_than_its_list(mailed: Site, path: str) -> None:
    bob = mailed.client("bob")
    whole = asked(bob, path, "")
    known = {json.dumps(item, sort_keys=True) for item in whole.json().get("items", ())}
    for place in PLACES:
        found = asked(bob, path, cursor(LISTS[path], place))
        assert found.status_code in (200, 400, 403), (place, found.text)
        assert "secret of two" not in found.text
        if path not in ("/v1/activity", "/v1/sessions"):  # which count seconds
            assert {json.dumps(item, sort_keys=True) for item in found.json().get("items", ())} <= known, place


@pytest.mark.parametrize("path", LISTS)
def test_garbage_is_refused_as_a_cursor_and_nothing_breaks(mailed: Site, path: str) -> None:
    bob = mailed.client("bob")
    forged = [urlsafe_b64encode(text.encode()).decode() for text in ('[1,"00000000"]', "[1e400,null]", "[[],{}]")]
    for given in (*GARBAGE, *forged):
        found = asked(bob, path, given)
        assert found.status_code in (400, 403) or found.json()["items"] == [], (given, found.text)
        if found.status_code == 400:
            assert found.json()["code"] == "BAD_CURSOR", given


@pytest.mark.parametrize("given", GARBAGE)
def test_no_made_up_cursor_of_the_log_opens_it(mailed: Site, given: str) -> None:
    bob = mailed.client("bob")
    listed = bob.get("/v1/events", params={"since": given})
    assert listed.status_code in (400, 409), listed.text
    streamed = bob.get("/v1/events/stream", params={"since": given})
    assert (streamed.status_code, streamed.json()["code"]) == (listed.status_code, listed.json()["code"])
    resumed = bob.get("/v1/events/stream", headers={"Last-Event-ID": given.encode()})  # type: ignore[arg-type]
    assert resumed.status_code in (400, 409), resumed.text
    with mailed.stream("bob") as live:
        live.send(json.dumps({"type": "subscribe", "cursor": given}))
        frames = [json.loads(live.recv(GUARD_SECONDS)) for _ in range(2)]
        assert [frame["type"] for frame in frames] == ["welcome", "error"]
        assert frames[1]["code"] == listed.json()["code"]
        live.send(json.dumps({"type": "ping"}))
        assert json.loads(live.recv(GUARD_SECONDS))["type"] == "pong"


def test_a_place_in_the_log_that_others_were_given_shows_what_the_reader_may_read(mailed: Site) -> None:
    ada = mailed.client("ada").get("/v1/events", params={"limit": 500}).json()
    bob = mailed.client("bob").get("/v1/events", params={"since": "", "limit": 500}).json()
    assert "secret of two" in json.dumps(ada) and "secret of two" not in json.dumps(bob)
    for told in ada["items"]:
        page = mailed.client("bob").get("/v1/events", params={"since": told["event"]["cursor"], "limit": 500})
        assert page.status_code == 200 and "secret of two" not in page.text

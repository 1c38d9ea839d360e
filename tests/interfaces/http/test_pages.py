"""Every list is paged: each thing once, in one order, by cursors that fit no other list."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from roost.interfaces.http.repomesh import COMPATIBLE
from roost.interfaces.http.table import ROUTES

from .conftest import Site, call


@pytest.fixture(scope="module")
def full(site: Site) -> dict[str, Any]:
    """Put some of everything into the project; return what stands for the names in paths."""
    ada, alice = site.client("ada"), site.client("alice")
    for number in range(7):
        call(ada, "POST", "/v1/channels", {"name": f"page-{number}"})
        call(ada, "POST", "/v1/leases", {"key": f"page/{number}"})
    first = call(ada, "POST", "/v1/messages", {"to": "all", "text": "the first page"}).json()
    ref = f"m{first['number']}"
    for who in ("alice", "bob"):
        call(site.client(who), "POST", f"/v1/messages/{ref}/read")
    for number in range(6):
        call(alice, "POST", f"/v1/messages/{ref}/reply", {"text": f"page {number}"})
        call(ada, "POST", "/v1/channels/page-0/messages", {"text": f"page {number}"})
        begun = call(ada, "POST", "/v1/operations", {"targets": ["bob"], "title": f"page {number}"}).json()
        call(ada, "POST", f"/v1/operations/{begun['id']}/abort")
    return {"{id}": ref, "{name}": "page-0"}


LISTS = {
    "/v1/agents": {},
    "/v1/sessions": {},
    "/v1/activity": {},
    "/v1/channels": {},
    "/v1/channels/{name}/messages": {},
    "/v1/leases": {},
    "/v1/operations": {"ended": "true"},
    "/v1/tokens": {},
    "/v1/events": {},
    "/v1/events/thread/{id}": {},
    "/v1/messages/inbox": {"state": "held,pending,offered,delivered,acknowledged"},
    "/v1/messages/outbox": {},
    "/v1/messages/search": {"q": "page"},
    "/v1/messages/{id}/receipts": {},
    "/v1/messages/{id}/thread": {},
}


def test_the_lists_here_are_all_that_there_are() -> None:
    assert set(LISTS) == {one.path for one in (*ROUTES, *COMPATIBLE) if one.is_list and one.method == "GET"}


@pytest.mark.parametrize("path", LISTS)
def test_small_pages_hold_together_what_one_large_page_holds(site: Site, full: dict[str, Any], path: str) -> None:
    ada, asked = site.client("ada"), LISTS[path]
    for name, value in full.items():
        path = path.replace(name, value)
    whole = _all(ada, path, {**asked, "limit": "500"})
    small = _all(ada, path, {**asked, "limit": "2"})
    if "channels/" in path:  # the last page comes first, and each has its oldest in front
        whole, small = (sorted(found, key=lambda one: int(one["number"])) for found in (whole, small))
    assert small == whole and len({str(one) for one in whole}) == len(whole) >= 1
    for limit in ("0", "501", "x", "1_0"):
        assert ada.get(path, params={**asked, "limit": limit}).status_code == 400, limit
    key = "since" if path == "/v1/events" else "cursor"
    for cursor in ("nonsense", "/../", "bm90aGluZw", "WyJhIiwxLCJiIl0", "x" * 500, "\x00", "é"):
        assert ada.get(path, params={**asked, key: cursor}).status_code == 400, cursor


def test_a_cursor_fits_its_own_list_only(site: Site, full: dict[str, Any]) -> None:
    ada = site.client("ada")
    cursors = {path: ada.get(path, params={"limit": 1}).json()["cursor"] for path in ("/v1/agents", "/v1/leases")}
    for path, other in zip(cursors, reversed(cursors.values()), strict=True):
        assert ada.get(path, params={"cursor": other}).json()["code"] == "BAD_CURSOR"


def test_a_cursor_is_short_whatever_was_looked_for(site: Site, full: dict[str, Any]) -> None:
    asked = {"q": "page " + '"' * 200, "limit": "2"}
    assert len(_all(site.client("ada"), "/v1/messages/search", asked)) > 2


def test_pages_go_on_where_they_were_though_what_was_shown_is_gone(site: Site) -> None:
    ada = site.client("ada")
    for number in range(4):
        call(ada, "POST", "/v1/leases", {"key": f"gone/{number}", "kind": "resource"})
    page = ada.get("/v1/leases", params={"limit": 500}).json()
    keys = [one["key"] for one in page["items"]]
    half = ada.get("/v1/leases", params={"limit": keys.index("gone/1") + 1}).json()
    call(ada, "POST", "/v1/leases/release", {"key": "gone/1"})
    rest = ada.get("/v1/leases", params={"cursor": half["cursor"], "limit": 500}).json()
    assert [one["key"] for one in rest["items"]][:2] == ["gone/2", "gone/3"] and rest["more"] is False


def _all(client: httpx.Client, path: str, asked: dict[str, Any]) -> list[Any]:
    """Follow the cursors to the end; what moves by itself is left out."""
    key = "since" if path == "/v1/events" else "cursor"
    found: list[Any] = []
    while True:
        answer = client.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= int(asked["limit"])
        found += page["items"]
        if not page["more"]:
            return [{name: value for name, value in one.items() if name != "silent_seconds"} for one in found]
        asked = {**asked, key: page["cursor"]}


def test_a_page_of_long_messages_ends_early_and_says_that_there_is_more(site: Site) -> None:
    alice = site.client("alice")
    for _ in range(30):
        call(alice, "POST", "/v1/messages", {"to": ["bob", "ada"], "text": "x" * 1_000_000})
    page = alice.get("/v1/messages/outbox", params={"limit": 500}).json()
    assert len(page["items"]) == 25 and page["more"] is True
    assert len(page["items"][0]["deliveries"]) == 2

"""A hub's calls as HTTP requests: each verb that has a route, by the table that the server serves from.

What has no route is listed here. Such a call is made beside HTTP, on the file, as the same session; and so is one with
an argument that a route does not take or that HTTP cannot say as it is: of another type than the verb's own, NaN.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from roost.history.model import Events
from roost.interfaces.door import Told
from roost.interfaces.http.routes import Page, Route
from roost.interfaces.http.table import ROUTES
from roost.interfaces.wire.table import name_of
from roost.interfaces.wire.trouble import Trouble, error_of
from roost.verbs import Caller, Stream, Verb

ANSWER_SECONDS_MAX = 60.0
BY_NAME = {f"{route.method} {route.path.removeprefix('/v1')}": route for route in ROUTES}


class Offer(msgspec.Struct, frozen=True):
    """The route of a verb. `names` says what the route calls the verb's arguments; `always` goes with each call."""

    route: str
    names: dict[str, str] = {}
    always: dict[str, Any] = {}


OFFERED = {
    "agents.get": Offer("GET /agents/{name}"),
    "agents.list": Offer("GET /agents"),
    "agents.set_profile": Offer("PATCH /agents/me"),
    "channels.close": Offer("DELETE /channels/{name}"),
    "channels.create": Offer("POST /channels"),
    "channels.get": Offer("GET /channels/{name}"),
    "channels.join": Offer("POST /channels/{name}/subscribe"),
    "channels.leave": Offer("DELETE /channels/{name}/subscribe"),
    "channels.list": Offer("GET /channels"),
    "channels.log": Offer("GET /channels/{name}/messages"),
    "deliveries.acknowledge": Offer("POST /messages/{id}/ack", {"message": "id"}),
    "deliveries.arrived": Offer("POST /messages/inbox/arrived"),
    "deliveries.cancel": Offer("POST /messages/{id}/cancel", {"message": "id"}),
    "deliveries.receipts": Offer("GET /messages/{id}/receipts", {"message": "id"}),
    "history.since": Offer("GET /events", {"cursor": "since"}),
    "leases.acquire": Offer("POST /leases"),
    "leases.list": Offer("GET /leases"),
    "leases.release": Offer("POST /leases/release"),
    "leases.renew": Offer("POST /leases/renew"),
    "leases.wait": Offer("POST /leases", {"timeout": "wait"}, {"wait": 60.0}),
    "leases.who": Offer("GET /leases"),
    "messages.get": Offer("GET /messages/{id}", {"message": "id"}),
    "messages.react": Offer("POST /messages/{id}/react", {"message": "id"}),
    "messages.read": Offer("POST /messages/{id}/read", {"message": "id"}),
    "messages.reply": Offer("POST /messages/{id}/reply", {"message": "id"}),
    "messages.search": Offer("GET /messages/search", {"query": "q"}),
    "messages.send": Offer("POST /messages"),
    "messages.send_batch": Offer("POST /messages/batch", {"drafts": "messages"}),
    "messages.take": Offer("POST /messages/inbox/take"),
    "messages.thread": Offer("GET /messages/{id}/thread", {"message": "id"}),
    "operations.abort": Offer("POST /operations/{id}/abort", {"operation": "id"}),
    "operations.add": Offer("POST /operations/{id}/steps", {"operation": "id"}),
    "operations.begin": Offer("POST /operations"),
    "operations.get": Offer("GET /operations/{id}", {"operation": "id"}),
    "operations.list": Offer("GET /operations"),
    "operations.seal": Offer("POST /operations/{id}/seal", {"operation": "id"}),
    "sessions.activity": Offer("GET /activity"),
    "sessions.beat": Offer("POST /activity"),
    "sessions.me": Offer("GET /agents/me"),
    "status.report": Offer("GET /status"),
    "tokens.create": Offer("POST /tokens"),
    "tokens.list": Offer("GET /tokens"),
    "tokens.revoke": Offer("DELETE /tokens/{id}", {"token": "id"}),
    "tokens.rotate": Offer("POST /tokens/{id}/rotate", {"token": "id"}),
}
"""The verbs that HTTP offers, with the hub's own answers."""

OF_ITS_OWN = frozenset({
    "GET /messages/inbox", "GET /messages/outbox", "GET /sessions", "GET /sessions/{id}", "GET /leases/{token}",
    "POST /channels/{name}/messages", "POST /hooks/claude",
})  # fmt: skip
"""Routes whose answers are HTTP's own, and no verb's: the tests of the HTTP interface call them."""

NOT_OFFERED = {
    "agents": "add add_alias aliases rename retire rotate_key",
    "briefings": "checkpoint last_checkpoint show",
    "deliveries": "confirm dead give_back hand_over of outlook pause redeliver resume wait",
    "duties": "failing oldest_overdue tick",
    "history": "archive_folder archives at cut follow head lines retain seal seal_problems sealable sealed_head"
    " sealed_state seals uncut vanished verify wrong_bodies",
    "leases": "acquire_all check claim edit in_worktree leave look queue release_edits revoke stand verify violated"
    " wait_all",
    "launches": "admit begin tidy",
    "messages": "find follow inbox index_more last_number listen log outbox peek reactions verified",
    "operations": "run",
    "sessions": "clock endpoints get is_active list of",
    "status": "looked metrics",
    "tokens": "admit denied valid",
    "turns": "arrive become inbox join leave person read reclaim settle take thread wake watch",
}
"""The verbs without a route. Streams of the log are `/v1/stream` and `/v1/events/stream`, with tests of their own."""


class OverHttp:
    """Calls as whoever a token stands for; `routed` counts the calls of verbs that have a route."""

    def __init__(self, port: int, token: str, *, beside: Caller) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}"}
        self._beside = beside
        self.routed = 0

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        offer = OFFERED.get(name_of(verb, service))
        self.routed += offer is not None
        request = asked(offer, verb, args, kwargs) if offer is not None else None
        if offer is None or request is None:
            return self._beside.call(verb, service, args, kwargs)
        route = BY_NAME[offer.route]
        if not route.is_list:
            return msgspec.json.decode(self._answer(route, request), type=_result_of(verb))
        return self._listed(route, request, verb)

    def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        found: Iterator[Any] = self._beside.follow(stream, service, args, kwargs)
        return found

    def idle(self, seconds: float) -> None:
        raise TypeError("a remote caller waits at the daemon")

    def close(self) -> None:
        """Nothing stays open between two requests."""

    def _listed(self, route: Route, request: Asked, verb: Verb[..., Any]) -> Any:
        page = msgspec.json.decode(self._answer(route, request), type=Page)
        if _result_of(verb) is Events:
            told = msgspec.convert(page.items, tuple[Told, ...])
            return Events(events=tuple(one.event for one in told), cursor=page.cursor, more=page.more)
        items = page.items
        while page.more and "limit" not in inspect.signature(verb.body).parameters:
            request.query["cursor"] = page.cursor
            page = msgspec.json.decode(self._answer(route, request), type=Page)
            items += page.items
        return msgspec.convert(items, _result_of(verb))

    def _answer(self, route: Route, request: Asked) -> bytes:
        headers = self._headers | ({"Idempotency-Key": request.key} if request.key is not None else {})
        body = None
        if route.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(msgspec.to_builtins(request.body)).encode()
        path = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS_MAX)) as connection:
            connection.request(route.method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 400:
            raise error_of(msgspec.msgpack.encode(msgspec.json.decode(content, type=Trouble)))
        return content


class Asked(msgspec.Struct):
    """What a request carries."""

    path: str
    query: dict[str, str]
    body: dict[str, Any]
    key: str | None


def asked(offer: Offer, verb: Verb[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Asked | None:
    """Return the request for a call; None where its route cannot take one of the arguments."""
    given = inspect.signature(verb.body).bind(None, *args, **kwargs).arguments
    del given["self"]
    if not _is_well_typed(verb, given):
        return None
    route = BY_NAME[offer.route]
    key = given.pop("idempotency_key", None) if route.takes_key else None
    named = offer.always | {offer.names.get(name, name): value for name, value in given.items()}
    path = {name: named.pop(name, "") for name in route.parameters}
    query = {name: _text(named.pop(name)) for name in route.query.__struct_fields__ if name in named}
    fields = route.body.__struct_fields__ if route.body is not None else ()
    body = {name: named.pop(name) for name in fields if name in named}
    if named or not all(path.values()):
        return None
    found = route.path.format(**{name: quote(value, safe="") for name, value in path.items()})
    return Asked(found, query, body, key)


def _is_well_typed(verb: Verb[..., Any], given: dict[str, Any]) -> bool:
    hints = typing.get_type_hints(verb.body)
    try:
        for name, value in given.items():
            msgspec.convert(value, hints[name])
        json.dumps(msgspec.to_builtins(given), allow_nan=False)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result_of(verb: Verb[..., Any]) -> Any:
    return typing.get_type_hints(verb.body)["return"]

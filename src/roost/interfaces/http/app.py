"""The application: the table's routes, the streams, metrics, health and docs, behind one guard."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match, WebSocketRoute
from starlette.routing import Route as Bound
from starlette.types import ASGIApp, Receive, Scope, Send

from roost.errors import InvalidInput, InvalidJson, RoostError
from roost.interfaces.http import answers
from roost.interfaces.http.docs import page
from roost.interfaces.http.metrics import Meter
from roost.interfaces.http.openapi import document
from roost.interfaces.http.repomesh import COMPATIBLE
from roost.interfaces.http.routes import Call, HookCall, Route
from roost.interfaces.http.security import Guard, TooLarge, token_of
from roost.interfaces.http.sockets import Sockets
from roost.interfaces.http.sse import Events
from roost.interfaces.http.table import ROUTES
from roost.interfaces.strict import once, refuse_twins
from roost.limits import check_idempotency_key

if TYPE_CHECKING:
    from roost.interfaces.door import Door, Entrant

CREATED = 201

log = logging.getLogger("roost.http")
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    door: Door, *, hosts: Iterable[str] = (), origins: Iterable[str] = (), connections_max: int = 1_000, mcp: Any = None
) -> Guard:
    """Return the application that serves a door; `mcp` is an application to serve at /mcp."""
    streams = Sockets(door, connections_max=connections_max)
    events = Events(door, streams)
    table = [(one, endpoint(door, one)) for one in (*ROUTES, *COMPATIBLE)]
    routes: list[BaseRoute] = [
        Bound("/healthz", _health, methods=["GET"]),
        Bound("/readyz", _guarded(door, _ready(door)), methods=["GET"]),
        Bound("/metrics", _guarded(door, Meter(door).render), methods=["GET"]),
        Bound("/openapi.json", _guarded(door, _openapi), methods=["GET"]),
        Bound("/docs", _guarded(door, _docs), methods=["GET"]),
        Bound("/v1/events/stream", _guarded(door, events.serve), methods=["GET"]),
        Bound("/v1/events/sse", _guarded(door, events.serve), methods=["GET"]),
        WebSocketRoute("/v1/stream", streams.serve),
        WebSocketRoute("/v1/events/ws", streams.serve),
        *(Bound(route.path, serve, methods=[route.method]) for route, serve in table),
    ]
    if mcp is not None:
        routes.append(Bound("/mcp", mcp))  # not mounted: a mount answers /mcp with a redirect to /mcp/
    app = Starlette(routes=routes, exception_handlers={HTTPException: _of_the_protocol, Exception: _bug})  # type: ignore[dict-item]
    app.router.redirect_slashes = False  # a redirect is an answer that no route documents
    return Guard(Direct(table, app), hosts=hosts, origins=origins, streams=streams.connections)


class Direct:
    """Goes straight to the routes of the table that have no parameters in their paths; the framework finds the others.

    To look through all routes and to wrap each answer again costs as much as the rest of a request here.
    """

    def __init__(self, table: Iterable[tuple[Route, Endpoint]], others: ASGIApp) -> None:
        self._serve = {(route.method, route.path): serve for route, serve in table if not route.parameters}
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serve = self._serve.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if serve is None:
            await self._others(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await serve(request)
        except HTTPException as raised:
            response = await _of_the_protocol(request, raised)
        await response(scope, receive, send)


def endpoint(door: Door, route: Route) -> Endpoint:
    """Return what serves one route: who is there, what is asked, the answer."""
    read = _hooks(door, route) if route.takes == "hooks" else _calls(door, route)

    async def serve(request: Request) -> Response:
        number = answers.new_request_id()
        try:
            result = await route.handler(await read(request))
        except RoostError as raised:
            return answers.error(raised, number)
        except TooLarge:
            return answers.refused(413, "BODY_TOO_LARGE", "the body is too large", "send less at a time", number)
        except HTTPException:
            raise  # the framework answers it
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            log.exception("request %s failed: %s %s", number, route.method, route.path)
            return answers.refused(500, "INTERNAL", "this is a bug in Roost", "see `roost logs`", number)
        if route.method != "GET":
            return answers.answer(result, route.status, number)
        known = ",".join(request.headers.getlist("if-none-match"))
        return answers.answer(result, route.status, number, known=known, has_tag=True)

    return serve


def _calls(door: Door, route: Route) -> Callable[[Request], Awaitable[Call]]:
    body = msgspec.json.Decoder(route.body) if route.body is not None else None

    async def read(request: Request) -> Call:
        entrant = await entered(door, request)
        return Call(
            door=door,
            entrant=entrant,
            hub=door.hub(entrant),
            path=request.path_params,
            query=_query(route, request),
            body=await (_body(body, request) if body is not None else _no_body(route, request)),
            key=_key(route, request),
        )

    return read


def _hooks(door: Door, route: Route) -> Callable[[Request], Awaitable[HookCall]]:
    async def read(request: Request) -> HookCall:
        launch = await door.launched(token_of(request.headers), address=address_of(request))
        _query(route, request)
        return HookCall(door=door, launch=launch, raw=await request.body())

    return read


async def entered(door: Door, request: Any) -> Entrant:
    """Return whose token a request shows. Raises WhoAreYou, RateLimited."""
    return await door.enter(token_of(request.headers), address=address_of(request))


def address_of(request: Any) -> str:
    """Return the address that a request came from, as the socket says: no header is believed."""
    return request.client.host if request.client is not None else "unix"


def _query(route: Route, request: Request) -> Any:
    given = once(request.query_params.multi_items()) if request.scope["query_string"] else {}
    if "token" in given:
        raise InvalidInput("a token in a URL ends up in logs", hint="send it as `Authorization: Bearer rst_...`")
    try:
        return msgspec.convert(given, route.query, strict=False)
    except msgspec.ValidationError as wrong:
        raise InvalidInput(f"the parameters are wrong: {wrong}", hint="see /docs") from None


async def _body(decoder: msgspec.json.Decoder[Any], request: Request) -> Any:
    raw = await request.body()
    if raw and "content-type" not in request.headers:  # another one than JSON's was refused before
        raise HTTPException(415, "send JSON: `Content-Type: application/json`")
    try:
        read = decoder.decode(raw or b"{}")
        refuse_twins(raw.decode() or "{}")
        return read
    except msgspec.ValidationError as wrong:
        raise InvalidJson(f"the body is wrong: {wrong}", hint="see /docs") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
        raise InvalidInput(f"the body is no JSON: {wrong}", hint="see /docs") from None


async def _no_body(route: Route, request: Request) -> None:
    """Refuse a body where none is read: what it asks for would be ignored."""
    if route.method != "GET" and (await request.body()).strip() not in (b"", b"{}"):
        raise InvalidJson("this route takes no body", hint="what it takes stands in the URL: see /docs")


def _key(route: Route, request: Request) -> str | None:
    given = request.headers.getlist("idempotency-key")
    if len(given) > 1:  # each reader takes another, and a repetition made by another key is made twice
        raise InvalidInput("two Idempotency-Key headers were given", hint="give one")
    if not given or route.takes_key:
        return check_idempotency_key(given[0]) if given else None
    if route.status == CREATED:  # to ignore it would make twice what its caller takes for made once
        raise InvalidInput(
            "this route honours no Idempotency-Key", hint="see /docs; each message of a batch has its own"
        )
    return None


def _guarded(door: Door, serve: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        number = answers.new_request_id()
        try:
            request.state.entrant = await entered(door, request)
            return await serve(request)
        except RoostError as raised:
            return answers.error(raised, number)

    return guarded


async def _health(request: Request) -> Response:
    return answers.answer({"ok": True}, 200, answers.new_request_id())


def _ready(door: Door) -> Endpoint:
    async def ready(request: Request) -> Response:
        facts = door.status()
        return answers.answer({"ready": True, **facts}, 200, answers.new_request_id())

    return ready


async def _openapi(request: Request) -> Response:
    return answers.answer(document(), 200, answers.new_request_id(), has_tag=True)


async def _docs(request: Request) -> Response:
    return HTMLResponse(page())


async def _of_the_protocol(request: Request, raised: HTTPException) -> Response:
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 415: "NOT_JSON"}
    texts = {404: "there is no such route", 405: f"this route does not take {request.method}"}
    text = texts.get(raised.status_code, str(raised.detail))
    made = answers.refused(raised.status_code, codes.get(raised.status_code, "HTTP"), text, "see /docs")
    if raised.status_code == 405:
        made.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return made


def _methods(request: Request) -> set[str]:
    """Return the methods of a path: those of all its routes."""
    fitting = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in fitting for method in getattr(route, "methods", None) or ()}


async def _bug(request: Request, raised: Exception) -> Response:
    if isinstance(raised, TooLarge):
        return answers.refused(413, "BODY_TOO_LARGE", "the body is too large", "send less at a time")
    log.error("a request failed: %s", request.url.path, exc_info=raised)
    return answers.refused(500, "INTERNAL", "this is a bug in Roost", "see `roost logs`")

"""Answers: results as JSON, errors as `{code, message, hint, retryable, request_id}`."""

from __future__ import annotations

import os
from hashlib import blake2b
from math import ceil
from typing import Any

import msgspec
from starlette.responses import Response

from roost.errors import RoostError, WhoAreYou
from roost.interfaces.errors import status_of

JSON = "application/json"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong and what to do; `details` hold the same facts for programs."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    request_id: str
    details: dict[str, Any] = {}


def new_request_id() -> str:
    """Return the id by which a request is found in the log."""
    return os.urandom(8).hex()


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON."""
    return msgspec.json.encode(value, enc_hook=str)


def answer(value: Any, status: int, request_id: str, *, known: str = "", has_tag: bool = False) -> Response:
    """Return a result; where it has a tag that is among those that the caller knows, only that nothing changed."""
    body = json_bytes(value)
    headers = {"X-Request-Id": request_id}
    if has_tag:
        headers["ETag"] = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        headers["Cache-Control"] = "private, no-cache"
        if known and {"*", headers["ETag"]} & {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            return Response(status_code=304, headers=headers)
    return Response(body, status_code=status, headers=headers, media_type=JSON)


def error(raised: RoostError, request_id: str) -> Response:
    """Return an error of Roost's."""
    status, headers = status_of(raised), {"X-Request-Id": request_id}
    if isinstance(raised, WhoAreYou):
        headers["WWW-Authenticate"] = 'Bearer realm="roost"'
    if status in (429, 503):
        headers["Retry-After"] = str(whole_seconds(raised.details.get("retry_after", 1)))
    body = Refused(
        code=raised.code,
        message=raised.message,
        hint=raised.hint,
        retryable=raised.retryable,
        request_id=request_id,
        details=raised.details,
    )
    return Response(json_bytes(body), status_code=status, headers=headers, media_type=JSON)


def whole_seconds(wait: float) -> int:
    """Return a wait in the whole seconds of a Retry-After: never so few that it would be too early."""
    return max(1, ceil(wait))


def refused(status: int, code: str, message: str, hint: str, request_id: str = "") -> Response:
    """Return an error of the protocol itself."""
    number = request_id or new_request_id()
    body = Refused(code=code, message=message, hint=hint, retryable=status in (429, 503), request_id=number)
    return Response(json_bytes(body), status_code=status, headers={"X-Request-Id": number}, media_type=JSON)


async def refusal(scope: Any, receive: Any, send: Any, status: int, code: str, message: str, hint: str) -> None:
    """Answer a request that is not read any further."""
    response = refused(status, code, message, hint)
    response.headers["Connection"] = "close"
    await response(scope, receive, send)


async def refusal_of_socket(
    scope: Any, receive: Any, send: Any, status: int, code: str, message: str, hint: str
) -> None:
    """Refuse a WebSocket before it is one."""
    if "websocket.http.response" in scope.get("extensions", {}):
        body = json_bytes(Refused(code=code, message=message, hint=hint, request_id=new_request_id()))
        headers = [(b"content-type", JSON.encode())]
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": code})

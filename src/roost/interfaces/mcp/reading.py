"""Reading one JSON-RPC message, the same over both transports."""

from __future__ import annotations

from contextlib import suppress

import mcp_types as types
import msgspec
from pydantic import ValidationError

from roost.errors import InvalidJson
from roost.interfaces.mcp.pipe import told_of
from roost.interfaces.strict import refuse_twins


class NoMessage(Exception):
    """What came is no single JSON-RPC message; `answer` is what is said to that."""

    def __init__(self, id: str | int | None, code: int, message: str) -> None:
        super().__init__(message)
        error = types.ErrorData(code=code, message=message)
        self.answer = types.JSONRPCError(jsonrpc="2.0", id=id, error=error)


def message_of(text: bytes) -> types.JSONRPCMessage:
    """Return the message that a text is. Raises NoMessage."""
    try:
        value = msgspec.json.decode(text)
        refuse_twins(text.decode())
    except InvalidJson as twins:
        raise NoMessage(told_of(value), types.INVALID_REQUEST, twins.message) from None
    except (ValueError, RecursionError):  # msgspec's and Unicode's are ValueErrors, too
        raise NoMessage(None, types.PARSE_ERROR, "this is no JSON") from None
    with suppress(ValidationError):
        message = types.jsonrpc_message_adapter.validate_json(text, by_name=False)
        # A request whose id is none must not pass for a notification, which nobody answers.
        if not isinstance(message, types.JSONRPCNotification) or "id" not in value:
            return message
    raise NoMessage(told_of(value), types.INVALID_REQUEST, "this is no single JSON-RPC message")

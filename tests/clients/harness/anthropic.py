"""Anthropic's Messages: what Claude Code speaks."""

import json
import uuid
from collections.abc import Iterator

from .speech import Event, Json

COMPACTION_MARK = "Your task is to create a detailed summary"
# The client decides by this name, more than by the status, whether to try again.
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


class Messages:
    """POST v1/messages."""

    name = "messages"

    def kind_of(self, body: Json) -> str:
        # The instruction is not always the last message: what a Stop hook said may follow it.
        if COMPACTION_MARK in json.dumps(body.get("messages", [])[-3:]):
            return "compaction"
        return "main" if body.get("tools") and body.get("max_tokens", 0) > 1 else "side"

    def aside(self) -> str:
        return "{}"

    def is_streamed(self, path: str, body: Json) -> bool:
        return bool(body.get("stream"))

    def whole(self, step: Json, body: Json) -> Json:
        return {
            "id": f"msg_{uuid.uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "content": _blocks(step),
            "stop_reason": "tool_use" if step.get("calls") else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": step.get("tokens", 100),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 5,
            },
        }

    def stream(self, whole: Json) -> Iterator[Event]:
        empty = {**whole, "content": [], "stop_reason": None}
        yield _event({"type": "message_start", "message": empty})
        for index, block in enumerate(whole["content"]):
            start, delta = _parts(block)
            yield _event({"type": "content_block_start", "index": index, "content_block": start})
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
            yield _event({"type": "content_block_stop", "index": index}, pause=True)
        stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield _event({"type": "message_delta", "delta": stop, "usage": whole["usage"]})
        yield _event({"type": "message_stop"})

    def error(self, status: int) -> Json:
        kind = ERROR_TYPES.get(status, "overloaded_error")
        return {"type": "error", "error": {"type": kind, "message": "scripted error"}}


def _blocks(step: Json) -> list[Json]:
    text: list[Json] = [{"type": "text", "text": step["text"]}] if step.get("text") else []
    return text + [
        {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:24]}", "name": one["tool"], "input": one["input"]}
        for one in step.get("calls", ())
    ]


def _parts(block: Json) -> tuple[Json, Json]:
    if block["type"] == "text":
        return {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
    return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}


def _event(data: Json, *, pause: bool = False) -> Event:
    return Event(name=data["type"], data=data, pause=pause)

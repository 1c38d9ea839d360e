"""OpenAI's two APIs: Responses, which Codex speaks, and chat completions, which Qwen Code speaks."""

import json
import time
import uuid
from collections.abc import Iterator

from .speech import Event, Json


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:20]}"


class Spoken:
    """What both have in common."""

    def kind_of(self, body: Json) -> str:
        return "main" if body.get("tools") else "side"

    def aside(self) -> str:
        return "{}"

    def is_streamed(self, path: str, body: Json) -> bool:
        return bool(body.get("stream"))

    def error(self, status: int) -> Json:
        return {"error": {"type": "server_error", "code": None, "message": "scripted error"}}


class Responses(Spoken):
    """POST v1/responses. A tool of an MCP server is named `NAMESPACE NAME` in a script."""

    name = "responses"

    def whole(self, step: Json, body: Json) -> Json:
        return {
            "id": _id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "model": body.get("model"),
            "output": _items(step),
            "parallel_tool_calls": True,
            "tools": [],
            "usage": {
                "input_tokens": step.get("tokens", 100),
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": step.get("tokens", 100) + 5,
            },
        }

    def stream(self, whole: Json) -> Iterator[Event]:
        for number, (name, more) in enumerate(_told(whole)):
            yield Event(
                name=name,
                data={"type": name, "sequence_number": number, **more},
                pause=name == "response.output_item.done",
            )


def _items(step: Json) -> list[Json]:
    said: list[Json] = []
    if step.get("text"):
        content = [{"type": "output_text", "text": step["text"], "annotations": []}]
        said.append(
            {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed", "content": content}
        )
    return said + [_function_call(one) for one in step.get("calls", ())]


def _function_call(one: Json) -> Json:
    namespace, _, name = one["tool"].rpartition(" ")
    item = {
        "type": "function_call",
        "id": _id("fc"),
        "call_id": _id("call"),
        "name": name,
        "arguments": json.dumps(one["input"]),
        "status": "completed",
    }
    return {**item, "namespace": namespace} if namespace else item


def _told(whole: Json) -> Iterator[tuple[str, Json]]:
    yield "response.created", {"response": {**whole, "status": "in_progress", "output": [], "usage": None}}
    for index, item in enumerate(whole["output"]):
        yield "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress"}}
        if item["type"] == "message":
            said = item["content"][0]["text"]
            where = {"item_id": item["id"], "output_index": index, "content_index": 0}
            yield "response.output_text.delta", {**where, "delta": said}
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield "response.completed", {"response": whole}


class Chat(Spoken):
    """POST v1/chat/completions."""

    name = "chat"

    def whole(self, step: Json, body: Json) -> Json:
        message: Json = {"role": "assistant", "content": step.get("text") or ""}
        calls = [
            {
                "index": index,
                "id": _id("call"),
                "type": "function",
                "function": {"name": one["tool"], "arguments": json.dumps(one["input"])},
            }
            for index, one in enumerate(step.get("calls", ()))
        ]
        if calls:
            message["tool_calls"] = calls
        tokens = step.get("tokens", 100)
        return {
            "id": _id("chatcmpl"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model"),
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5},
        }

    def stream(self, whole: Json) -> Iterator[Event]:
        (choice,) = whole["choices"]
        head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
        said = {"index": 0, "delta": choice["message"], "finish_reason": None}
        yield Event(data={**head, "choices": [said]}, pause=True)
        end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        yield Event(data={**head, "choices": [end]})
        yield Event(data={**head, "choices": [], "usage": whole["usage"]})
        yield Event(data="[DONE]")

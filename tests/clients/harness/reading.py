"""What stands in a model's request, in each API: who says what, in what kind of block, and which tools there are."""

import json
from collections.abc import Iterator
from typing import Any, Protocol

Json = dict[str, Any]
Text = tuple[str, str, str]
"""Role, kind of block, text."""


class Reader(Protocol):
    """Reads the requests of one API."""

    def texts(self, body: Json) -> Iterator[Text]:
        """Yield every text in order, the system prompt first."""
        ...

    def tools(self, body: Json) -> Iterator[str]:
        """Yield the names of the tools."""
        ...


class OfMessages:
    """Anthropic's Messages."""

    def texts(self, body: Json) -> Iterator[Text]:
        yield from (("prompt", kind, text) for kind, text in _blocks(body.get("system")))
        for message in body.get("messages", ()):
            yield from ((message["role"], kind, text) for kind, text in _blocks(message.get("content")))

    def tools(self, body: Json) -> Iterator[str]:
        yield from (one["name"] for one in body.get("tools", ()))


class OfResponses:
    """OpenAI's Responses."""

    def texts(self, body: Json) -> Iterator[Text]:
        yield "prompt", "text", body.get("instructions") or ""
        for item in body.get("input", ()):
            if item["type"] == "message":
                yield from ((item["role"], kind, text) for kind, text in _blocks(item["content"]))
            elif item["type"] == "function_call":
                yield "assistant", "tool_use", f"{item['name']} {item['arguments']}"
            elif item["type"] == "function_call_output":
                yield "user", "tool_result", "\n".join(text for _, text in _blocks(item["output"]))

    def tools(self, body: Json) -> Iterator[str]:
        for one in body.get("tools", ()):
            if one["type"] == "namespace":
                yield from (f"{one['name']} {inner['name']}" for inner in one["tools"])
            else:
                yield one.get("name", one["type"])


class OfChat:
    """OpenAI's chat completions."""

    def texts(self, body: Json) -> Iterator[Text]:
        for message in body.get("messages", ()):
            kind = "tool_result" if message["role"] == "tool" else "text"
            yield from ((message["role"], kind, text) for _, text in _blocks(message.get("content")))
            for one in message.get("tool_calls") or ():
                yield message["role"], "tool_use", f"{one['function']['name']} {one['function']['arguments']}"

    def tools(self, body: Json) -> Iterator[str]:
        yield from (one["function"]["name"] for one in body.get("tools", ()))


class OfGemini:
    """Google's generateContent."""

    def texts(self, body: Json) -> Iterator[Text]:
        for content in (body.get("systemInstruction") or {}, *body.get("contents", ())):
            for part in content.get("parts", ()):
                yield (content.get("role", "prompt"), *_part(part))

    def tools(self, body: Json) -> Iterator[str]:
        for one in body.get("tools", ()):
            yield from (declared["name"] for declared in one.get("functionDeclarations", ()))


def _blocks(content: Any) -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        yield "text", content
        return
    for block in content or ():
        if block.get("type") == "tool_use":
            yield "tool_use", f"{block['name']} {json.dumps(block['input'])}"
        elif block.get("type") == "tool_result":
            for _, text in _blocks(block.get("content")):
                yield "tool_result", text
        elif "text" in block:
            yield "text", block["text"]


def _part(part: Json) -> tuple[str, str]:
    if "functionCall" in part:
        return "tool_use", f"{part['functionCall']['name']} {json.dumps(part['functionCall']['args'])}"
    if "functionResponse" in part:
        answer = part["functionResponse"]["response"]
        return "tool_result", answer.get("output") or answer.get("error") or json.dumps(answer)
    return "text", part.get("text", "")


READERS: dict[str, Reader] = {
    "messages": OfMessages(),
    "responses": OfResponses(),
    "chat": OfChat(),
    "gemini": OfGemini(),
}

"""The model requests that the clients sent, parsed for assertions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Said:
    """One piece of text in a request: who says it there, in what kind of block."""

    role: str
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that reached the model. `kind` is `main`, `side` or `compaction`.

    `index` counts the main requests of its session from 0; `at` is wall time in seconds.
    """

    seq: int
    at: float
    session: str
    kind: str
    index: int | None
    headers: dict[str, str]
    body: dict[str, Any]

    def said(self) -> list[Said]:
        """List every text of the request in order, the system prompt first."""
        system = [Said(role="prompt", kind=k, text=t) for k, t in _texts(self.body.get("system"))]
        return system + [
            Said(role=message["role"], kind=kind, text=text)
            for message in self.body.get("messages", [])
            for kind, text in _texts(message.get("content"))
        ]

    @property
    def text(self) -> str:
        """All text that the model sees, tool results included, as one string."""
        return "\n".join(said.text for said in self.said())

    def __contains__(self, part: str) -> bool:
        return part in self.text

    def count(self, part: str) -> int:
        """Count how often `part` stands in the request."""
        return self.text.count(part)


def _texts(content: Any) -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        yield "text", content
        return
    for block in content or ():
        if block.get("type") == "tool_use":
            yield "tool_use", f"{block['name']} {json.dumps(block['input'])}"
        elif block.get("type") == "tool_result":
            for _, text in _texts(block.get("content")):
                yield "tool_result", text
        elif "text" in block:
            yield "text", block["text"]


def read_requests(log: Path) -> list[Request]:
    """Read the whole request log; a line still being written is left out."""
    if not log.exists():
        return []
    lines = log.read_bytes().split(b"\n")
    return [Request(**json.loads(line)) for line in lines[:-1]]

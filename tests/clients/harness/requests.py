"""The model requests that the clients sent, parsed for assertions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .reading import READERS


@dataclass(frozen=True, kw_only=True)
class Said:
    """One piece of text in a request: who says it there, in what kind of block."""

    role: str
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that reached the model. `kind` is `main`, `side` or `compaction`, `speech` the API that it came by.

    `index` counts the main requests of its session from 0; `at` is wall time in seconds.
    """

    seq: int
    at: float
    session: str
    speech: str
    kind: str
    index: int | None
    headers: dict[str, str]
    body: dict[str, Any]

    def said(self) -> list[Said]:
        """List every text of the request in order, the system prompt first."""
        return [Said(role=role, kind=kind, text=text) for role, kind, text in READERS[self.speech].texts(self.body)]

    def tools(self) -> set[str]:
        """Return the names of the tools that the model was offered, as a script calls them."""
        return set(READERS[self.speech].tools(self.body))

    def results(self) -> list[str]:
        """List what the tools answered so far, as the model is shown it."""
        return [said.text for said in self.said() if said.kind == "tool_result"]

    @property
    def text(self) -> str:
        """All text that the model sees, tool results included, as one string."""
        return "\n".join(said.text for said in self.said())

    def __contains__(self, part: str) -> bool:
        return part in self.text

    def count(self, part: str) -> int:
        """Count how often `part` stands in the request."""
        return self.text.count(part)


def read_requests(log: Path) -> list[Request]:
    """Read the whole request log; a line still being written is left out."""
    if not log.exists():
        return []
    lines = log.read_bytes().split(b"\n")
    return [Request(**json.loads(line)) for line in lines[:-1]]

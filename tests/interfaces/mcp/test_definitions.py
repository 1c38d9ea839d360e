"""What every agent has in its context for as long as it runs: small, fixed, and free of anybody's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from roost.interfaces.mcp import resources
from roost.interfaces.mcp.server import _TOOL_LIST, INSTRUCTIONS
from roost.interfaces.mcp.tools import TOOLS

SNAPSHOT = Path(__file__).parent / "definitions.json"
BYTES_MAX = 5_200
TOOLS_MAX = 8
TOKENS_MAX = 1_500
INSTRUCTION_TOKENS_MAX = 150
BYTES_A_TOKEN = 4
"""Less than JSON of English words has with any tokenizer of a coding model."""


def test_the_definitions_are_the_ones_that_were_read_and_approved() -> None:
    """When this fails on purpose: read the difference, then write `everything()` into definitions.json."""
    assert everything() == json.loads(SNAPSHOT.read_text())


def test_eight_tools_at_most_fit_their_budget() -> None:
    assert len(TOOLS) <= TOOLS_MAX
    assert len(wire()) <= BYTES_MAX * len(TOOLS) / TOOLS_MAX
    assert len(wire()) / BYTES_A_TOKEN <= TOKENS_MAX
    assert len(INSTRUCTIONS) / BYTES_A_TOKEN <= INSTRUCTION_TOKENS_MAX


def test_every_tool_says_what_it_takes_and_gives_and_does() -> None:
    for tool in json.loads(wire()):
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["annotations"]["openWorldHint"] is False
        assert tool["annotations"].get("readOnlyHint", False) or tool["annotations"]["destructiveHint"] is False
        assert tool["_meta"] == {"anthropic/alwaysLoad": True}
        for name in ("from", "sender", "as", "agent"):
            assert name not in tool["inputSchema"]["properties"] or tool["name"] == "search"


def test_only_what_may_be_repeated_says_so() -> None:
    """A client that repeats an inbox on its own would confirm mail that it never had."""
    assert {name for name, tool in TOOLS.items() if tool.hints.get("idempotentHint")} == {"ack", "lease"}


def everything() -> dict[str, Any]:
    """Return all that a client is told before anybody said a word."""
    return {
        "instructions": INSTRUCTIONS,
        "tools": json.loads(wire()),
        "resources": resources.LISTED,
        "templates": resources.TEMPLATES,
    }


def wire() -> str:
    """Return the tools as they travel."""
    tools = _TOOL_LIST.model_dump(by_alias=True, mode="json", exclude_none=True)["tools"]
    return json.dumps(tools, separators=(",", ":"))

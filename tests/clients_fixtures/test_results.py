"""What the result of a tool of MCP proves in Claude Code's transcript: the shapes are those that the client writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roost.clients.base import Offer
from roost.clients.claude.proofs import scan
from roost.deliveries.model import Verdict

from .recordings import joined

NONCE = "qzwnhyt4"
MAIL = f'<roost-mail to="claude-1" messages="1">\n<roost-message-{NONCE} id="m1" offer="{NONCE}">\nlook\n</roost-mail>'
AS_JSON = json.dumps({"mail": MAIL, "ids": ["m1"]}, separators=(",", ":"))
AS_TEXT = [{"type": "text", "text": MAIL}]
Json = dict[str, Any]


def answer(number: int, *blocks: Json) -> Json:
    return {
        "type": "assistant",
        "timestamp": f"2026-11-21T14:15:{number:02}.000Z",
        "message": {"id": f"msg_{number}", "role": "assistant", "content": list(blocks)},
    }


def calls(tool: str, id: str = "toolu_1") -> Json:
    return {"type": "tool_use", "id": id, "name": tool, "input": {}}


def result(content: object, id: str = "toolu_1") -> Json:
    block = {"tool_use_id": id, "type": "tool_result", "content": content}
    return {"type": "user", "message": {"role": "user", "content": [block]}, "toolUseResult": content}


def looked(*entries: Json, offered_wall: int = 0) -> Verdict:
    offer = Offer(nonce=NONCE, marker=f'offer="{NONCE}"', offered_wall=offered_wall, as_result=True)
    return scan(joined(list(entries)), 0, [offer]).verdicts[0]


@pytest.mark.parametrize("content", [AS_JSON, MAIL, AS_TEXT])
@pytest.mark.parametrize("tool", ["mcp__roost__inbox", "mcp__our-own-name__inbox"])
def test_a_result_that_an_answer_follows_is_proved(content: object, tool: str) -> None:
    called = answer(1, {"type": "text", "text": "let me look"}), answer(1, calls(tool))
    assert looked(*called, result(content)).found == "shown"
    proved = looked(*called, result(content), answer(2))
    assert (proved.found, proved.shape) == ("proved", "MCP result")


def test_the_call_alone_says_nothing_yet() -> None:
    assert looked(answer(1, calls("mcp__roost__inbox")), offered_wall=1_795_270_501_500).found == "early"


def test_a_result_that_the_next_answer_came_without_is_absent() -> None:
    lost = result("MCP error -32000: connection closed")
    assert looked(answer(1, calls("mcp__roost__inbox")), lost, answer(4)).found == "absent"


def test_a_quotation_by_another_tool_or_by_a_hook_proves_nothing() -> None:
    given = {"type": "hook_success", "hookEvent": "PostToolBatch", "stdout": MAIL}
    quoted = [answer(1, calls("Bash")), result(MAIL), {"type": "attachment", "attachment": given}, answer(4)]
    assert looked(*quoted).found == "absent"


def test_what_a_subagent_asked_for_is_not_before_the_agent() -> None:
    asked = [answer(1, calls("mcp__roost__inbox")) | {"isSidechain": True}, result(MAIL) | {"isSidechain": True}]
    assert looked(*asked, answer(4)).found == "absent"


@pytest.mark.parametrize(
    "entry",
    [
        result(AS_JSON, "toolu_unknown"),
        result(f"<persisted-output> {NONCE}"),
        {"type": "result-of-next-year", "content": AS_JSON},
    ],
)
def test_a_shape_that_is_not_known_is_unreadable_not_absent(entry: Json) -> None:
    assert looked(answer(1, calls("mcp__roost__inbox")), entry, answer(4)).found == "unreadable"


def test_the_next_look_knows_the_call_still() -> None:
    whole = joined([answer(1), answer(2, calls("mcp__roost__inbox")), result(AS_JSON), answer(3)])
    offer = Offer(nonce=NONCE, marker=f'offer="{NONCE}"', offered_wall=1_795_270_502_500, as_result=True)
    offset = 0
    for end in (n + 1 for n, byte in enumerate(whole) if byte == ord("\n")):
        seen = scan(whole[offset:end], offset, [offer])
        offset = seen.offset
    assert seen.verdicts[0].found == "proved"

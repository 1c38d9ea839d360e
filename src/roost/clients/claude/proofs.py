"""The proof table of Claude Code: what its transcript shows about text that was given to the agent.

The transcript is one JSON entry a line. A marker counts where the client itself puts text that hooks, wakers and its
inbox gave; it is proved when an answer of the model follows that began after it. Two things look like such an answer
and are none: the client writes each block of an answer as an entry of its own and runs tools while later blocks still
come, so an entry with the id of an earlier answer saw nothing new; and the client writes its own API errors as answers.

Mail that the agent asked for over MCP counts in the result of a tool of MCP that it called, and nowhere else. The
client shows its model the structured form of such a result, as JSON.

Entries reach the file up to a tenth of a second late (docs/decisions/010), so what is not there may still come: it is
absent only once an answer is there that began well after the offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from roost.clients.base import Offer, Scan
from roost.clients.claude.halves import decoded
from roost.deliveries.model import Verdict

ENTRY_BYTES_MAX = 1_000_000
"""A longer line is a tool's result or an image, never text that a hook gave."""
LATE_MS = 1_000
"""How long after an offer an answer may begin without telling anything; ten times the longest measured delay."""

SHAPES = {
    "SessionStart": "start",
    "UserPromptSubmit": "prompt",
    "PreToolUse": "pre-tool",
    "PostToolUse": "tool",
    "PostToolUseFailure": "tool",
    "PostToolBatch": "tool batch",
    "Stop": "stop",
}
ORIGINS = {"task-notification": "rewake", "peer": "inbox"}
QUEUED = "queue"
RESULT = "MCP result"
MCP_TOOLS = "mcp__"
"""How the client calls the tools of every server of MCP, before the server's name."""

# Where given text is repeated and nothing is proved: the client's notes about hooks and requests, and quotations.
ECHOES = frozenset({"api-request", "api-request-blob", "api-request-shape", "last-prompt", "queue-operation", "system"})
ECHO_ATTACHMENTS = frozenset({"hook_success", "hook_cancelled", "hook_non_blocking_error"})
LEAVES_QUEUE = frozenset({"attachment", "queue-operation", "user"})
TYPED = "human"

Json = dict[str, Any]


class _Seen(msgspec.Struct):
    """Where one marker was last seen, and which answer was the last one before it."""

    shape: str
    after: str
    anchor: int


class _Reading(msgspec.Struct):
    """What is known while the transcript is read line by line; `anchor` is where the last answer begins."""

    offers: Sequence[Offer]
    anchor: int
    answer: str = ""
    answer_at: int = 0
    tools: dict[str, str] = {}
    """The names of the tools that were called, by the ids of the calls."""
    seen: dict[str, _Seen] = {}
    proved: dict[str, str] = {}
    strange: set[str] = set()


def scan(data: bytes, start: int, offers: Sequence[Offer], *, skipped: bool = False) -> Scan:
    """Judge each offer by the transcript's bytes from offset `start`; a last line without its end is left for later.

    `skipped` says that bytes before `start` were never looked at: then nothing can be called absent.
    """
    reading = _Reading(offers=offers, anchor=start)
    for offset, line in _lines(data, start):
        _read_line(reading, offset, line)
    verdicts = tuple(_verdict(reading, offer, skipped) for offer in offers)
    shown = (reading.seen[v.nonce].anchor for v in verdicts if v.found == "shown" and v.nonce in reading.seen)
    return Scan(verdicts=verdicts, offset=min(shown, default=reading.anchor))


def _lines(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    begin = 0
    while (end := data.find(b"\n", begin)) >= 0:
        yield start + begin, data[begin:end]
        begin = end + 1


def _read_line(reading: _Reading, offset: int, line: bytes) -> None:
    offered = [offer for offer in reading.offers if offer.nonce.encode() in line]
    # Most lines are long and say nothing here: they are not parsed.
    if len(line) > ENTRY_BYTES_MAX or not (offered or b'"assistant"' in line or b'"compact_boundary"' in line):
        return
    try:
        entry = decoded(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if entry.get("type") == "assistant":
        _read_answer(reading, offset, entry)
    elif entry.get("subtype") == "compact_boundary":
        # The model sees a summary from here on: what it had not answered is lost, unless it is given again.
        reading.seen.clear()
    else:
        for offer in offered:
            _read_text(reading, offer, entry)


def _read_answer(reading: _Reading, offset: int, entry: Json) -> None:
    message = _object(entry, "message")
    if entry.get("isSidechain") or entry.get("isApiErrorMessage") or message.get("model") == "<synthetic>":
        return
    reading.tools |= {str(call.get("id")): str(call.get("name")) for call in _blocks(entry, "tool_use")}
    answer = str(message.get("id") or entry.get("requestId") or entry.get("uuid"))
    if answer == reading.answer:
        return
    reading.answer, reading.anchor, reading.answer_at = answer, offset, _wall_of(entry)
    for nonce, seen in reading.seen.items():
        if seen.after != answer and seen.shape != QUEUED:
            reading.proved.setdefault(nonce, seen.shape)


def _read_text(reading: _Reading, offer: Offer, entry: Json) -> None:
    if entry.get("isSidechain"):
        return
    if offer.as_result:
        _read_result(reading, offer, entry)
        return
    if _is_echo(entry):
        if offer.nonce in reading.seen and entry.get("type") in LEAVES_QUEUE:
            _leave_queue(reading, offer.nonce)
        return
    shape, text = _given(entry)
    if not shape:
        reading.strange.add(offer.nonce)
    elif offer.marker in text:
        reading.seen[offer.nonce] = _Seen(shape=shape, after=reading.answer, anchor=reading.anchor)


def _read_result(reading: _Reading, offer: Offer, entry: Json) -> None:
    """Take in what a tool of MCP answered. Another tool can only quote it, a call that is not known may be any."""
    results = list(_blocks(entry, "tool_result"))
    for result in results:
        tool = reading.tools.get(str(result.get("tool_use_id")), "")
        if tool.startswith(MCP_TOOLS) and offer.marker in _text_of(result):
            reading.seen[offer.nonce] = _Seen(shape=RESULT, after=reading.answer, anchor=reading.anchor)
        elif not tool or tool.startswith(MCP_TOOLS):
            reading.strange.add(offer.nonce)
    if not results and not _is_echo(entry):
        reading.strange.add(offer.nonce)


def _leave_queue(reading: _Reading, nonce: str) -> None:
    """Forget text that left the client's queue as something else than given text."""
    if reading.seen[nonce].shape == QUEUED:
        del reading.seen[nonce]


def _is_echo(entry: Json) -> bool:
    match entry:
        case {"type": "queue-operation", "operation": "enqueue"}:
            return False
        case {"type": "attachment", "attachment": {"type": "queued_command"} as given}:
            return _origin(given) == TYPED
        case {"type": "attachment", "attachment": {"type": kind}}:
            return kind in ECHO_ATTACHMENTS
        case {"type": "user", "message": {"content": str()}}:
            return _origin(entry) == TYPED
        case {"type": "user"}:
            return True
    return entry.get("type") in ECHOES


def _given(entry: Json) -> tuple[str, str]:
    """Return the shape and text of an entry by which text is given to the agent; no shape for an unknown one."""
    match entry:
        case {"type": "attachment", "attachment": {"type": "hook_additional_context"} as given}:
            return SHAPES.get(str(given.get("hookEvent")), ""), _joined(given.get("content"))
        case {"type": "attachment", "attachment": {"type": "queued_command", "prompt": text} as given}:
            return ORIGINS.get(_origin(given), ""), _joined(text)
        case {"type": "user", "message": {"content": str(text)}}:
            return ORIGINS.get(_origin(entry), ""), text
        case {"type": "queue-operation", "content": str(text)}:
            return QUEUED, text
    return "", ""


def _origin(entry: Json) -> str:
    """Return who gave a prompt; a run without a terminal names nobody for its own prompt."""
    return str(_object(entry, "origin").get("kind") or TYPED)


def _verdict(reading: _Reading, offer: Offer, skipped: bool) -> Verdict:
    nonce = offer.nonce
    if nonce in reading.proved:
        return Verdict(nonce=nonce, found="proved", shape=reading.proved[nonce])
    if nonce in reading.seen:
        return Verdict(nonce=nonce, found="shown", shape=reading.seen[nonce].shape)
    if nonce in reading.strange or skipped:
        return Verdict(nonce=nonce, found="unreadable")
    is_late = reading.answer_at > offer.offered_wall + LATE_MS
    return Verdict(nonce=nonce, found="absent" if is_late else "early")


def _wall_of(entry: Json) -> int:
    try:
        return int(datetime.fromisoformat(str(entry.get("timestamp"))).timestamp() * 1000)
    except ValueError:
        return 0


def _joined(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part for part in content if isinstance(part, str)) if isinstance(content, list) else ""


def _text_of(result: Json) -> str:
    """Return the text of a tool's result; quotes that JSON has escaped are quotes again."""
    parts = (str(block.get("text", "")) for block in _blocks({"message": result}, "text"))
    return "\n".join((_joined(result.get("content")), *parts)).replace('\\"', '"')


def _blocks(entry: Json, kind: str) -> Iterator[Json]:
    """List the blocks of a kind in an entry's message."""
    content = _object(entry, "message").get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == kind:
            yield block


def _object(entry: Json, field: str) -> Json:
    value = entry.get(field)
    return value if isinstance(value, dict) else {}

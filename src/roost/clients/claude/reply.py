"""What is said back to Claude Code: exactly the output that each hook event can carry."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from roost.clients.base import Output
from roost.turns.model import ClientEvent, TurnReply

CONTEXT_UNITS_MAX = 10_000
"""Longer context reaches the model as a path and a preview only. The client counts UTF-16 units."""
CUT_NOTE = "\n[cut here: too long for one injection; read the rest with `roost inbox`]"
WAKE_EXIT = 2
"""The exit status by which an `asyncRewake` hook says that its stderr is for the agent."""

TAKES_TITLE = frozenset({"SessionStart", "UserPromptSubmit"})


def answer(event: ClientEvent, reply: TurnReply) -> Output:
    """Say as much of the reply as the event can carry; nothing to say prints nothing."""
    specific: dict[str, Any] = {}
    if event.takes_denial and reply.deny is not None:
        specific |= {"permissionDecision": "deny", "permissionDecisionReason": reply.deny}
    if event.takes_context and reply.context and (event.kind != "turn_end" or reply.keep_going):
        specific["additionalContext"] = fit(reply.context)
    if event.name in TAKES_TITLE and reply.title:
        specific["sessionTitle"] = reply.title
    if not specific:
        return Output()
    said = {"hookSpecificOutput": {"hookEventName": event.name, **specific}}
    return Output(stdout=msgspec.json.encode(said).decode() + "\n")


def wake(text: str) -> Output:
    """Say `text` from a waker: it begins a turn of an idle agent, and reaches a busy one after its tool call."""
    return Output(stderr=fit(text), exit=WAKE_EXIT)


def fit(text: str) -> str:
    """Cut text to what the client passes on whole."""
    if _units(text) <= CONTEXT_UNITS_MAX:
        return text
    room = CONTEXT_UNITS_MAX - _units(CUT_NOTE)
    return text.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore") + CUT_NOTE


def exports(env: Mapping[str, str]) -> str:
    """Return the lines to append to the client's environment file, for the agent's shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2

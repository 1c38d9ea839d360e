"""The types of messages: an open string, a registry of the known ones, and their aliases.

Any type that follows the rule is accepted. A known one has one spelling, so that a filter finds what was sent under
another name, and may say that it asks for something or how severe it is.
"""

from __future__ import annotations

import re

import msgspec

from roost.errors import InvalidText
from roost.priorities import HIGH_FROM

TYPE_CHARACTERS_MAX = 64
DEFAULT = "message"
SEVERITIES = ("info", "warning", "error", "high")
"""How bad what a message tells is, mildest first; says nothing about its urgency."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one type; `asks` means that the sender waits for the recipient to do something."""

    name: str
    asks: bool = False
    severity: str = "info"


def _kinds() -> dict[str, Kind]:
    plain = """message direct broadcast coordination task response status alert system validation feedback onboarding
        info ack conflict
        task.created task.claimed task.updated task.progress task.completed task.failed task.cancelled task.result
        review.started review.finding review.completed review.feedback
        plan.created plan.updated plan.completed test.started test.completed test.result test.failed
        lock.acquired lock.renewed lock.released lock.expired handshake.response
        capability.response context.update"""
    asking = """question challenge negotiation review.request task.delegation capability.query handshake.request"""
    known = [Kind(name=name) for name in plain.split()] + [Kind(name=name, asks=True) for name in asking.split()]
    known.append(Kind(name="blocker", asks=True, severity="high"))
    return {kind.name: kind for kind in known}


KINDS = _kinds()
"""The registry; a type outside it is a plain message under its own name."""

ALIASES = {
    "text": "message",
    "chat": "message",
    "chat.message": "message",
    "agent-to-agent": "direct",
    "human-to-agent": "direct",
    "captain-to-agent": "coordination",
    "system-to-agent": "system",
    "multi-agent-request": "question",
    "blocked": "blocker",
    "completed": "task.completed",
    "review-request": "review.request",
    "review-feedback": "review.feedback",
    "task-delegation": "task.delegation",
    "task-result": "task.result",
    "capability-query": "capability.query",
    "capability-response": "capability.response",
    "context-update": "context.update",
}
"""Names that other tools and habits use, with dashes; case and underscores do not matter."""


def check_type(value: object) -> str:
    """Return the one spelling of a message type: `REVIEW-REQUEST` becomes `review.request`. Raises InvalidText."""
    if not isinstance(value, str):
        raise InvalidText(f"type must be text, not {type(value).__name__}", hint='write "question", for example')
    name = value.casefold() if value.isascii() else value
    if len(name) > TYPE_CHARACTERS_MAX or not _TYPE.fullmatch(name):
        raise InvalidText(
            f"type {repr(value)[:80]} does not follow its rule",
            hint=f"use 1-{TYPE_CHARACTERS_MAX} of a-z, 0-9, dot, underscore and dash",
        )
    if name in KINDS:
        return name
    return ALIASES.get(name.replace("_", "-"), name)


def check_severity(value: object) -> str:
    """Return one of SEVERITIES, given in any case. Raises InvalidText."""
    if isinstance(value, str) and value.casefold() in SEVERITIES:
        return value.casefold()
    raise InvalidText(f"severity {repr(value)[:80]} is not known", hint=f"use one of {', '.join(SEVERITIES)}")


def kind_of(type: str) -> Kind:
    """Return what is known about a type that passed `check_type`."""
    return KINDS.get(type) or Kind(name=type)


def wakes(*, type: str, priority: int, requires_ack: bool, sender_kind: str) -> bool:
    """Say whether a message asks for something: only then may it wake an idle agent or keep one going.

    It does if it requires an acknowledgement, is of a type that asks, has a priority of high or more, or comes from a
    person. Waking costs money.
    """
    return requires_ack or sender_kind == "human" or priority >= HIGH_FROM or kind_of(type).asks

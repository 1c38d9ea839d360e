"""What the tools take and what they answer; the descriptions here are what an agent reads."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

RECIPIENTS_MAX = 10
"""Recipients that an answer tells of one by one; it counts the others."""
LISTED_MAX = 50
"""Agents or leases in one answer."""
FOUND_MAX = 20
TTL_SECONDS = 1_800.0


def _is(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool takes."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a tool answers; a field at its default is left out."""


class SendArguments(Arguments, frozen=True, kw_only=True):
    to: Annotated[str, _is("Agent, #channel or all; several: a,b")]
    text: str
    subject: str = ""
    type: Annotated[str, _is("E.g. question, task, review")] = ""
    priority: Annotated[Literal["low", "normal", "high", "urgent"], _is("From high on it may wake an idle agent")] = (
        "normal"
    )
    requires_ack: bool = False
    key: Annotated[str, _is("Idempotency key: makes a repeated call safe")] = ""


class ReplyArguments(Arguments, frozen=True, kw_only=True):
    message: Annotated[str, _is("E.g. m7")]
    text: str
    requires_ack: bool = False
    key: str = ""


class AckArguments(Arguments, frozen=True, kw_only=True):
    messages: Annotated[str, _is("E.g. m7,m8")]


class InboxArguments(Arguments, frozen=True, kw_only=True):
    message: Annotated[str, _is("Read this one whole, e.g. m7")] = ""
    start: Annotated[int, _is("Character to go on from")] = 0


class LeaseArguments(Arguments, frozen=True, kw_only=True):
    action: Literal["acquire", "renew", "release", "list"]
    key: Annotated[str, _is("Path or glob in the repository, or resource:NAME")] = ""
    ttl: Annotated[float, _is("Seconds, 1-86400")] = TTL_SECONDS
    shared: bool = False
    reason: str = ""


class WhoArguments(Arguments, frozen=True, kw_only=True):
    name: str = ""


class SearchArguments(Arguments, frozen=True, kw_only=True):
    words: str
    sender: str = ""
    channel: str = ""


class Reached(Answer, frozen=True, kw_only=True):
    """How far a message got with one recipient, and what its session does; `why` it waits."""

    name: str
    state: str
    session: str = ""
    why: str = ""


class Posted(Answer, frozen=True, kw_only=True):
    """A stored message; `more` recipients are not listed; `duplicate`: the same key was used before."""

    id: str
    to: tuple[Reached, ...]
    more: int = 0
    duplicate: bool = False


class Acknowledged(Answer, frozen=True, kw_only=True):
    ids: tuple[str, ...]


class Mail(Answer, frozen=True, kw_only=True):
    """Enveloped mail; `more` wait beyond it; `next_start`: where a message that was cut goes on."""

    mail: str
    ids: tuple[str, ...] = ()
    more: int = 0
    next_start: int | msgspec.UnsetType = msgspec.UNSET


class Right(Answer, frozen=True, kw_only=True):
    """One lease; `seconds` are what is left of it."""

    key: str
    holder: str
    token: int
    seconds: float
    shared: bool = False
    reason: str = ""


class Rights(Answer, frozen=True, kw_only=True):
    leases: tuple[Right, ...]
    more: int = 0


class One(Answer, frozen=True, kw_only=True):
    """One agent; `doing` is in its own words."""

    name: str
    kind: str
    state: str
    doing: str = ""
    role: str = ""
    you: bool = False


class Everybody(Answer, frozen=True, kw_only=True):
    agents: tuple[One, ...]
    more: int = 0


class Hit(Answer, frozen=True, kw_only=True):
    """One message that was found; `said` quotes its sender."""

    id: str
    sender: str
    age: str
    said: str


class Hits(Answer, frozen=True, kw_only=True):
    note: str
    found: tuple[Hit, ...]

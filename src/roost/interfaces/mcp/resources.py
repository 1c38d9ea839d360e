"""The resources: an inbox looked at without taking anything, a thread, and who is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from roost.deliveries.envelope import age
from roost.errors import NotFound
from roost.text import agent_line

if TYPE_CHECKING:
    from roost.hub import Hub
    from roost.verbs import Async

INBOX, AGENTS, THREAD = "roost://inbox", "roost://agents", "roost://thread/"
PEEKED_MAX = 50
SUBJECT_CHARACTERS_MAX = 120
ID_CHARACTERS_MAX = 36
"""Of a full id; a short one has fewer."""

Read = Callable[["Hub[Async]"], Awaitable[tuple[str, str]]]
"""Reads a resource with the hub of whoever asks; returns its MIME type and its text."""

LISTED: list[dict[str, Any]] = [
    {
        "uri": INBOX,
        "name": "inbox",
        "description": "The mail that waits for you, by its heads; looking changes nothing.",
        "mimeType": "application/json",
    },
    {
        "uri": AGENTS,
        "name": "agents",
        "description": "The agents of the project, and what they are doing.",
        "mimeType": "application/json",
    },
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "uriTemplate": THREAD + "{id}",
        "name": "thread",
        "description": "A thread, by any message in it (m7): its newest messages.",
        "mimeType": "text/plain",
    }
]


def find(uri: str) -> Read:
    """Return what reads a resource. Raises NotFound."""
    if uri == INBOX:
        return _inbox
    if uri == AGENTS:
        return _agents
    message = uri.removeprefix(THREAD)
    if uri.startswith(THREAD) and message.isascii() and 0 < len(message) <= ID_CHARACTERS_MAX:
        return partial(_thread, message=message)
    raise NotFound(f"there is no resource {uri[:80]!r}", hint=f"read {INBOX}, {AGENTS} or {THREAD}m7")


async def _inbox(hub: Hub[Async]) -> tuple[str, str]:
    page = await hub.messages.peek(limit=PEEKED_MAX)
    now = (await hub.sessions.clock()).now
    mail = [
        {
            "id": item.message.ref,
            "sender": item.message.sender_name,
            "kind": item.message.sender_kind,
            "type": agent_line(item.message.type),
            "subject": agent_line(item.message.subject, most=SUBJECT_CHARACTERS_MAX),
            "age": age(item.message.sent_at, now),
            "state": item.state,
            "requires_ack": item.message.requires_ack,
        }
        for item in page.items
    ]
    return _json({"agent": page.agent, "mail": mail, "more": page.more})


async def _agents(hub: Hub[Async]) -> tuple[str, str]:
    kinds = {one.name: one.kind for one in await hub.agents.list()}
    agents = [
        {
            "name": one.agent,
            "kind": kinds.get(one.agent, "agent"),
            "state": one.state,
            "doing": agent_line(one.operation, most=SUBJECT_CHARACTERS_MAX),
            "client": one.client,
        }
        for one in await hub.sessions.activity()
    ]
    return _json({"agents": agents})


async def _thread(hub: Hub[Async], message: str) -> tuple[str, str]:
    letter = await hub.turns.thread(message)
    return "text/plain", letter.text


def _json(value: Any) -> tuple[str, str]:
    return "application/json", msgspec.json.encode(value).decode()

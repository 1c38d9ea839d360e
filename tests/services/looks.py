"""How agents look at their mail in tests."""

from __future__ import annotations

from roost.hub import Hub
from roost.verbs import Sync


def texts(hub: Hub[Sync], limit: int = 20) -> list[str]:
    """Return what the agent gets with its next look at its mail, which also proves its last look."""
    return [item.message.body for item in hub.messages.inbox(limit=limit).items]


def held(hub: Hub[Sync]) -> int:
    """Return how much the agent's own mail is held."""
    page = hub.messages.peek(states=("held",), limit=1)
    return len(page.items) + page.more


def received(hub: Hub[Sync], limit: int = 20) -> list[str]:
    """Return everything the agent gets now, in order, look by look, until nothing more comes."""
    found: list[str] = []
    while got := texts(hub, limit):
        found += got
    return found

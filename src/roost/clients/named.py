"""Finding a client's adapter by its name."""

from __future__ import annotations

from roost.clients.base import Client


def named(client: str) -> Client:
    """Return the adapter of a client; ValueError for one that is not supported."""
    if client == "claude":
        from roost.clients.claude import Claude

        return Claude()
    raise ValueError(f"no client is called {client!r}")

"""The door: what HTTP, WebSocket, SSE and MCP need of the daemon that they run in, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from roost.history.model import Event
from roost.messages.model import Message

if TYPE_CHECKING:
    from roost.hub import Hub
    from roost.launches.model import Launch
    from roost.verbs import Async

Scope = Literal["send", "read", "lease", "admin"]


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever came through a door: the session that it acts as, and what its token lets it do.

    `token` is the token's id, never the token itself; '' for one who came by the native socket with a session key.
    """

    session: str
    agent: str
    name: str
    kind: str
    scopes: frozenset[str] = frozenset({"send", "read", "lease", "admin"})
    token: str = ""


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events a reader wants; every field that is set must fit. `kinds` are kinds or families (`message`)."""

    recipient: str = ""
    channel: str = ""
    type: str = ""
    task: str = ""
    kinds: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a reader may see it, with the message that it is about, if the reader may see that."""

    event: Event
    message: Message | None = None


class Subscription(Protocol):
    """A place in the log that moves on as events are committed; it misses none and repeats none."""

    @property
    def cursor(self) -> str:
        """Where to go on after a break: behind the last event that `next` returned or passed over."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether there is more in the log already than was returned."""
        ...

    async def next(self, seconds: float) -> Sequence[Told]:
        """Return what came, or () when nothing did for `seconds`. Raises SlowReader for one that fell behind."""
        ...

    def close(self) -> None:
        """Give the place up."""
        ...


class Door(Protocol):
    """The one way from an interface into the hub."""

    async def enter(self, token: str, *, address: str) -> Entrant:
        """Let somebody in by a token. Raises WhoAreYou, and RateLimited for an address that failed too often."""
        ...

    async def still(self, entrant: Entrant) -> None:
        """Raise WhoAreYou once the entrant's token is revoked or expired; known within half a second."""
        ...

    async def launched(self, key: str, *, address: str) -> Launch:
        """Return the client that Roost launched with a key. Raises WhoAreYou, also once its process is gone."""
        ...

    async def hook(self, launch: Launch, raw: bytes) -> str:
        """Take an event of a launched client; return what it is told, as JSON, or ''. In time, and never failing."""
        ...

    def hub(self, entrant: Entrant) -> Hub[Async]:
        """Return the hub of an entrant; each of its verbs needs its scope, and raises Forbidden without it."""
        ...

    def subscribe(self, entrant: Entrant, wanted: Filter, cursor: str | None) -> Subscription:
        """Follow the log behind a cursor, or from now on without one. Raises BadCursor, EpochChanged, Archived."""
        ...

    def status(self) -> dict[str, Any]:
        """Return facts about the daemon: its counts, its age, where it listens."""
        ...

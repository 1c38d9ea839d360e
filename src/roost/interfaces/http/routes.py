"""What a route is, and how a call comes to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from roost.interfaces.http.bodies import Nothing

if TYPE_CHECKING:
    from roost.hub import Hub
    from roost.interfaces.door import Door, Entrant
    from roost.launches.model import Launch
    from roost.verbs import Async

Method = Literal["GET", "POST", "PATCH", "DELETE"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was let in and is well formed: who makes it, and with what."""

    door: Door
    entrant: Entrant
    hub: Hub[Async]
    path: dict[str, str]
    query: Any
    body: Any
    key: str | None
    """The Idempotency-Key header."""


class HookCall(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a launched client tells of, as it wrote it."""

    door: Door
    launch: Launch
    raw: bytes


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list. `cursor` is where to go on while there is `more`."""

    items: tuple[Any, ...]
    cursor: str = ""
    more: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `answer` is the type of its answer, or of the items where it answers a Page."""

    method: Method
    path: str
    summary: str
    handler: Callable[[Any], Awaitable[Any]]
    answer: Any
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] | None = None
    status: int = 200
    is_list: bool = False
    takes_key: bool = False
    tag: str = ""
    takes: Literal["calls", "hooks"] = "calls"
    """Whether a token calls a verb, or a launched client tells of an event: then the handler gets a HookCall."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

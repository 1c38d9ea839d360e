"""A visit: one tool call by somebody whose name the call does not say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from roost.errors import NotFound, WhoAreYou

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from roost.hub import Hub
    from roost.interfaces.door import Door, Entrant
    from roost.turns.letters import Letter
    from roost.verbs import Async

REMEMBERED_MAX = 4_096
"""Sessions of which the mail that they were shown is remembered; one that is forgotten is shown it again."""

ENTRANT = "roost.entrant"
"""Where the scope of an HTTP request says whom its token stands for."""

JOIN = "type `roost join NAME` in a shell of this client, then call again"

Finder = Callable[[str], "Awaitable[Entrant]"]
"""Finds out who is at the other end of a pipe, whose client calls itself so. Raises WhoAreYou."""


async def visit_of(ctx: ServerRequestContext[Guests, Any]) -> Visit:
    """Return the visit that a request of the SDK's server is. Raises WhoAreYou."""
    told = ctx.session.client_params
    return await ctx.lifespan_context.visit(ctx.request, told.client_info.name if told else "")


class Guests(Protocol):
    """Tells who makes a request; each connection of a pipe has its own, all requests over HTTP share one."""

    async def visit(self, request: Any, client: str) -> Visit:
        """Return the visit that a request is, of a client that calls itself so. Raises WhoAreYou.

        Over a pipe there is no request.
        """
        ...

    def whose(self, request: Any) -> str:
        """Return what a request is counted under, whoever makes it."""
        ...

    def forget(self) -> bool:
        """Drop what is known, because the session is over; return whether another one may be there."""
        ...


class Shown:
    """What a session was shown over one connection and has not confirmed; None: nothing is known of earlier answers."""

    def __init__(self) -> None:
        self.refs: tuple[str, ...] | None = None

    def take(self) -> tuple[tuple[str, ...], bool]:
        """Return what the call that comes now confirms, and whether earlier answers may be lost."""
        refs, self.refs = self.refs, ()
        return refs or (), refs is None

    def put_back(self, refs: tuple[str, ...], afresh: bool) -> None:
        """Note that the call failed, and confirmed nothing."""
        self.refs = None if afresh else refs + (self.refs or ())


class Memory:
    """What was shown to whom over HTTP, by session, bounded."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._of: OrderedDict[str, Shown] = OrderedDict()

    def of(self, session: str) -> Shown:
        """Return what a session was shown."""
        shown = self._of.setdefault(session, Shown())
        self._of.move_to_end(session)
        while len(self._of) > self._most:
            self._of.popitem(last=False)
        return shown


class Visit:
    """Whoever calls, its hub, and what it was shown before."""

    def __init__(self, door: Door, entrant: Entrant, shown: Shown) -> None:
        self.door = door
        self.entrant = entrant
        self.hub: Hub[Async] = door.hub(entrant)
        self._shown = shown

    async def ask_for_mail(self) -> Letter:
        """Return the caller's mail; the call confirms what the last one showed."""
        refs, afresh = self._shown.take()
        try:
            letter = await self.hub.turns.inbox(confirmed=refs, afresh=afresh)
        except BaseException:
            self._shown.put_back(refs, afresh)
            raise
        if letter.confirm:
            self._shown.refs = (self._shown.refs or ()) + tuple(f"m{number}" for number in letter.shown)
        return letter

    async def confirm(self) -> None:
        """Confirm what the caller was shown: it calls again, and does so after it had the answer."""
        if not self._shown.refs:
            return
        refs, afresh = self._shown.take()
        try:
            await self.hub.deliveries.confirm(refs)
        except NotFound:  # it was handed over to somebody else meanwhile
            return
        except BaseException:
            self._shown.put_back(refs, afresh)
            raise


class Visitors:
    """Those who come over HTTP: each request names its own, whom the app has let in."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._memory = Memory()

    async def visit(self, request: Any, client: str) -> Visit:
        """Return the visit that a request is."""
        entrant: Entrant = request.scope[ENTRANT]
        return Visit(self._door, entrant, self._memory.of(entrant.session))

    def whose(self, request: Any) -> str:
        """Return the session of a request."""
        entrant: Entrant = request.scope[ENTRANT]
        return entrant.session

    def forget(self) -> bool:
        """Nothing is kept that another look could change."""
        return False


class Pipe:
    """The one at the other end of a pipe: looked for until found, and again when its session is over."""

    def __init__(self, door: Door, find: Finder) -> None:
        self._door = door
        self._find = find
        self._entrant: Entrant | None = None
        self._shown = Shown()

    async def visit(self, request: Any, client: str) -> Visit:
        """Return a visit of whoever is there. Raises WhoAreYou."""
        if self._entrant is None:
            try:
                self._entrant = await self._find(client)
            except WhoAreYou as error:
                raise WhoAreYou(error.message, hint=JOIN) from None
        return Visit(self._door, self._entrant, self._shown)

    def whose(self, request: Any) -> str:
        """All requests are of this one connection, which has a server to itself."""
        return ""

    def forget(self) -> bool:
        """Look anew: the session that was there is over."""
        self._entrant = None
        self._shown = Shown()
        return True

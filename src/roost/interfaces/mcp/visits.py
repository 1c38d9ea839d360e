"""A visit: one tool call by somebody whose name the call does not say."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from roost.errors import NotFound, RoostError, WhoAreYou
from roost.interfaces.fates import CARRIER, Carrier, Fate, Known
from roost.interfaces.mcp.shown import Memory, Shown

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from roost.hub import Hub
    from roost.interfaces.door import Door, Entrant
    from roost.turns.letters import Letter
    from roost.verbs import Async

ENTRANT = "roost.entrant"
"""Where the scope of an HTTP request says whom its token stands for."""

GIVEN_UP_MAX = 64
"""Requests that a client gave up last, of as many as wait to be taken."""
JOIN = "type `roost join NAME` in a shell of this client, then call again"

ANSWERS = "notifications/roost/answers"
"""What the pipe says in between of the answers that it copied; see program.py."""
CANCELLED = "notifications/cancelled"

Id = str | int | None
Finder = Callable[[str], "Awaitable[Entrant]"]
"""Finds out who is at the other end of a pipe, whose client calls itself so. Raises WhoAreYou."""


async def visit_of(ctx: ServerRequestContext[Guests, Any]) -> Visit:
    """Return the visit that a request of the SDK's server is. Raises WhoAreYou."""
    told = ctx.session.client_params
    return await ctx.lifespan_context.visit(ctx.request, ctx.request_id, told.client_info.name if told else "")


class Guests(Protocol):
    """Tells who makes a request; each connection of a pipe has its own, all requests over HTTP share one."""

    async def visit(self, request: Any, id: Id, client: str) -> Visit:
        """Return the visit that a request is, of a client that calls itself so. Raises WhoAreYou.

        Over a pipe there is no `request`; `id` is the protocol's.
        """
        ...

    def whose(self, request: Any) -> str:
        """Return what a request is counted under, whoever makes it."""
        ...

    def forget(self) -> bool:
        """Drop what is known, because the session is over; return whether another one may be there."""
        ...


class Visit:
    """Whoever calls, its hub, and what it was shown before."""

    def __init__(self, door: Door, entrant: Entrant, shown: Shown, fate: Callable[[], Fate]) -> None:
        self._fate = fate
        self.door = door
        self.entrant = entrant
        self.hub: Hub[Async] = door.hub(entrant)
        self._shown = shown

    async def ask_for_mail(self) -> Letter:
        """Return the caller's mail, and use what is known of the answers before."""
        async with self._shown.one_at_a_time:  # one that its client just gave up may have shown something
            return await self._ask_for_mail()

    async def _ask_for_mail(self) -> Letter:
        known, afresh = self._shown.take("read", "handed", "lost"), self._shown.take_afresh()
        try:
            letter = await self.hub.turns.inbox(
                confirmed=known["read"], handed=known["handed"], lost=known["lost"], afresh=afresh
            )
        except BaseException as error:
            self._shown.put_back(known, afresh=afresh or not isinstance(error, RoostError))
            raise
        if letter.confirm and letter.shown:
            self._shown.add(self._fate(), tuple(f"m{number}" for number in letter.shown))
        return letter

    async def confirm(self) -> None:
        """Confirm what the caller was shown by answers that it has: it calls again."""
        known = self._shown.take("read", "handed")
        try:
            if known["read"]:
                await self.hub.deliveries.confirm(known["read"], by="read")
            if known["handed"]:
                await self.hub.deliveries.confirm(known["handed"], by="handed")
        except NotFound:  # it was handed over to somebody else meanwhile
            return
        except BaseException:
            self._shown.put_back(known)
            raise


class Visitors:
    """Those who come over HTTP: each request names its own, whom the app has let in."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._memory = Memory()

    async def visit(self, request: Any, id: Id, client: str) -> Visit:
        """Return the visit that a request is."""
        entrant: Entrant = request.scope[ENTRANT]
        carrier: Carrier = request.scope[CARRIER]
        return Visit(self._door, entrant, self._memory.of(entrant.session), carrier.fate)

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
        self._fates: dict[str | int, Fate] = {}
        self._given_up: deque[object] = deque(maxlen=GIVEN_UP_MAX)

    async def visit(self, request: Any, id: Id, client: str) -> Visit:
        """Return a visit of whoever is there. Raises WhoAreYou."""
        if self._entrant is None:
            try:
                self._entrant = await self._find(client)
            except WhoAreYou as error:
                raise WhoAreYou(error.message, hint=JOIN) from None
        return Visit(self._door, self._entrant, self._shown, partial(self._fate, id))

    def heard(self, method: str, params: dict[str, Any] | None) -> None:
        """Take what the pipe tells of answers: those that its client read, or has from it; or gave up before."""
        said = params or {}
        if method == ANSWERS:
            self._decide(said.get("read"), "read")
            self._decide(said.get("handed"), "handed")
        elif method == CANCELLED:
            self._given_up.append(said.get("requestId"))  # it may be served just now, and show something
            self._decide([said.get("requestId")], "lost")

    def _fate(self, id: Id) -> Fate:
        if id is None or id in self._given_up:
            return Fate("lost")
        return self._fates.setdefault(id, Fate())

    def _decide(self, answers: object, known: Known) -> None:
        for answer in answers if isinstance(answers, list) else ():
            fate = self._fates.pop(answer, None) if isinstance(answer, (str, int)) else None
            if fate is not None:
                fate.known = known

    def whose(self, request: Any) -> str:
        """All requests are of this one connection, which has a server to itself."""
        return ""

    def forget(self) -> bool:
        """Look anew: the session that was there is over."""
        self._entrant = None
        self._shown = Shown()
        self._fates.clear()
        return True

"""`subscriptions/listen`: a hint that the inbox has something new, for clients that subscribe to its resource.

It holds no content and promises nothing: whoever misses one finds the mail at the next look.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from roost.errors import RoostError
from roost.interfaces.door import Filter
from roost.interfaces.mcp.resources import INBOX
from roost.interfaces.mcp.visits import Guests, Visit, visit_of

LISTENING_MAX = 8
"""Open streams of one session, or of one pipe."""
LOOK_SECONDS = 0.4
"""How often a token is looked at: a revoked one is told nothing more within a second."""


class Listening:
    """All open streams of one server, bounded for each of its guests."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def listen(
        self, ctx: ServerRequestContext[Guests, Any], params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one stream until its client ends it."""
        guests = ctx.lifespan_context
        whose = guests.whose(ctx.request)
        if self._open[whose] >= LISTENING_MAX:
            raise MCPError(types.INVALID_REQUEST, f"{LISTENING_MAX} streams are open here already; close one")
        self._open[whose] += 1
        try:
            return await _listen(ctx, params)
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]


async def _listen(
    ctx: ServerRequestContext[Guests, Any], params: types.SubscriptionsListenRequestParams
) -> types.SubscriptionsListenResult:
    bus = InMemorySubscriptionBus()
    stream = ListenHandler(bus)
    wants_mail = INBOX in (params.notifications.resource_subscriptions or ())
    if not wants_mail and ctx.request is None:
        return await stream(ctx, params)  # the lists of tools and resources never change; a pipe ends with its token
    visit = await visit_of(ctx)
    async with anyio.create_task_group() as tasks:
        if wants_mail:
            tasks.start_soon(_tell, visit, bus, stream)
        else:
            tasks.start_soon(_watch, visit, stream)
        result = await stream(ctx, params)
        tasks.cancel_scope.cancel()
    return result


async def _watch(visit: Visit, stream: ListenHandler) -> None:
    """End a stream on which nothing ever comes, once the visitor may not come in any more."""
    try:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            await visit.door.still(visit.entrant)
    except RoostError:
        stream.close()


async def _tell(visit: Visit, bus: InMemorySubscriptionBus, stream: ListenHandler) -> None:
    """Hint at each message that comes for the visitor, for as long as it may come in."""
    wanted = Filter(recipient=visit.entrant.name, kinds=("message",))
    try:
        place = visit.door.subscribe(visit.entrant, wanted, None)
    except RoostError:
        stream.close()
        return
    try:
        while True:
            if await place.next(LOOK_SECONDS):
                await bus.publish(ResourceUpdated(uri=INBOX))
            await visit.door.still(visit.entrant)
    except RoostError:  # the token was revoked, or the reader fell behind: a new stream is told which
        stream.close()
    finally:
        place.close()

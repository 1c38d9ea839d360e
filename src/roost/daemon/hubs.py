"""Hubs inside the daemon: their calls go to the core, in the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from roost.hub import Hub
from roost.verbs import Async

if TYPE_CHECKING:
    from roost.daemon.core import Core
    from roost.verbs import Stream, Verb

LOOK_SECONDS = 0.4
"""How often the tokens of open connections and of calls that block are looked at: a revoked one is off in a second,
though one that was good is taken for good for half of it."""

Allow = Callable[[type, Any], None]
Still = Callable[[], Coroutine[Any, Any, None]]


class OnLoop:
    """The caller of a hub inside the daemon.

    `allow` refuses what the caller's token does not allow; `still` raises once that token is valid no more.
    """

    def __init__(self, core: Core, session: str, allow: Allow, still: Still | None) -> None:
        self._core = core
        self._session = session
        self._allow = allow
        self._still = still

    async def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._allow(service, verb)
        work = self._core.call(self._session, verb, service, args, kwargs)
        if verb.mode != "wait" or self._still is None:
            return await work
        return await self._while_let_in(self._core.loop.create_task(work), self._still)

    async def _while_let_in(self, work: asyncio.Task[Any], still: Still) -> Any:
        """Return the result of a call that blocks; a token that is revoked meanwhile gives it up."""
        try:
            while not (await asyncio.wait({work}, timeout=LOOK_SECONDS))[0]:
                await still()
            return work.result()
        finally:
            work.cancel()

    async def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncIterator[Any]:
        self._allow(service, stream)
        named = dict(zip(stream.body.__code__.co_varnames[1:], args, strict=False))
        async for item in self._core.follow(self._session, stream, named | kwargs):
            yield item


def hub_of(
    core: Core, session: str, allow: Allow = lambda service, verb: None, still: Still | None = None
) -> Hub[Async]:
    """Return the hub of a session inside the daemon; see OnLoop."""
    return Hub(OnLoop(core, session, allow, still))

"""The door for HTTP, WebSocket, SSE and MCP: tokens become sessions, calls go to the core. See interfaces.door."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from roost.agents.service import Agents
from roost.daemon.entering import enter_by_token
from roost.daemon.feed import Events
from roost.daemon.hubs import hub_of
from roost.daemon.news import channel_key
from roost.errors import Forbidden, SlowReader, Unavailable, WhoAreYou
from roost.history.service import History
from roost.interfaces.door import Entrant, Filter, Told
from roost.interfaces.wire.table import Op
from roost.launches.service import Launches
from roost.sessions.service import Sessions
from roost.tokens.rules import scope_of
from roost.tokens.service import HINT, MISSING, Tokens
from roost.verbs import Async, InTx, Sync

if TYPE_CHECKING:
    from roost.daemon.core import Core
    from roost.daemon.news import News
    from roost.hub import Hub
    from roost.launches.model import Launch

KNOWN_SECONDS = 0.5
"""How long a token that was good is taken for good: half of the second within which a revoked one must be refused."""
KNOWN_MAX = 10_000
TOLD_SECONDS = 60.0
"""The same refusal is written down once in so long."""
BEHIND_SECONDS_MAX = 5.0
"""A reader whose queue ran over, and that has not come to the end of the log in this time, is cut off."""
BEAT_SECONDS = 30.0
"""How often an open connection counts as a sign of life; a session without a process lives by those."""


class DaemonDoor:
    """See `interfaces.door.Door`."""

    def __init__(
        self,
        core: Core,
        facts: Callable[[], dict[str, Any]],
        hook: Callable[[Launch, bytes], Awaitable[str]] | None = None,
    ) -> None:
        self._core = core
        self._hook = hook
        self._facts = facts
        self._known: dict[str, tuple[float, Entrant]] = {}
        self._checked: dict[str, float] = {}
        self._beaten: dict[str, float] = {}
        self._told: dict[str, float] = {}

    async def enter(self, token: str, *, address: str) -> Entrant:
        if not token:
            self._tell(address, address=address)
            raise WhoAreYou(MISSING, hint=HINT)
        known = self._known.get(token)
        if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        entrant = await enter_by_token(self._core, token, address=address)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[token] = time.monotonic(), entrant
        return entrant

    async def still(self, entrant: Entrant) -> None:
        if not entrant.token or time.monotonic() - self._checked.get(entrant.token, -1.0) < KNOWN_SECONDS:
            return
        if len(self._checked) >= KNOWN_MAX:
            self._checked.clear()
            self._beaten.clear()
        if not await self._core.call("", Tokens.valid, Tokens, (entrant.token,), {}):
            raise WhoAreYou("this token is not valid any more", hint="get a new one: `roost token create`")
        self._core.me(entrant.session)
        self._checked[entrant.token] = time.monotonic()
        if time.monotonic() - self._beaten.get(entrant.session, 0.0) > BEAT_SECONDS:
            self._beaten[entrant.session] = time.monotonic()
            await self._beat(entrant.session)

    async def launched(self, key: str, *, address: str) -> Launch:
        try:
            found: Launch = self._core.read("", Launches.admit, Launches, (key,), {})
        except WhoAreYou:
            self._tell(address, address=address)
            raise
        return found

    async def hook(self, launch: Launch, raw: bytes) -> str:
        if self._hook is None:
            raise Unavailable("no hooks are taken here", hint="see `roost doctor`")
        return await self._hook(launch, raw)

    def hub(self, entrant: Entrant) -> Hub[Async]:
        def allow(service: type, verb: Any) -> None:
            self._check(entrant, service.__module__.split(".")[1], verb.name, getattr(verb, "mode", "stream"))

        return hub_of(self._core, entrant.session, allow, partial(self.still, entrant))

    def allow_by_wire(self, entrant: Entrant, found: Op) -> None:
        """Refuse by wire what a token does not allow. Raises Forbidden."""
        service, _, verb = found.name.partition(".")
        self._check(entrant, service, verb, found.mode)

    def subscribe(self, entrant: Entrant, wanted: Filter, cursor: str | None) -> DoorSubscription:
        self._check(entrant, "history", "follow", "stream")
        return DoorSubscription(self._core, entrant, wanted, cursor)

    def status(self) -> dict[str, Any]:
        return self._facts()

    def _check(self, entrant: Entrant, service: str, verb: str, mode: str) -> None:
        try:
            check_scope(entrant, service, verb, mode)
        except Forbidden as refused:
            scope = refused.details.get("scope", "none")
            self._tell(entrant.token, token=entrant.token, verb=f"{service}.{verb}", scope=scope)
            raise

    async def _beat(self, session: str) -> None:
        """Give a session without a process a sign of life; what it does, and what a client's hooks say, stays so."""
        with self._core.reading() as tx:
            found = Sessions[Sync](InTx(tx)).known(session)
        if found.process is None:
            doing = {"operation": found.operation, "mark": found.mark}
            await self._core.call(session, Sessions.beat, Sessions, (found.state,), doing)

    def _tell(self, who: str, **about: str) -> None:
        """Write a refusal into the log beside the calls; more of them cost nothing."""
        if time.monotonic() - self._told.get(who, -TOLD_SECONDS) < TOLD_SECONDS:
            return
        if len(self._told) >= KNOWN_MAX:
            self._told.clear()
        self._told[who] = time.monotonic()
        self._core.spawn(self._core.call("", Tokens.denied, Tokens, (), about))


class DoorSubscription:
    """See `interfaces.door.Subscription`."""

    def __init__(self, core: Core, entrant: Entrant, wanted: Filter, cursor: str | None) -> None:
        me = core.me(entrant.session)
        with core.reading() as tx:
            tx.me = me
            history = History[Sync](InTx(tx))
            start = history.head().cursor if cursor is None else cursor
            history.since(start, kinds=wanted.kinds, limit=1)  # raises what is wrong with it
            recipient = Agents[Sync](InTx(tx)).get(wanted.recipient).id if wanted.recipient else ""
        self._news = asyncio.Event()

        def shown(news: News) -> Told:
            return Told(event=news.event, message=news.message if news.is_open_to(me) else None)

        fits = _fitting(wanted, recipient)
        one = recipient or channel_key(wanted.channel.removeprefix("#"))
        self._source = Events(start, kinds=wanted.kinds, keys=(one,) if one else (), fits=fits, shown=shown)
        self._place = core.feed.open(self._source, self._news.set)
        self._cursor = start

    @property
    def cursor(self) -> str:
        return self._cursor

    @property
    def is_behind(self) -> bool:
        return self._place.is_behind

    async def next(self, seconds: float) -> Sequence[Told]:
        since = self._place.behind_since
        if since is not None and time.monotonic() - since > BEHIND_SECONDS_MAX:
            raise SlowReader("this reader fell behind", hint="go on from the cursor", cursor=self.cursor)
        self._news.clear()
        found = self._take()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not found:
                    await self._news.wait()
                    self._news.clear()
                    found = self._take()
        return found

    def _take(self) -> list[Told]:
        found: list[Told] = self._place.take()
        self._cursor = self._source.cursor  # the queue is empty now: the source has passed what is returned, no more
        return found

    def close(self) -> None:
        self._place.close()


def check_scope(entrant: Entrant, service: str, verb: str, mode: str) -> None:
    """Raise Forbidden where an entrant's token does not allow a verb; one without a token came by its own session."""
    if not entrant.token:
        return
    scope = scope_of(service, verb, mode)
    if scope == "none":
        raise Forbidden(f"{service}.{verb} is offered by no door", hint="Roost itself calls it")
    if scope not in entrant.scopes:
        raise Forbidden(f"this token may not {service}.{verb}", hint=f"it needs the scope {scope}", scope=scope)


def _fitting(wanted: Filter, recipient: str) -> Callable[[News], bool]:
    channel = wanted.channel.removeprefix("#")

    def fits(news: News) -> bool:
        message = news.message
        return (
            (not recipient or recipient in news.to)
            and (not channel or (message is not None and message.channel == channel))
            and (not wanted.type or wanted.type in (news.event.kind, message.type if message else ""))
            and (not wanted.task or news.event.data.get("task") == wanted.task)
        )

    return fits

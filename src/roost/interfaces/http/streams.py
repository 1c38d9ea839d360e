"""What WebSockets and event streams share: who is connected, how many may be, and who is not let on any longer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from roost.errors import Exhausted, LimitReached, RateLimited, RoostError, Stopping, Unavailable

if TYPE_CHECKING:
    from roost.interfaces.door import Door, Entrant, Told

PER_PRINCIPAL_MAX = 8
LOOK_SECONDS = 0.4
"""How often tokens of open connections are looked at: one that is revoked is off within a second."""
SEND_SECONDS_MAX = 10.0
"""A reader that takes nothing for so long is cut off; it has its cursor."""


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """One event as a reader gets it; reading goes on behind it from `cursor`."""

    cursor: str
    told: Told


class Connected:
    """One connection: whose it is, and how it is ended from outside."""

    __slots__ = ("entrant", "over", "why")

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self.over = asyncio.Event()
        self.why: RoostError | None = None

    def end(self, why: RoostError) -> None:
        """End the connection."""
        self.why = why
        self.over.set()


class Connections:
    """Everybody who is connected by a stream."""

    def __init__(self, door: Door, *, most: int) -> None:
        self._door = door
        self._most = most
        self._open: set[Connected] = set()
        self._per_principal: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self._over: RoostError | None = None
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, entrant: Entrant) -> Connected:
        """Take up a connection. Raises RateLimited for one too many in all, LimitReached for one of its principal, and
        what ended the others."""
        if self._over is not None:
            raise self._over
        if len(self._open) >= self._most:
            raise RateLimited(f"{self._most:,} streams are open", hint="try again later", retry_after=5.0)
        if self._per_principal[entrant.agent] >= PER_PRINCIPAL_MAX:
            raise LimitReached(f"{entrant.name} has {PER_PRINCIPAL_MAX} streams open", hint="close one of them")
        made = Connected(entrant)
        self._open.add(made)
        self._per_principal[entrant.agent] += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return made

    def remove(self, connected: Connected) -> None:
        """A connection is over."""
        if connected in self._open:
            self._open.discard(connected)
            self._per_principal[connected.entrant.agent] -= 1
            if not self._per_principal[connected.entrant.agent]:
                del self._per_principal[connected.entrant.agent]
            if self._over is not None and not self._open:
                self._emptied.set()

    async def end(self, why: RoostError, *, seconds: float) -> None:
        """Tell every connection why it ends, and let in no other; return when they are over, or after so long."""
        self._over = why
        for one in tuple(self._open):
            one.end(why)
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._emptied.wait()

    async def _watch(self) -> None:
        """End the connections of tokens that are valid no more; goes on while anybody is connected."""
        while self._open:
            await asyncio.sleep(LOOK_SECONDS)
            by_token: dict[str, list[Connected]] = {}
            for one in self._open:
                by_token.setdefault(one.entrant.token, []).append(one)
            for found in by_token.values():
                try:
                    await self._door.still(found[0].entrant)
                except Unavailable:
                    continue  # the store says it at the next look
                except RoostError as error:
                    for one in found:
                        one.end(error)


def close_code(error: RoostError) -> int:
    """Return the close code of a WebSocket for an error: 1012 where the daemon stops, 1013 where trying again later
    helps, else 1008."""
    if isinstance(error, Stopping):
        return 1012
    return 1013 if isinstance(error, Exhausted) and error.retryable else 1008


Encode = Callable[[object], bytes]
encode: Encode = msgspec.json.Encoder(enc_hook=str).encode

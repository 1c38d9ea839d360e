"""What the connections of the native protocol share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from roost.daemon.hubs import LOOK_SECONDS
from roost.daemon.native import Connection
from roost.daemon.outflow import Framing
from roost.errors import RoostError, Unavailable

if TYPE_CHECKING:
    from roost.daemon.core import Core
    from roost.interfaces.door import Entrant
    from roost.interfaces.wire.frames import Hello
    from roost.interfaces.wire.table import Op


class Doors:
    """What every connection shares."""

    def __init__(
        self,
        core: Core,
        *,
        hook: Callable[[bytes, int], asyncio.Future[bytes]],
        pipe: Callable[[Hello, Connection], Coroutine[Any, Any, None]],
        allow: Callable[[Entrant, Op], None],
        make_way: Callable[[str], bool] = lambda version: False,
        is_lost_by: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        """`make_way` ends the daemon for a caller of a newer Roost, or says that it stays; `is_lost_by` ends it where
        a call failed because the project is not where it was, and says so."""
        self.core = core
        self.hook = hook
        self.pipe = pipe
        self.allow = allow
        self.make_way = make_way
        self.is_lost_by = is_lost_by
        self.connections: set[Connection] = set()
        self.strangers: set[Connection] = set()
        self.framing = Framing()
        self.last_left = time.monotonic()
        self.is_closing = False  # nothing more is taken: whoever asks now asks the next daemon

    def connection(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(self)

    async def watch(self, still: Callable[[Entrant], Coroutine[Any, Any, None]]) -> None:
        """Hang up on those whose token is valid no more. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for connection in [one for one in self.connections if one.entrant is not None and one.entrant.token]:
                try:
                    await still(connection.entrant)  # type: ignore[arg-type]
                except Unavailable:
                    continue  # the store says it at the next look
                except RoostError as error:
                    connection.hang_up(error)

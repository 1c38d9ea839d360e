"""What flows out of one native connection until its peer has enough: events, messages, mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.errors import RoostError
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import ITEM

if TYPE_CHECKING:
    from roost.daemon.core import Core
    from roost.daemon.feed import Place
    from roost.daemon.listening import Listener
    from roost.daemon.native import Connection
    from roost.messages.model import Page


KEPT_BYTES_MAX = 256 * 1024
"""Of a frame that is kept until another one is made."""


class Framing:
    """Makes frames of items; those that many streams get, one after the other, are one frame."""

    def __init__(self) -> None:
        self._id = -1
        self._items: list[bytes] = []
        self._frame = b""

    def of(self, id: int, items: list[bytes]) -> bytes | None:
        """Return the frame of a stream's items; None for more than a frame holds."""
        if id == self._id and items == self._items:
            return self._frame
        body = frames.array(items)
        if len(body) > frames.BODY_BYTES_MAX:
            return None
        frame = frames.answer(id, ITEM, body)
        if len(frame) <= KEPT_BYTES_MAX:
            self._id, self._items, self._frame = id, items, frame
        return frame


class Following:
    """A stream of events or messages: written as they come, as fast as the peer reads."""

    __slots__ = ("_connection", "_id", "_place")

    def __init__(self, connection: Connection, core: Core, id: int, name: str, kwargs: dict[str, Any]) -> None:
        self._connection = connection
        self._id = id
        assert connection.entrant is not None
        self._place: Place = core.place(connection.entrant.session, name, kwargs, self.pump, packed=True)
        core.loop.call_soon(self.pump)

    def pump(self) -> None:
        """Write what is there, until the peer has enough for now."""
        try:
            while not self._connection.is_full:
                items = self._place.take()
                if not items:
                    return
                self._connection.push(self._id, items)
        except RoostError as error:
            self.stop()
            self._connection.ended(self._id, error)

    def stop(self) -> None:
        """Tell the peer nothing more."""
        self._place.close()


class Listening:
    """A session's own mail as a stream; the next page goes out when the peer asks for it, which proves the last."""

    __slots__ = ("_connection", "_core", "_id", "_listener")

    def __init__(self, connection: Connection, core: Core, id: int, name: str, kwargs: dict[str, Any]) -> None:
        self._connection = connection
        self._core = core
        self._id = id
        assert connection.entrant is not None
        self._listener: Listener = core.listen(connection.entrant.session, self._tell, **kwargs)

    def more(self) -> None:
        """The peer has what it was given, and wants more."""
        self._core.listeners.ask(self._listener)

    def stop(self) -> None:
        """Give the peer no more mail."""
        self._core.listeners.remove(self._listener)

    def _tell(self, page: Page | None, error: BaseException | None) -> None:
        if error is not None or page is None:
            self.stop()
            self._connection.ended(self._id, error)
            return
        self._connection.say(self._id, ITEM, frames.encode(page.items))

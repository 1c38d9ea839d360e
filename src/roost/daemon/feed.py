"""The feed: each new event is read once, and told to every reader that stands at the end of the log.

A reader that is behind reads pages of its own from the store until it has caught up. One that stops reading costs
nothing but its queue: past QUEUE_MAX it is behind again. So no reader misses or repeats anything, and none is waited
for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from roost.daemon.news import News, channel_key, news_of
from roost.history.model import Event
from roost.history.service import History
from roost.messages.model import Message
from roost.sessions.model import SYSTEM, Me
from roost.verbs import InTx, Sync

if TYPE_CHECKING:
    from roost.stores.sqlite.tx import SqliteTx

QUEUE_MAX = 1_000
QUEUE_BYTES_MAX = 4 * 1024 * 1024
"""What waits for one reader, by its texts; beyond either the reader goes back to reading the store."""
SPOON_BYTES = 64 * 1024
"""With so much in its queue a reader is woken, whatever more there is for it: it gets no more than that at once."""
EVERYTHING = ("",)
NOBODY: frozenset[Any] = frozenset()
PAGE = 200
CHUNK = 500

Reads = Callable[[], AbstractContextManager["SqliteTx"]]


class Source(Protocol):
    """What one reader wants, and how far it has read.

    It is told of events that have one of its `keys` (see `News.keys`), of every event if it names none.
    """

    keys: tuple[str, ...]

    def page(self, tx: SqliteTx) -> tuple[list[Any], bool]:
        """Read on from the store: items, and whether the end is reached."""
        ...

    def take(self, news: News) -> Any:
        """Return what this reader gets of an event, or None; it has passed the event either way, and all before it."""
        ...


class Place:
    """One reader's place in the log. `wake` is called when there is something to take."""

    __slots__ = ("_bytes", "_feed", "_is_closed", "_is_told", "_queue", "behind_since", "source", "wake")

    def __init__(self, feed: Feed, source: Source, wake: Callable[[], None]) -> None:
        self._feed = feed
        self.source = source
        self.wake = wake
        self._queue: list[Any] = []
        self._bytes = 0
        self._is_told = False
        self._is_closed = False
        self.behind_since: float | None = None
        """When the queue ran over, while the end of the log has not been reached since; by the monotonic clock."""

    @property
    def is_behind(self) -> bool:
        """Whether the end of the log is not reached."""
        return not self._is_told

    def take(self) -> list[Any]:
        """Return what is there, oldest first, of one page at most where the reader is behind.

        It is woken while there may be more: a filter that fits nothing in a long log keeps nobody else waiting. Raises
        what reading the log raises.
        """
        if self._queue:
            items, self._queue, self._bytes = self._queue, [], 0
            return items
        if self._is_told or self._is_closed:
            return []
        items, at_end = self._feed.catch_up(self)
        if at_end:
            self._is_told, self.behind_since = True, None
        else:
            asyncio.get_running_loop().call_soon(self._go_on)
        return items

    def tell(self, told: Sequence[News]) -> None:
        """Queue what this reader gets of some events, and wake it for as long as there is something.

        With a full queue it is told nothing more, and has not passed what follows.
        """
        for news in told:
            if not self._is_told:
                break
            if len(self._queue) >= QUEUE_MAX or self._bytes >= QUEUE_BYTES_MAX:
                self._is_told = False
                self.behind_since = self.behind_since or time.monotonic()
                self._feed.leave(self)
                break
            item = self.source.take(news)
            if item is None:
                continue
            self._queue.append(item)
            if news.message is not None:
                self._bytes += len(news.message.body)
                if self._bytes >= SPOON_BYTES:
                    self.wake()
        if self._queue:
            self.wake()

    def close(self) -> None:
        """Give the place up."""
        self._is_closed, self._is_told = True, False
        self._queue = []
        self._feed.leave(self)

    def _go_on(self) -> None:
        if not self._is_closed:
            self.wake()


class Feed:
    """Tells readers at the end of the log of each new event."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._live: set[Place] = set()
        self._by_key: dict[str, set[Place]] = {}
        self._seq = 0
        self._is_telling = False
        self.told = 0

    def __len__(self) -> int:
        return len(self._live)

    def open(self, source: Source, wake: Callable[[], None]) -> Place:
        """Return a place for a reader, which takes from it, and again when it is woken."""
        return Place(self, source, wake)

    def leave(self, place: Place) -> None:
        """Tell a reader nothing more."""
        if place not in self._live:
            return
        self._live.discard(place)
        for key in place.source.keys or EVERYTHING:
            self._by_key[key].discard(place)
            if not self._by_key[key]:
                del self._by_key[key]

    def catch_up(self, place: Place) -> tuple[list[Any], bool]:
        """Read a page for a reader that is behind; one that reaches the end is told from now on."""
        self.advance()
        with self._reads() as tx:
            tx.me = SYSTEM
            items, at_end = place.source.page(tx)
            if at_end:
                if not self._live:
                    self._seq = tx.seq
                self._live.add(place)
                for key in place.source.keys or EVERYTHING:
                    self._by_key.setdefault(key, set()).add(place)
        return items, at_end

    def advance(self, committed: SqliteTx | None = None) -> None:
        """Read what was committed since the last look, and tell it.

        The transaction that just committed it, if given, reads it from its own cache; others read pages anew.
        """
        more = not self._is_telling
        while more and self._live:
            with nullcontext(committed) if committed is not None else self._reads() as tx:
                told, more = self._read_on(tx)
            self.told += len(told)
            wanted: dict[Place, list[News]] = {}
            for news in told:
                for place in self._interested(news):
                    wanted.setdefault(place, []).append(news)
            self._is_telling = True  # who catches up meanwhile does not tell others what follows before this
            try:
                for place, its in wanted.items():
                    place.tell(its)
            finally:
                self._is_telling = False

    def _read_on(self, tx: SqliteTx) -> tuple[list[News], bool]:
        """Return what came since the last look, and whether there is more."""
        if tx.seq <= self._seq:
            return [], False
        epoch, after, until = tx.store_epoch, self._seq, tx.seq
        found = tx.all(
            Event, "history.page", epoch=epoch, after=after, until=until, kinds=None, actor=None, limit=CHUNK
        )
        told, more = [news_of(tx, event) for event in found], len(found) == CHUNK
        self._seq = found[-1].seq if more else until
        return told, more

    def _interested(self, news: News) -> set[Place]:
        """Return who wants to be told, each once: thousands of idle readers cost a busy one nothing."""
        found: set[Place] = set()
        for key in (*EVERYTHING, *news.keys()):
            found |= self._by_key.get(key, NOBODY)
        return found


class Events:
    """Follows events: those of some kinds, of one actor, about one object, and whatever else `fits` asks for."""

    def __init__(
        self,
        cursor: str,
        *,
        kinds: Sequence[str] = (),
        actor: str = "",
        actor_id: str = "",
        object: str = "",
        object_id: str = "",
        keys: tuple[str, ...] = (),
        fits: Callable[[News], bool] = lambda news: True,
        shown: Callable[[News], Any] = lambda news: news,
    ) -> None:
        self.cursor = cursor
        self._kinds = tuple(kinds)
        self._actor, self._actor_id = actor, actor_id
        self._object, self._object_id = object, object_id
        self._fits = fits
        self._shown = shown
        self._seq = 0
        one = object_id or actor_id
        self.keys = keys or ((one,) if one else self._kinds)

    def page(self, tx: SqliteTx) -> tuple[list[Any], bool]:
        page = History[Sync](InTx(tx)).since(
            self.cursor, kinds=self._kinds, actor=self._actor, object=self._object, limit=PAGE
        )
        found = [news_of(tx, event) for event in page.events]
        self.cursor, self._seq = page.cursor, tx.seq
        return [self._shown(news) for news in found if self._fits(news)], not page.more

    def take(self, news: News) -> Any:
        event = news.event
        if event.seq <= self._seq:
            return None
        self._seq, self.cursor = event.seq, event.cursor
        wanted = (
            (not self._kinds or news.is_of(self._kinds))
            and (not self._actor or event.actor == self._actor_id)
            and (not self._object or event.object == self._object_id)
        )
        return self._shown(news) if wanted and self._fits(news) else None


class Conversation:
    """Follows messages behind a number: of a channel, with an agent, as far as the reader may see them."""

    def __init__(
        self, me: Me, *, after: int, channel: str, agent: str, agent_id: str, shown: Callable[[News], Any]
    ) -> None:
        self._me = me
        self._number = after
        self._channel = channel
        self._agent, self._agent_id = agent, agent_id
        self._shown = shown
        self.keys: tuple[str, ...] = (channel_key(channel) if channel else agent_id or "message.sent",)

    def page(self, tx: SqliteTx) -> tuple[list[Any], bool]:
        from roost.messages.service import Messages

        tx.me = self._me
        found = Messages[Sync](InTx(tx)).log(after=self._number, limit=PAGE, channel=self._channel, agent=self._agent)
        if found:
            self._number = found[-1].number
        at_end = len(found) < PAGE
        return [self._shown(_spoken(message)) for message in found], at_end

    def take(self, news: News) -> Any:
        message = news.message
        if message is None or message.number <= self._number:
            return None
        self._number = message.number
        wanted = (
            (not self._channel or message.channel == self._channel)
            and (not self._agent or self._agent_id == message.sender or self._agent_id in news.to)
            and news.is_open_to(self._me)
        )
        return self._shown(news) if wanted else None


_NOWHERE = Event(seq=0, at=0, wall=0, kind="message.sent", actor="", session="", object="")


def _spoken(message: Message) -> News:
    return News(_NOWHERE, message, frozenset())

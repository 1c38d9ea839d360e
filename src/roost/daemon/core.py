"""The core: one store, its writer, and everything that reads from it, in one loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from roost.connect import do_what_is_due
from roost.daemon.answers import Answers
from roost.daemon.feed import Conversation, Events, Feed, Place
from roost.daemon.job import Job
from roost.daemon.listening import Listener, Listeners
from roost.daemon.news import News
from roost.daemon.waits import Waits
from roost.daemon.writer import Writer
from roost.history.service import History
from roost.messages.model import Page
from roost.sessions.model import SYSTEM, Me, Session
from roost.sessions.service import identify
from roost.verbs import InTx, Sync

if TYPE_CHECKING:
    from roost.connect import Project
    from roost.daemon.tracing import Traces
    from roost.stores.sqlite.tx import SqliteTx
    from roost.verbs import Stream, Verb

POLL_SECONDS = 0.02
"""How often the core looks whether another process committed, while anybody here waits for news."""
REST_SECONDS = 0.25
"""The same while nobody does."""
LISTEN_LIMIT = 1


class Core:
    """Serves one project. Everything but the waits happens in the loop's own thread.

    `aside` is the same project opened once more, for calls that block: they must not hold up those that do not.
    """

    def __init__(self, project: Project, aside: Project, loop: asyncio.AbstractEventLoop) -> None:
        self.project = project
        self.loop = loop
        self.answers = Answers()
        self.waits = Waits(aside.caller_of)
        self.feed = Feed(self.reading)
        self.began = time.monotonic()
        self.traces: Traces | None = None
        self._under_way: dict[tuple[str, int], Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.writer = Writer(project.store, project.wakeups, loop, duties=do_what_is_due, answers=self.answers)
        self.listeners = Listeners(self.writer.submit)
        self.writer.before_commit = self.listeners.in_transaction
        self.writer.after_commit = self._committed
        self._aside = aside
        self._version = project.store.version()
        self._newest = self._last_number()
        with self.reading() as tx:
            self.answers.load(tx)

    @contextmanager
    def reading(self) -> Iterator[SqliteTx]:
        """Open a read transaction."""
        with self.project.store.read() as tx:
            yield tx

    def me(self, session: str) -> Me:
        """Return the caller that a session makes. Raises SessionEnded, WhoAreYou."""
        with self.reading() as tx:
            return identify(tx, session) if session else SYSTEM

    def read(
        self, session: str, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Answer a query at once."""
        traced = self.traces.reading(service, verb, session) if self.traces is not None else nullcontext()
        with traced, self.reading() as tx:
            tx.me = identify(tx, session) if session else SYSTEM
            return verb.body(service(InTx(tx)), *args, **kwargs)

    async def call(
        self, session: str, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Make one call, and return its result when it is true."""
        if verb.mode == "read" and not verb.is_long:
            return self.read(session, verb, service, args, kwargs)
        answer: asyncio.Future[Any] = self.loop.create_future()
        if verb.mode == "write":
            job = Job(session, verb, service, kwargs, _to(answer), args=args)
            self.writer.submit(job)
            try:
                return await answer
            finally:
                job.given_up = True
        give_up = self.waits.begin(session, verb, service, args, kwargs, self._from_thread(_to(answer)))
        try:
            return await answer
        finally:
            give_up()

    def wait(
        self,
        session: str,
        verb: Verb[..., Any],
        service: type,
        kwargs: dict[str, Any],
        reply: Callable[[Any, BaseException | None], None],
    ) -> Callable[[], None]:
        """Make a call that blocks; `reply` is told in the loop. Return what gives it up."""
        return self.waits.begin(session, verb, service, (), kwargs, self._from_thread(reply))

    def submit_once(self, job: Job) -> None:
        """Submit a call by wire; one that is under way already, by a connection that was lost, is only told again."""
        assert job.request is not None
        first = self._under_way.get(job.request)
        if first is not None:
            told = first.reply

            def both(result: Any, error: BaseException | None) -> None:
                told(result, error)
                job.packed = first.packed
                job.answer(result, error)

            first.reply = both
            return
        self._under_way[job.request] = job
        told = job.reply

        def reply(result: Any, error: BaseException | None) -> None:
            del self._under_way[job.request]  # type: ignore[arg-type]
            if job.packed is None and error is None:
                job.packed = msgspec.msgpack.encode(result)
            told(result, error)

        job.reply = reply
        self.writer.submit(job)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the calls, and keep it from being forgotten."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _from_thread(self, reply: Callable[[Any, BaseException | None], None]) -> Callable[..., None]:
        def told(result: Any, error: BaseException | None) -> None:
            self.loop.call_soon_threadsafe(reply, result, error)

        return told

    def place(
        self, session: str, name: str, kwargs: dict[str, Any], wake: Callable[[], None], *, packed: bool = False
    ) -> Place:
        """Return a place for `history.follow` or `messages.follow`; its items are values, or their bytes."""
        me = self.me(session)
        if name == "history.follow":
            return self.feed.open(self._events(me, packed=packed, **kwargs), wake)
        return self.feed.open(self._conversation(me, packed=packed, **kwargs), wake)

    def _events(
        self, me: Me, cursor: str | None = None, *, kinds: Any = (), actor: str = "", object: str = "", packed: bool
    ) -> Events:
        with self.reading() as tx:
            tx.me = me
            history = History[Sync](InTx(tx))
            place = history.head().cursor if cursor is None else cursor
            history.since(place, kinds=kinds, actor=actor, object=object, limit=1)  # raises what is wrong with it
            return Events(
                place,
                kinds=kinds,
                actor=actor,
                actor_id=history._actor_id(actor) or "",
                object=object,
                object_id=history._object_id(object),
                shown=_packed_event if packed else _event,
            )

    def _conversation(
        self, me: Me, *, after: int = 0, channel: str = "", agent: str = "", packed: bool
    ) -> Conversation:
        from roost.agents.service import Agents
        from roost.messages.service import Messages

        with self.reading() as tx:
            tx.me = me
            Messages[Sync](InTx(tx)).log(after=after, channel=channel, agent=agent, limit=1)  # raises what is wrong
            agent_id = Agents[Sync](InTx(tx)).get(agent).id if agent else ""
        shown = _packed_message if packed else _message
        bare = channel.removeprefix("#")
        return Conversation(me, after=after, channel=bare, agent=agent, agent_id=agent_id, shown=shown)

    def listen(
        self, session: str, tell: Callable[[Page | None, BaseException | None], None], limit: int = LISTEN_LIMIT
    ) -> Listener:
        """Give a session its mail as it comes; each page after the first is asked for with `listeners.ask`."""
        me = self.me(session)
        with self.reading() as tx:
            found = tx.one(Session, "sessions.get", id=session)
        assert found is not None
        listener = Listener(session, me.agent, found.bell, limit, tell)
        self.listeners.add(listener)
        return listener

    async def follow(self, session: str, stream: Stream[..., Any], kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Yield what a stream of the hub yields."""
        if stream.name == "listen":
            async for item in self._listened(session, **kwargs):
                yield item
            return
        feature = stream.body.__module__.split(".")[1]
        news = asyncio.Event()
        place = self.place(session, f"{feature}.{stream.name}", kwargs, news.set)
        try:
            while True:
                news.clear()
                for item in place.take():
                    yield item
                await news.wait()
        finally:
            place.close()

    async def _listened(self, session: str, *, limit: int = LISTEN_LIMIT) -> AsyncIterator[Any]:
        pages: asyncio.Queue[tuple[Page | None, BaseException | None]] = asyncio.Queue()
        listener = self.listen(session, lambda page, error: pages.put_nowait((page, error)), limit)
        try:
            while True:
                page, error = await pages.get()
                if error is not None:
                    raise error
                assert page is not None
                for item in page.items:
                    yield item
                self.listeners.ask(listener)
        finally:
            self.listeners.remove(listener)

    def _committed(self, tx: SqliteTx) -> None:
        if tx.messages_before <= self._newest:  # else others sent too since the last look, which is due for them
            self._newest = tx.messages
        self.feed.advance(tx)
        if len(self.waits):
            self.waits.bulletin.post()

    async def watch(self) -> None:
        """Notice what other processes commit, and do what is due. Runs until it is cancelled."""
        looked = 0.0
        while True:
            await asyncio.sleep(POLL_SECONDS if self._anybody_waits() else REST_SECONDS)
            self.look()
            if time.monotonic() - looked >= 1.0:
                looked = time.monotonic()
                self._tidy()

    def look(self) -> None:
        """Notice what other processes committed since the last look."""
        version = self.project.store.version()
        if version == self._version:
            return
        self.feed.advance()
        self.waits.bulletin.post()
        newest = self._last_number()
        if newest > self._newest and len(self.listeners):
            self.listeners.rung(self._bells_after(self._newest))
        self._newest = newest
        self._version = version  # last: what failed on the way is looked at again

    def _tidy(self) -> None:
        with self.reading() as tx:
            due = tx.duties_due
        if due:
            self.writer.wake()
        if len(self.listeners):
            self.listeners.look_around(self._has_mail)

    def _anybody_waits(self) -> bool:
        return bool(len(self.feed) or len(self.listeners) or len(self.waits))

    def _has_mail(self, agent: str) -> bool:
        with self.reading() as tx:
            return bool(tx.value("deliveries.waiting_for", recipient=agent))

    def _last_number(self) -> int:
        with self.reading() as tx:
            return tx.messages

    def _bells_after(self, number: int) -> list[str]:
        with self.reading() as tx:
            agents = tx.all(_Id, "deliveries.recipients_after", after=number)
            return [bell for row in agents if (bell := tx.value("sessions.live_bell", agent=row.id))]

    async def close(self) -> None:
        """Answer what was taken, and close the store."""
        await self.writer.drained()
        await self.loop.run_in_executor(None, self.waits.close)
        self.writer.close()
        self.project.close()
        self._aside.close()


def _to(answer: asyncio.Future[Any]) -> Callable[[Any, BaseException | None], None]:
    def reply(result: Any, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    return reply


class _Id(msgspec.Struct, frozen=True):
    id: str


def _event(news: News) -> Any:
    return news.event


def _message(news: News) -> Any:
    return news.message


def _packed_event(news: News) -> bytes:
    if news.packed_event is None:
        news.packed_event = msgspec.msgpack.encode(news.event)
    return news.packed_event


def _packed_message(news: News) -> bytes:
    if news.packed_message is None:
        news.packed_message = msgspec.msgpack.encode(news.message)
    return news.packed_message

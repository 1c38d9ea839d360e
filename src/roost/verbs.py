"""How a call becomes a transaction: verbs, services and the callers that carry one to the other.

A verb is defined once, as a method of a `Service`. Seen from outside, the same class typed `Service[Sync]` or
`Service[Async]` gives the plain or the awaitable form. The *caller object* behind it decides how the call is made:
`Local` opens a transaction,
`InThread` does so off the event loop, and a caller that sends frames to a daemon fits the same protocol.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from roost.sessions.model import Me
    from roost.stores.base import Store, Tx
    from roost.wakeups.base import Wakeups

Mode = Literal["write", "read", "wait"]

WAITS_MAX = 64
"""Threads for waits and streams of one async hub; one more waits for its turn."""


class Sync:
    """Marks a hub whose verbs return their result."""


class Async:
    """Marks a hub whose verbs return an awaitable."""


M = TypeVar("M", Sync, Async)
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Service[Any]")


class Caller(Protocol):
    """Carries one call to where it runs."""

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def follow(self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def idle(self, seconds: float) -> None:
        """Return when something may be new, at the latest after `seconds`."""
        ...


class Service(Generic[M]):
    """A group of verbs, bound to one caller; inside a verb also to one transaction, `self.tx`."""

    tx: Tx

    def __init__(self, caller: Any) -> None:
        self._caller = caller
        if isinstance(caller, InTx):
            self.tx = caller.tx


class Call(NamedTuple):
    """One call among many of the same verb: who made it, and with what."""

    me: Me
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Verb(Generic[P, R]):
    """One call from outside, one transaction; `many` is its bulk form where it is hot."""

    many: Callable[[Any, Sequence[Call]], Sequence[Any]] | None = None

    def __init__(self, body: Callable[..., R], mode: Mode, *, is_long: bool = False) -> None:
        self.body = body
        self.mode = mode
        self.is_long = is_long
        self.name = body.__name__
        self.__doc__ = body.__doc__
        self.__wrapped__ = body

    def bulk(
        self, many: Callable[[Any, Sequence[Call]], Sequence[R | Exception]]
    ) -> Callable[[Any, Sequence[Call]], Sequence[R | Exception]]:
        """Name the method that answers many calls of this verb, by keyword, in one go."""
        self.many = many
        return many

    @overload
    def __get__(self, service: None, owner: type) -> Verb[P, R]: ...
    @overload
    def __get__(self, service: Service[Sync], owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, service: Service[Async], owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, service: Any, owner: type) -> Any:
        if service is None:
            return self
        return lambda *args, **kwargs: service._caller.call(self, owner, args, kwargs)


class Stream(Generic[P, R]):
    """A call that yields as things happen; it opens a transaction for each look and none between."""

    def __init__(self, body: Callable[..., Iterator[R]]) -> None:
        self.body = body
        self.name = body.__name__
        self.__doc__ = body.__doc__
        self.__wrapped__ = body

    @overload
    def __get__(self, service: None, owner: type) -> Stream[P, R]: ...
    @overload
    def __get__(self, service: Service[Sync], owner: type) -> Callable[P, Iterator[R]]: ...
    @overload
    def __get__(self, service: Service[Async], owner: type) -> Callable[P, AsyncIterator[R]]: ...
    def __get__(self, service: Any, owner: type) -> Any:
        if service is None:
            return self
        return lambda *args, **kwargs: service._caller.follow(self, owner, args, kwargs)


def verb(body: Callable[Concatenate[S, P], R]) -> Verb[P, R]:
    """A call that may change something: one write transaction."""
    return Verb(body, "write")


def query(body: Callable[Concatenate[S, P], R]) -> Verb[P, R]:
    """A call that changes nothing: one read transaction."""
    return Verb(body, "read")


def long_query(body: Callable[Concatenate[S, P], R]) -> Verb[P, R]:
    """A query that may read whole tables: a daemon answers it beside the other calls."""
    return Verb(body, "read", is_long=True)


def waiting(body: Callable[Concatenate[S, P], R]) -> Verb[P, R]:
    """A call that blocks until something is so: it holds no transaction while it waits."""
    return Verb(body, "wait")


def stream(body: Callable[Concatenate[S, P], Iterator[R]]) -> Stream[P, R]:
    """A call that yields values as they come."""
    return Stream(body)


class InTx:
    """Runs verbs inside a transaction that is already open: how services use each other."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx

    def call(self, verb: Verb[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if verb.mode == "wait":
            raise TypeError(f"{verb.name} waits, and a transaction must not")
        return verb.body(service(self), *args, **kwargs)

    def follow(self, stream: Stream[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise TypeError(f"{stream.name} waits, and a transaction must not")

    def idle(self, seconds: float) -> None:
        raise TypeError("a transaction must not wait")


class Local:
    """Runs each call in its own transaction on a store that this process opened.

    `identify(tx)` says who is calling, and refuses a session that is over; `duties(tx)` does what is due before the
    call.
    """

    def __init__(
        self, store: Store, wakeups: Wakeups, identify: Callable[[Tx], Me], duties: Callable[[Tx], None] | None = None
    ) -> None:
        self._store = store
        self._wakeups = wakeups
        self._identify = identify
        self._duties = duties

    def call(self, verb: Verb[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if verb.mode == "wait":
            return verb.body(service(self), *args, **kwargs)
        if verb.mode == "read":
            with self._store.read() as tx:
                tx.me = self._identify(tx)
                return verb.body(service(InTx(tx)), *args, **kwargs)
        with self._store.write() as tx:
            if self._duties and tx.duties_due:
                self._duties(tx)
            tx.me = self._identify(tx)
            result = verb.body(service(InTx(tx)), *args, **kwargs)
        self._wakeups.ring(tx.rung)
        return result

    def follow(self, stream: Stream[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return stream.body(service(self), *args, **kwargs)

    def idle(self, seconds: float) -> None:
        self._store.await_change(seconds)


class InThread:
    """Makes any caller awaitable: short calls share asyncio's threads, waits and streams have their own."""

    def __init__(self, inner: Caller) -> None:
        from concurrent.futures import ThreadPoolExecutor  # 40 ms with asyncio, which no command line pays

        self._inner = inner
        self._waits = ThreadPoolExecutor(max_workers=WAITS_MAX, thread_name_prefix="roost-wait")

    async def call(self, verb: Verb[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import asyncio

        pool = self._waits if verb.mode == "wait" else None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, self._inner.call, verb, service, args, kwargs)

    async def follow(
        self, stream: Stream[..., Any], service: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        source = self._inner.follow(stream, service, args, kwargs)
        end = object()
        while (value := await loop.run_in_executor(self._waits, next, source, end)) is not end:
            yield value

    def idle(self, seconds: float) -> None:
        self._inner.idle(seconds)

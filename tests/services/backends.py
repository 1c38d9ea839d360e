"""The ways to a project: its file, and each door of its daemon. A test that speaks through hubs passes by them all."""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import msgspec

from roost import keyfiles
from roost.agents.model import Agent
from roost.connect import Project, do_what_is_due
from roost.errors import InvalidInput, RoostError
from roost.hub import Hub
from roost.interfaces.wire.aclient import AsyncRemote
from roost.interfaces.wire.address import Address
from roost.interfaces.wire.client import Introduce, Remote
from roost.interfaces.wire.frames import Hello
from roost.sessions.model import Session
from roost.sessions.service import identify
from roost.stores.sqlite.store import SqliteStore
from roost.stores.sqlite.tx import SqliteTx
from roost.tokens import rules
from roost.tokens.model import SCOPES
from roost.verbs import Caller, Local, Stream, Sync, Verb
from roost.wakeups.base import Silent
from tests.services.over_http import OverHttp
from tests.services.served import LOCAL, Served, Thread

T = TypeVar("T")
MADE_ANEW = re.compile(
    r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|((?<=roost-message-)|(?<=offer=\\"))[a-z0-9]{8}'
    r'|rst_[\w-]{43}|(?<="id":")[0-9a-f]{16}(?=")'
)
"""Ids, the codes of envelopes, and tokens with their ids."""


Call = tuple[Verb[..., Any], type, tuple[Any, ...], dict[str, Any]]


class Door(Caller, Protocol):
    """A caller that comes by a door, and leaves it."""

    def close(self) -> None: ...


class Reached(Project):
    """A project whose sessions come by a door; Roost itself goes on with the file beside the daemon."""

    def __init__(self, beside: Project, served: Served) -> None:
        super().__init__(beside.place, beside.store, beside.wakeups)
        self.served = served
        self._doors: list[Door] = []

    def as_session(self, session: str) -> Hub[Sync]:
        return self.hub(self.door_of(session))

    def leave(self) -> None:
        """Hang up everywhere."""
        for door in self._doors:
            door.close()

    def hub(self, door: Door) -> Hub[Sync]:
        """Return a hub that comes by this door."""
        self._doors.append(door)
        return Hub(door, door.close)

    def door_of(self, session: str) -> Door:
        """Return what calls as a session."""
        raise NotImplementedError


class Native(Reached):
    """By the Unix socket: a session shows its key, a process that joins is known by the kernel."""

    def joined(self, name: str, *, takeover: bool = False) -> Hub[Sync]:
        return self.hub(self.opened(lambda: Hello(caller="", name=name, takeover=takeover)))

    def door_of(self, session: str) -> Door:
        key, key_hash = keyfiles.new_key()
        with self.store.write() as tx:
            tx._connection.execute("UPDATE session SET key_hash = ? WHERE id = ?", (key_hash, session))
        return self.opened(lambda: Hello(caller="", session=session, key=key))

    def opened(self, introduce: Introduce) -> Door:
        """Return a caller that has said hello."""
        remote = Remote(lambda: Address(path=self.served.socket), introduce)
        return Mirrored(remote, self, remote.open().session)


class Asyncio(Native):
    """The same in its asyncio form, each call awaited for the test."""

    def opened(self, introduce: Introduce) -> Door:
        remote = AsyncRemote(lambda: Address(path=self.served.socket), introduce)
        welcome = self.served.thread.run(remote.open())
        return Mirrored(Awaited(remote, self.served.thread), self, welcome.session)


class Far(Reached):
    """From another machine: a token stands for an agent, and acts as its live session."""

    def token_of(self, session: str) -> str:
        """Return a new token of the agent of a session, with all scopes that its kind may have.

        It is written down without a word in the log, which so tells the same by every door.
        """
        key = rules.PREFIX + urlsafe_b64encode(os.urandom(rules.KEY_BYTES)).decode().rstrip("=")
        with self.store.write() as tx:
            found = tx.one(Session, "sessions.get", id=session)
            agent = tx.one(Agent, "agents.get", id=found.agent) if found is not None else None
            assert agent is not None
            fields = {
                "id": rules.id_of(key),
                "hash": sha256(key.encode()).digest(),
                "agent": agent.id,
                "scopes": SCOPES if agent.kind == "human" else tuple(one for one in SCOPES if one != "admin"),
                "label": "",
                "created_at": tx.wall,
                "expires_at": 1 << 50,
            }
            tx.run("tokens.insert", fields)
        return key


class Tls(Far):
    """By the native protocol over TLS."""

    def door_of(self, session: str) -> Door:
        served, token = self.served, self.token_of(session)
        ca = served.thread.tls.certificate
        address = Address(host=LOCAL, port=served.tls_port, token=token, ca=ca)
        remote = Remote(lambda: address, lambda: Hello(caller="", token=token))
        assert remote.open().session == session
        return Mirrored(remote, self, session)


class Http(Far):
    """By HTTP, for the verbs that have a route; see `over_http`."""

    def __init__(self, beside: Project, served: Served) -> None:
        super().__init__(beside, served)
        self._callers: list[OverHttp] = []

    def door_of(self, session: str) -> Door:
        made = OverHttp(self.served.thread.http_port, self.token_of(session), beside=self.caller_of(session))
        self._callers.append(made)
        return Mirrored(made, self, session, own_words=(InvalidInput,))

    def leave(self) -> None:
        super().leave()
        assert any(caller.routed for caller in self._callers), "this test calls no verb that has a route"


class Mirrored:
    """Makes each short call on the file too, and undoes what it wrote there.

    The answers must be the same but for ids and codes that are made anew each time; and what one refuses, the other
    refuses with the same error, to the word but for those that the door words itself.
    """

    def __init__(
        self, inner: Door, project: Project, session: str, *, own_words: tuple[type[RoostError], ...] = ()
    ) -> None:
        self._inner = inner
        self._own_words = own_words
        self._version = project.store.version
        undone = Undone(project.store)
        self._file = Local(undone, Silent(), lambda tx: identify(tx, session), duties=do_what_is_due)

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = verb, service, args, kwargs
        if verb.mode == "wait":
            return self._inner.call(*call)
        if verb.mode == "read":
            answer, expected = self._read(call)
        else:
            expected, answer = outcome(self._file, call), outcome(self._inner, call)
        assert type(answer) is type(expected)
        if isinstance(answer, RoostError):
            assert isinstance(answer, self._own_words) or facts(answer) == facts(expected)
            raise answer
        assert answer == expected or without_ids(answer) == without_ids(expected)
        return answer

    def _read(self, call: Call) -> tuple[Any, Any]:
        """Read by the door, then from the file; once more where another thread committed in between.

        By the door first: to come in by it may write, and so do what is due.
        """
        while True:
            before = self._version()
            answer, expected = outcome(self._inner, call), outcome(self._file, call)
            if self._version() == before:
                return answer, expected

    def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        found: Iterator[Any] = self._inner.follow(stream, service, args, kwargs)
        return found

    def idle(self, seconds: float) -> None:
        self._inner.idle(seconds)

    def close(self) -> None:
        self._inner.close()


class Undone:
    """A store in which nothing that is written stays."""

    def __init__(self, store: SqliteStore) -> None:
        self.read = store.read
        self.await_change, self.close = store.await_change, store.close
        self._store = store

    @contextmanager
    def write(self) -> Iterator[SqliteTx]:
        with suppress(Undo), self._store.write() as tx:
            yield tx
            raise Undo


class Undo(Exception):
    """Ends a transaction without a commit."""


def outcome(caller: Caller, call: Call) -> Any:
    """Return what a call answers, or what it is refused with."""
    try:
        return caller.call(*call)
    except RoostError as refused:
        return refused


def without_ids(value: object) -> str:
    """Return a value as text, without what is random in it."""
    return MADE_ANEW.sub("*", msgspec.json.encode(value).decode())


def facts(error: RoostError) -> tuple[object, ...]:
    """Return everything that an error says."""
    return str(error), error.code, error.message, error.hint, error.retryable, error.details


class Awaited:
    """Awaits each call of an asyncio caller in the loop of the daemons."""

    def __init__(self, inner: AsyncRemote, thread: Thread) -> None:
        self._inner = inner
        self._thread = thread

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._run(self._inner.call(verb, service, args, kwargs))

    def follow(
        self, stream: Stream[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        items, end = self._inner.follow(stream, service, args, kwargs), object()

        async def following() -> Any:
            return await anext(items, end)

        async def stopped() -> None:
            await items.aclose()  # type: ignore[attr-defined]

        try:
            while (item := self._run(following())) is not end:
                yield item
        finally:
            self._run(stopped())

    def idle(self, seconds: float) -> None:
        raise TypeError("a remote caller waits at the daemon")

    def close(self) -> None:
        async def closed() -> None:
            self._inner.close()

        self._run(closed())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.run(work)


DOORS: dict[str, type[Reached]] = {"native": Native, "asyncio": Asyncio, "tls": Tls, "http": Http}


@contextmanager
def reached(backend: str, thread: Callable[[], Thread], open_project: Callable[[], Project]) -> Iterator[Project]:
    """Open a project for a test: directly by its file, or by a door of a daemon that serves it."""
    beside = open_project()
    try:
        if backend == "file":
            yield beside
            return
        served = Served(thread(), open_project)
        try:
            if backend == "tls":
                served.listen_far()
            project = DOORS[backend](beside, served)
            yield project
            project.leave()
        finally:
            served.close()
    finally:
        beside.close()

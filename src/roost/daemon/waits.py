"""Calls that block (a lease's queue, a receipt): each in a thread of its own, woken by commits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from roost.errors import LimitReached, Unavailable
from roost.verbs import Local

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.verbs import Verb

WAITS_MAX = 256
"""Calls that may block at a time in one daemon."""
EACH_MAX = 64
"""Of those, what one session may have over all its connections: a greedy one leaves room for others."""


class GivenUp(Unavailable):
    """Nobody waits for this call any longer."""

    code = "GIVEN_UP"


class Bulletin:
    """Counts commits, and wakes those who wait for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.number = 0

    def post(self) -> None:
        """Tell of a commit."""
        with self._changed:
            self.number += 1
            self._changed.notify_all()

    def read_on(self, seen: int, seconds: float, given_up: threading.Event) -> None:
        """Return when there was a commit since number `seen`, when the call is given up, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self.number != seen or given_up.is_set(), seconds)


class Waiter:
    """The caller that a blocking verb runs on: its calls are transactions of their own."""

    def __init__(self, session: str, inner: Local, bulletin: Bulletin) -> None:
        self.session = session
        self._inner = inner
        self._bulletin = bulletin
        self._seen = -1
        self.given_up = threading.Event()

    def call(self, verb: Verb[..., Any], service: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._seen = self._bulletin.number
        if verb.mode == "wait":
            return verb.body(service(self), *args, **kwargs)
        return self._inner.call(verb, service, args, kwargs)

    def idle(self, seconds: float) -> None:
        seen, self._seen = self._seen, self._bulletin.number
        self._bulletin.read_on(seen, seconds, self.given_up)
        self.go_on()

    def go_on(self) -> None:
        """Raise GivenUp when nobody waits any longer."""
        if self.given_up.is_set():
            raise GivenUp("the caller is gone")


class Waits:
    """The threads of blocking calls."""

    def __init__(self, caller: Callable[[str], Local]) -> None:
        self._caller = caller
        self._threads = ThreadPoolExecutor(max_workers=WAITS_MAX, thread_name_prefix="roost-wait")
        self._waiting: set[Waiter] = set()
        self.bulletin = Bulletin()

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(
        self,
        session: str,
        verb: Verb[..., Any],
        service: type,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> Callable[[], None]:
        """Start a call; `done` is called in its thread. Return what gives it up. Raises LimitReached."""
        self._refuse_more(session)
        waiter = Waiter(session, self._caller(session), self.bulletin)
        self._waiting.add(waiter)

        def run() -> None:
            result, error = None, None
            try:
                waiter.go_on()
                result = waiter.call(verb, service, args, kwargs)
            except BaseException as raised:
                error = raised
            self._waiting.discard(waiter)
            done(result, error)

        try:
            self._threads.submit(run)
        except RuntimeError as error:  # no thread is to be had; a later one may still find this call, and lets it be
            self._give_up(waiter)
            self._waiting.discard(waiter)
            raise Unavailable(f"no call can wait now: {error}", hint="try again in a moment") from None
        return lambda: self._give_up(waiter)

    def _refuse_more(self, session: str) -> None:
        waiting = tuple(self._waiting)
        if len(waiting) >= WAITS_MAX:
            raise LimitReached(f"{WAITS_MAX} calls wait already", hint="try again later")
        if sum(one.session == session for one in waiting) >= EACH_MAX:
            hint = "let some end, or follow the log: one stream tells of everything"
            raise LimitReached(f"{EACH_MAX} calls of this session wait already", hint=hint)

    def close(self) -> None:
        """Give up every call."""
        for waiter in tuple(self._waiting):
            self._give_up(waiter)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _give_up(self, waiter: Waiter) -> None:
        waiter.given_up.set()
        self.bulletin.post()

"""Listeners: sessions that take their mail as a stream. Mail that is sent while its recipient listens is offered in the
sender's own transaction: one sync for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from roost.daemon.job import Job
from roost.messages.model import Page
from roost.messages.service import Messages

if TYPE_CHECKING:
    from roost.stores.sqlite.tx import SqliteTx

LOOKED_AT_MAX = 500
"""Listeners that are looked at in one round beside the hints: a lost one costs a few seconds."""

Outcome = tuple[Job, Any, BaseException | None]


class Listener:
    """One session that listens. `tell` gets its mail, or the error that ends it, after the commit."""

    __slots__ = ("agent", "batch", "bell", "job", "limit", "missed", "session", "tell", "waits")

    def __init__(
        self, session: str, agent: str, bell: str, limit: int, tell: Callable[[Page | None, BaseException | None], None]
    ) -> None:
        self.session = session
        self.agent = agent
        self.bell = bell
        self.limit = limit
        self.tell = tell
        self.waits = False
        self.missed = False
        self.batch: str | None = None  # the page that it was given last; None before the first
        self.job: Job | None = None  # its last look for mail, which may not be made yet


class Listeners:
    """Those who listen, by their bell."""

    def __init__(self, submit: Callable[[Job], None]) -> None:
        self._submit = submit
        self._by_bell: dict[str, list[Listener]] = {}
        self._next = 0

    def __len__(self) -> int:
        return sum(len(found) for found in self._by_bell.values())

    def add(self, listener: Listener) -> None:
        """Give a listener what waits for it, and then what comes."""
        self._by_bell.setdefault(listener.bell, []).append(listener)
        self.ask(listener)

    def ask(self, listener: Listener) -> None:
        """Give a listener the next of its mail; asking proves that it got what it was given before."""
        listener.waits = listener.missed = False
        self._submit(self._job(listener))

    def remove(self, listener: Listener) -> None:
        """Forget one who listens no more: a look that is not made yet would offer mail to nobody."""
        if listener.job is not None:
            listener.job.given_up = True
        left = [one for one in self._by_bell.pop(listener.bell, ()) if one is not listener]
        if left:
            self._by_bell[listener.bell] = left

    def in_transaction(self, tx: SqliteTx, run: Callable[[list[Job]], list[Outcome]]) -> list[Outcome]:
        """Offer what this transaction sent to those who wait for it."""
        if not self._by_bell:
            return []
        jobs = []
        for bell in tuple(tx.rung):
            for listener in self._by_bell.get(bell, ()):
                if listener.waits:  # and goes on waiting, if this transaction fails
                    jobs.append(self._job(listener))
                else:
                    listener.missed = True  # it may be looking in this very transaction, before what came after
        return run(jobs)

    def rung(self, bells: Iterable[str]) -> None:
        """Look for mail that others than this daemon sent."""
        for bell in bells:
            for listener in self._by_bell.get(bell, ()):
                if listener.waits:
                    self.ask(listener)

    def look_around(self, has_mail: Callable[[str], bool]) -> None:
        """Look at some listeners without a hint, others each time."""
        known = [listener for found in self._by_bell.values() for listener in found]
        self._next = self._next % max(1, len(known))
        chosen = list(islice(known, self._next, self._next + LOOKED_AT_MAX))
        self._next += LOOKED_AT_MAX
        for listener in chosen:
            if listener.waits and has_mail(listener.agent):
                self.ask(listener)

    def _job(self, listener: Listener) -> Job:
        def reply(page: Page | None, error: BaseException | None) -> None:
            if job.given_up:
                return
            if page is not None:
                listener.batch = page.batch
            if error is not None or page is None or page.items:
                listener.waits = False
                listener.tell(page, error)
            elif listener.missed:
                self.ask(listener)
            else:
                listener.waits = True

        arrived = (listener.batch,) if listener.batch else ()
        asked = {"limit": listener.limit, "arrived": arrived, "afresh": listener.batch is None}
        job = listener.job = Job(listener.session, Messages.take, Messages, asked, reply)
        return job

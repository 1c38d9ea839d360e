"""The writer: all calls that wait are one transaction, answered after its COMMIT.

It runs in the loop's own thread. While one COMMIT syncs, the next calls gather in the sockets, so the more callers
there are the more of them share one sync; a lone caller waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Any

from roost.daemon.answers import Answers
from roost.daemon.job import Job
from roost.errors import LimitReached, RoostError
from roost.sessions.model import SYSTEM, Me
from roost.sessions.service import identify
from roost.stores.sqlite.store import SqliteStore
from roost.stores.sqlite.tx import SqliteTx
from roost.tokens.model import NewToken
from roost.verbs import Call, InTx
from roost.wakeups.base import Wakeups

if TYPE_CHECKING:
    from roost.daemon.tracing import Traces
    from roost.duties.model import Failing
    from roost.verbs import Verb

BATCH_MAX = 512
"""Calls of one transaction."""
BATCH_SECONDS_MAX = 0.04
"""After so long a transaction takes no further call: direct writers of the file wait for it too."""
JOBS_MAX = 20_000
"""Calls that may wait; one more is refused."""

GATHER_SECONDS_MAX = 0.001
"""So long a transaction waits for callers that were there a moment ago and will be back: a sync costs more than that.
Half of 32 callers would otherwise always wait for the other half's sync. The loop sleeps meanwhile, in whole
milliseconds: spinning takes the processor from the very callers that are waited for."""
GATHER_ENOUGH = 32
"""With so many calls a transaction waits for no more."""
GATHER_CALLERS_MIN = 4
"""So many must have written in the last two transactions, else nobody is waited for."""

log = logging.getLogger("roost.daemon")
Outcome = tuple[Job, Any, BaseException | None]
Duties = Callable[[SqliteTx, Callable[["Failing", Exception], None]], None]
"""Does what is due, and tells of a duty that failed."""

Beside = Callable[[SqliteTx, Callable[[list[Job]], list[Outcome]]], list[Outcome]]
"""Makes further calls in a transaction, by a function that runs those of one verb together."""


class Writer:
    """Gathers calls and commits them together."""

    def __init__(
        self,
        store: SqliteStore,
        wakeups: Wakeups,
        loop: asyncio.AbstractEventLoop,
        *,
        duties: Duties,
        answers: Answers,
    ) -> None:
        self._store = store
        self._wakeups = wakeups
        self._loop = loop
        self._duties = duties
        self._answers = answers
        self._jobs: deque[Job] = deque()
        self._busy = False
        self._lately: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
        self._gathering: asyncio.TimerHandle | None = None
        self._enough = 0
        self._gatekeeper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="roost-gate")
        self._gatekeeper.submit(time.time)  # its thread begins now: later there may be none to be had
        self._idle = asyncio.Event()
        self._idle.set()
        self.before_commit: Beside = lambda tx, run: []
        self.after_commit: Callable[[SqliteTx], None] = lambda tx: None
        self.batches = 0
        self.calls = 0
        self.traces: Traces | None = None

    def submit(self, job: Job) -> None:
        """Take a call; its reply is told after the COMMIT. Replies LimitReached when too many wait."""
        if len(self._jobs) >= JOBS_MAX:
            job.answer(None, LimitReached(f"{JOBS_MAX:,} calls wait already", hint="try again in a second"))
            return
        if self.traces is not None:
            job.begun = self.traces.begun()
        self._jobs.append(job)
        if self._gathering is not None and len(self._jobs) >= self._enough:
            self._gathering.cancel()
            self._gathering = None
            self._loop.call_soon(self._enter)
        self.wake()

    def wake(self) -> None:
        """Run a transaction soon, even without a call: a listener or a duty may have something to do."""
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._go)

    async def drained(self) -> None:
        """Return when every call that was taken is answered."""
        await self._idle.wait()

    def close(self) -> None:
        """Let the threads go."""
        self._gatekeeper.shutdown(wait=False, cancel_futures=True)

    def _go(self) -> None:
        self._enough = min(GATHER_ENOUGH, len(self._lately[0] | self._lately[1]))
        if self._enough < GATHER_CALLERS_MIN or len(self._jobs) >= self._enough:
            self._enter()
        else:  # callers that sent a moment ago are likely to send again at once
            self._gathering = self._loop.call_later(GATHER_SECONDS_MAX, self._enter)

    def _enter(self) -> None:
        self._gathering = None
        try:
            is_open = self._store.enter_gate(wait=False)
        except OSError as error:
            self._refuse(error)
            return
        if is_open:
            self._write()
            return
        waiting = self._loop.run_in_executor(self._gatekeeper, self._store.enter_gate)
        waiting.add_done_callback(self._entered)

    def _entered(self, waiting: asyncio.Future[bool]) -> None:
        error = waiting.exception()
        if error is not None:
            self._refuse(error)
        else:
            self._write()

    def _refuse(self, error: BaseException) -> None:
        jobs, self._jobs = self._jobs, deque()
        self._tell([(job, None, error) for job in jobs])
        self._next()

    def _next(self) -> None:
        if self._jobs:
            self._loop.call_soon(self._go)
        else:
            self._busy = False
            self._idle.set()

    def _write(self) -> None:
        jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), BATCH_MAX))]
        self._lately = self._lately[1], frozenset([job.session for job in jobs])
        begun = self.traces.begun() if self.traces is not None else None
        self.batches += 1
        self.calls += len(jobs)
        try:
            with self._store.write(entered=True) as tx:
                batch = Batch(tx, self._duties)
                outcomes = batch.run(jobs)
                outcomes += self.before_commit(tx, batch.together)
                kept = _packed(outcomes)
                if kept and tx.has_changes:
                    self._answers.write(tx, [row for row, is_secret in kept if not is_secret])
        except Exception as error:
            if not isinstance(error, RoostError):
                log.exception("a transaction failed")
            outcomes = [(job, None, error) for job in jobs]
        else:
            self._jobs.extendleft(reversed(jobs[batch.taken :]))
            self._committed(tx, [row for row, _ in kept])
        self._tell(outcomes)
        if self.traces is not None and begun is not None:
            self.traces.transaction(outcomes, begun)
        self._next()

    def _committed(self, tx: SqliteTx, kept: list[tuple[str, int, bytes]]) -> None:
        self._answers.put(kept, tx.now)
        self._wakeups.ring(tx.rung)
        try:
            self.after_commit(tx)
        except Exception:  # a hint that is lost costs time; an answer to what is committed is owed
            log.exception("a commit could not be told")

    def _tell(self, outcomes: list[Outcome]) -> None:
        """Answer each caller; one that cannot be told keeps neither others from an answer nor the writer from work."""
        for job, result, error in outcomes:
            try:
                job.answer(result, error)
            except Exception:
                log.exception("an answer of %s could not be told", job.verb.name)


class Batch:
    """The calls of one transaction, in their order: runs of a hot verb by its bulk form, others a savepoint each."""

    def __init__(self, tx: SqliteTx, duties: Duties) -> None:
        self.tx = tx
        self.taken = 0
        if tx.duties_due:
            duties(tx, _log_duty)

    def run(self, jobs: list[Job]) -> list[Outcome]:
        """Run as many as fit into the time of one transaction; `taken` says how many."""
        outcomes: list[Outcome] = []
        until = time.monotonic() + BATCH_SECONDS_MAX
        for verb, group in groupby(jobs, key=_bulk_of):
            for part in [list(group)] if verb else [[job] for job in group]:
                outcomes += self.together(part)
                self.taken += len(part)
                if time.monotonic() > until:
                    return outcomes
        return outcomes

    def together(self, jobs: list[Job]) -> list[Outcome]:
        """Run calls of one verb: by its bulk form if it has one and there are several."""
        if len(jobs) > 1 and (verb := _bulk_of(jobs[0])):
            return self._many(verb, jobs)
        return [self.alone(job) for job in jobs]

    def alone(self, job: Job) -> Outcome:
        """Run one call in a savepoint of its own."""
        if job.given_up:
            return job, None, LimitReached("the caller gave up", hint="")
        try:
            me = self._caller(job.session)
            with self.tx.savepoint():
                self.tx.me = me
                result = job.verb.body(job.service(InTx(self.tx)), *job.args, **job.kwargs)
        except RoostError as error:
            return job, None, error
        except Exception as error:
            if self.tx.is_lost(error):
                raise
            log.exception("%s failed", job.verb.name)
            return job, None, error
        return job, result, None

    def _many(self, verb: Verb[..., Any], jobs: list[Job]) -> list[Outcome]:
        refused, calls, known = list[Outcome](), list[Call](), list[Job]()
        for job in jobs:
            try:
                calls.append(Call(self._caller(job.session), job.args, job.kwargs))
                known.append(job)
            except RoostError as error:
                refused.append((job, None, error))
        assert verb.many is not None
        try:
            with self.tx.savepoint():
                self.tx.me = SYSTEM
                answers = verb.many(jobs[0].service(InTx(self.tx)), calls)
        except Exception as error:
            if self.tx.is_lost(error):
                raise
            return refused + [self.alone(job) for job in known]
        return refused + [
            (job, None, answer) if isinstance(answer, Exception) else (job, answer, None)
            for job, answer in zip(known, answers, strict=True)
        ]

    def _caller(self, session: str) -> Me:
        return identify(self.tx, session) if session else SYSTEM


def _log_duty(failing: Failing, error: Exception) -> None:
    log.error("a duty failed and waits to be tried again: %s", failing.duty, exc_info=error)


def _bulk_of(job: Job) -> Verb[..., Any] | None:
    return job.verb if job.verb.many is not None and not job.args and not job.given_up else None


def _packed(outcomes: list[Outcome]) -> list[tuple[tuple[str, int, bytes], bool]]:
    """Return the answers that are kept, each with whether it holds a key, which is written down nowhere."""
    rows = []
    for job, result, error in outcomes:
        if error is None and job.request is not None and job.pack is not None:
            job.packed = job.pack(result)
            rows.append(((*job.request, job.packed), isinstance(result, NewToken)))
    return rows

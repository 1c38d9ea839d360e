"""Hooks that come by the socket or by HTTP: the same turn as in the hook's own process, with the daemon's writer."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from roost.clients.base import Client, Output, Unreadable
from roost.clients.named import named
from roost.connect import bells_of
from roost.interfaces.hook.begin import LONG, QUIET, beat, bell_of, field, is_quiet
from roost.interfaces.hook.forward import NONE
from roost.interfaces.hook.journal import Way, complain, count
from roost.interfaces.hook.turn import BUDGET_SECONDS, LONG_BUDGET_SECONDS, taken, unchecked
from roost.runtimes.host import LocalHost
from roost.sessions.model import Session
from roost.turns.model import ClientEvent
from roost.turns.service import Turns
from roost.turns.taking import Taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.connect import Project
    from roost.daemon.core import Core
    from roost.launches.model import Launch

THREADS_MAX = 16
"""Hooks whose surroundings (transcripts, worktrees) are looked at side by side."""
TAKE_SECONDS_MAX = 2.0
OUTCOMES_MAX = 500
"""Kinds of events and their outcomes that are counted apart: a client may name its events as it likes."""
EVENT_CHARACTERS_MAX = 64
EVENT = b"hook_event_name"


class Hooks:
    """Takes the turns of hooks, each in a thread, for they read files."""

    def __init__(
        self,
        core: Core,
        aside: Project,
        place: str,
        is_lost_by: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        self._core = core
        self._is_lost_by = is_lost_by
        self._aside = aside
        self._place = place
        self._threads = ThreadPoolExecutor(max_workers=THREADS_MAX, thread_name_prefix="roost-hook")
        self.outcomes: dict[tuple[str, str], int] = {}
        self.by_http = 0

    def take(self, body: bytes, parent: int) -> asyncio.Future[bytes]:
        """Take one event; the result is the answer's frame body. `parent` is the process above the hook."""
        return self._core.loop.run_in_executor(self._threads, self._answer, body, parent)

    async def take_http(self, launch: Launch, raw: bytes) -> str:
        """Take one event of a client that Roost launched, in the time of a hook; return its answer's JSON, or ''."""
        self.by_http += 1
        try:
            async with asyncio.timeout(LONG_BUDGET_SECONDS if field(raw, EVENT) in LONG else BUDGET_SECONDS):
                output = await self._core.loop.run_in_executor(self._threads, self._answer_http, launch, raw)
        except Exception as error:
            output = self._failed(launch, raw, error)
        return output.stdout

    def close(self) -> None:
        """Let the turns under way end."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _answer(self, body: bytes, parent: int) -> bytes:
        client_name, bell, environ, raw = _parts(body)
        client = named(client_name)
        event = client.event(raw, environ)
        if isinstance(event, Unreadable):
            complain(self._place, ValueError(event.reason), client=client_name)
            return _framed(Output())
        return _framed(self._turn(client, event, bell, parent, environ.get("ROOST_AGENT", ""), "socket"))

    def _answer_http(self, launch: Launch, raw: bytes) -> Output:
        bell, name = bell_of(launch.client, field(raw, b"session_id")), field(raw, EVENT)
        if bell and name in QUIET:
            beat(self._place, bell, QUIET[name])
            if is_quiet(self._place, bell, name, raw):
                self._count(name.decode(), "quiet")
                return Output()
        client = named(launch.client)
        event = client.event(raw, launch.environ)
        if isinstance(event, Unreadable):
            complain(self._place, ValueError(event.reason), client=launch.client)
            return Output()
        pid = self._process_of(launch, event)
        event = msgspec.structs.replace(event, client_pid=pid)
        return self._turn(client, event, bell, pid, launch.environ.get("ROOST_AGENT", ""), "http")

    def _process_of(self, launch: Launch, event: ClientEvent) -> int:
        """Return the client's process: the launched one, or one below it where that is a script around the client."""
        with self._aside.store.read() as tx:
            known = tx.one(Session, "sessions.of_client", client=event.client, client_session=event.client_session)
        if known is None or known.process is None or known.process == launch.process:
            return launch.process.pid
        above = LocalHost().parents(known.process.pid)
        return known.process.pid if launch.process in above and known.process in above else launch.process.pid

    def _failed(self, launch: Launch, raw: bytes, error: Exception) -> Output:
        """Let the session's next event look again, whatever becomes of this turn: its answer reaches nobody."""
        if bell := bell_of(launch.client, field(raw, b"session_id")):
            bells_of(self._place).ring([bell])
        complain(self._place, error, event=field(raw, EVENT).decode("ascii", "replace"), by="http")
        client = named(launch.client)
        event = client.event(raw, launch.environ)
        if isinstance(event, Unreadable):
            return Output()
        self._count(event.name, "OutOfTime" if isinstance(error, TimeoutError) else type(error).__name__)
        return unchecked(client, event)

    def _turn(self, client: Client, event: ClientEvent, bell: str, parent: int, agent: str, by: Way) -> Output:
        began = time.monotonic()
        rang = bool(bell) and bells_of(self._place).take_down(bell)
        outcome = "ok"
        try:
            output = taken(
                self._place,
                client,
                event,
                self._aside,
                self._take,
                parent=parent,
                agent_wanted=agent,
            )
        except Exception as error:
            if self._is_lost_by(error):
                raise  # unanswered, the hook takes its turn itself, where the project is now
            if rang:
                bells_of(self._place).ring([bell])
            complain(self._place, error, event=event.name, session=event.client_session)
            outcome, output = type(error).__name__, unchecked(client, event)
        count(self._place, event.name, outcome, round((time.monotonic() - began) * 1000), by)
        self._count(event.name, outcome)
        return output

    def _count(self, event: str, outcome: str) -> None:
        key = event[:EVENT_CHARACTERS_MAX], outcome
        if key not in self.outcomes and len(self.outcomes) >= OUTCOMES_MAX:
            key = "other", outcome
        self.outcomes[key] = self.outcomes.get(key, 0) + 1

    def _take(self, *args: Any, **kwargs: Any) -> Taken:
        traces, event = self._core.traces, args[0]
        with traces.span(f"hook {event.name}", client=event.client) if traces is not None else nullcontext():
            call = self._core.call("", Turns.take, Turns, args, kwargs)
            waiting = asyncio.run_coroutine_threadsafe(call, self._core.loop)
            try:
                found: Taken = waiting.result(TAKE_SECONDS_MAX)
            except TimeoutError:
                waiting.cancel()  # mail that is offered now would be offered to nobody
                raise
        return found


def _parts(body: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Take a hook's frame apart; see interfaces.hook.forward. Raises ValueError."""
    head, _, raw = body.partition(b"\0\0")
    client, bell, *variables = head.split(b"\0")
    environ = dict(text.partition("=")[::2] for text in (one.decode("utf-8", "replace") for one in variables))
    return client.decode("ascii"), "" if bell == NONE else bell.decode("ascii"), environ, raw


def _framed(output: Output) -> bytes:
    stdout, stderr = output.stdout.encode(), output.stderr.encode()
    return bytes((output.exit,)) + len(stdout).to_bytes(4, "big") + stdout + stderr

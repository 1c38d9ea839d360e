"""Hooks that come by the socket: the same turn as in the hook's own process, with the daemon's writer."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from roost.clients.base import Output, Unreadable
from roost.clients.named import named
from roost.connect import bells_of
from roost.interfaces.hook.forward import NONE
from roost.interfaces.hook.journal import complain, count
from roost.interfaces.hook.turn import taken, unchecked
from roost.turns.service import Turns
from roost.turns.taking import Taken

if TYPE_CHECKING:
    from roost.connect import Project
    from roost.daemon.core import Core

THREADS_MAX = 16
"""Hooks whose surroundings (transcripts, worktrees) are looked at side by side."""
TAKE_SECONDS_MAX = 2.0


class Hooks:
    """Takes the turns of hooks, each in a thread, for they read files."""

    def __init__(self, core: Core, aside: Project, place: str) -> None:
        self._core = core
        self._aside = aside
        self._place = place
        self._threads = ThreadPoolExecutor(max_workers=THREADS_MAX, thread_name_prefix="roost-hook")
        self.outcomes: dict[tuple[str, str], int] = {}

    def take(self, body: bytes, parent: int) -> asyncio.Future[bytes]:
        """Take one event; the result is the answer's frame body. `parent` is the process above the hook."""
        return self._core.loop.run_in_executor(self._threads, self._answer, body, parent)

    def close(self) -> None:
        """Let the turns under way end."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _answer(self, body: bytes, parent: int) -> bytes:
        began = time.monotonic()
        client_name, bell, environ, raw = _parts(body)
        client = named(client_name)
        event = client.event(raw, environ)
        if isinstance(event, Unreadable):
            complain(self._place, ValueError(event.reason), client=client_name)
            return _framed(Output())
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
                agent_wanted=environ.get("ROOST_AGENT", ""),
            )
        except Exception as error:
            if rang:
                bells_of(self._place).ring([bell])
            complain(self._place, error, event=event.name, session=event.client_session)
            outcome, output = type(error).__name__, unchecked(client, event)
        count(self._place, event.name, outcome, round((time.monotonic() - began) * 1000))
        self.outcomes[event.name, outcome] = self.outcomes.get((event.name, outcome), 0) + 1
        return _framed(output)

    def _take(self, *args: Any, **kwargs: Any) -> Taken:
        traces, event = self._core.traces, args[0]
        with traces.span(f"hook {event.name}", client=event.client) if traces is not None else nullcontext():
            call = self._core.call("", Turns.take, Turns, args, kwargs)
            found: Taken = asyncio.run_coroutine_threadsafe(call, self._core.loop).result(TAKE_SECONDS_MAX)
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

"""One turn by the full library, in this process: read the event, look around, take the turn, answer."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from roost import keyfiles, reach
from roost.clients.base import Client, Output, Unreadable
from roost.clients.named import named
from roost.connect import Project, bells_of, connect
from roost.interfaces.hook.begin import beat
from roost.interfaces.hook.journal import complain, count
from roost.interfaces.hook.looking import surroundings
from roost.turns.model import ClientEvent, TurnReply
from roost.turns.taking import Taken

BUDGET_SECONDS = 0.4
LONG_BUDGET_SECONDS = 2.0
"""Events that also look at the repository: a late briefing is better than none."""
GATE_SECONDS = 0.15
NOT_CHECKED = "Roost could not check in time whether somebody else holds what this changes: it was not checked."


class OutOfTime(Exception):
    """The client is not to wait any longer."""


class Turn:
    """One event on its way; whoever of its two threads speaks first has spoken for both."""

    def __init__(self, place: str, client: Client, event: ClientEvent, bell: str, began: float) -> None:
        self.place = place
        self.client = client
        self.event = event
        self.bell = bell
        self.began = began
        self._speaking = threading.Lock()
        self._rang = False

    def run(self) -> int:
        """Take the event and print the answer; return the exit status."""
        budget = LONG_BUDGET_SECONDS if self.event.kind in ("start", "compacting") else BUDGET_SECONDS
        threading.Thread(target=self._watch, args=(self.began + budget,), name="roost-deadline", daemon=True).start()
        outcome = "ok"
        try:
            output = self._taken()
        except Exception as error:
            outcome, output = type(error).__name__, self._failed(error)
        if not self._speaking.acquire(blocking=False):
            threading.Event().wait()  # the other thread ends this process
        return self._say(outcome, output)

    def _watch(self, deadline: float) -> None:
        """End the process when its time is up, whatever it is in: the store loses nothing by that, and the bell stays.

        A signal would wait for the end of a call into SQLite; a thread does not.
        """
        time.sleep(max(0.0, deadline - time.monotonic()))
        if self._speaking.acquire(blocking=False):
            try:
                self._say("OutOfTime", self._failed(OutOfTime("the client must not wait any longer")))
            finally:
                os._exit(0)

    def _say(self, outcome: str, output: Output) -> int:
        count(self.place, self.event.name, outcome, round((time.monotonic() - self.began) * 1000), "process")
        sys.stdout.write(output.stdout)
        sys.stderr.write(output.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        return output.exit

    def _failed(self, error: Exception) -> Output:
        if self.bell and (self._rang or isinstance(error, OutOfTime)):
            bells_of(self.place).ring([self.bell])
        complain(self.place, error, event=self.event.name, session=self.event.client_session)
        return unchecked(self.client, self.event)

    def _taken(self) -> Output:
        if self.bell:
            self._rang = bells_of(self.place).take_down(self.bell)  # before looking, so that one rung meanwhile stays
        project = open_project(self.place)
        try:
            return taken(
                self.place,
                self.client,
                self.event,
                project,
                project.system().turns.take,
                parent=os.getppid(),
                agent_wanted=os.environ.get("ROOST_AGENT", ""),
            )
        finally:
            project.close()


def taken(
    place: str,
    client: Client,
    event: ClientEvent,
    project: Project,
    take: Callable[..., Taken],
    *,
    parent: int,
    agent_wanted: str,
) -> Output:
    """Look around an event, take the turn by the verb `take`, leave the files that go with it, and say the answer."""
    around, is_known = surroundings(project, client, event, parent=parent, agent_wanted=agent_wanted)
    key, key_hash = ("", b"") if is_known and event.kind != "start" else keyfiles.new_key()
    found = take(event, around, key_hash=key_hash)
    _leave_signs(place, event, found, key)
    return client.answer(event, found.reply)


def _leave_signs(place: str, event: ClientEvent, taken: Taken, key: str) -> None:
    """Leave the files that go with a turn. None of them is worth an answer that is on its way."""
    try:
        if taken.old_bell:
            _sweep(place, taken.old_bell)
        if taken.is_over:
            keyfiles.drop(f"{place}/sessions", taken.session)
        elif taken.bell:
            _show_signs(place, taken)
        if taken.joined and key:
            keyfiles.write(f"{place}/sessions", taken.session, key)
        if taken.reply.env and event.env_file:
            _export(event.env_file, {**taken.reply.env, "ROOST_DIR": place})
    except OSError as error:
        complain(place, error, event=event.name, session=event.client_session)


def _show_signs(place: str, taken: Taken) -> None:
    beat(place, taken.bell, (taken.mark or "none").encode())
    if taken.more:
        bells_of(place).ring([taken.bell])
    path = f"{place}/looks/{taken.bell}"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, b"watch" if taken.watches else b"")
    finally:
        os.close(file)


def turn(
    place: str,
    client_name: str,
    bell: str,
    raw: bytes,
    environ: Mapping[str, str] = os.environ,
    began: float | None = None,
) -> int:
    """Take one event in at most 400 ms from `began` (CLOCK_MONOTONIC) on; return the exit status, which is 0."""
    client = named(client_name)
    event = client.event(raw, environ)
    if isinstance(event, Unreadable):
        complain(place, ValueError(event.reason), client=client_name)
        return 0
    status = Turn(place, client, event, bell, time.monotonic() if began is None else began).run()
    reach.start_soon(place)  # the answer is out already
    return status


def open_project(place: str) -> Project:
    """Open the project with a short patience at its gate."""
    return connect(place, gate_seconds=GATE_SECONDS)


def unchecked(client: Client, event: ClientEvent) -> Output:
    """Return what a client is told of an event that could not be taken: for an edit, that nobody checked it."""
    from roost.turns.shell import rewrites

    if event.kind == "tool_before" and (event.paths or rewrites(event.command, event.cwd)):
        reply = TurnReply(context=NOT_CHECKED)
        return client.answer(msgspec.structs.replace(event, takes_context=True), reply)
    return Output()


def _sweep(place: str, bell: str) -> None:
    """Take away the small files of a conversation that is over; its waiter ends when it misses its own."""
    for folder in ("bells", "beats", "looks", "waiters"):
        try:
            os.unlink(f"{place}/{folder}/{bell}")
        except FileNotFoundError:
            continue


def _export(path: str, env: Mapping[str, str]) -> None:
    from roost.clients.claude.reply import exports

    with open(path, "a", encoding="utf-8") as file:
        file.write(exports(env))

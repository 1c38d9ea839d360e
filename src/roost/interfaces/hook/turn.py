"""One turn by the full library, in this process: read the event, look at the transcript, take the turn, answer."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from roost.briefings.model import GitFacts
from roost.clients.base import Client, Offer, Output, Unreadable
from roost.clients.named import named
from roost.connect import Project, bells_of, connect, git_facts, worktree_of
from roost.deliveries.envelope import marker
from roost.deliveries.model import Verdict
from roost.errors import RoostError
from roost.interfaces.hook.journal import complain, count
from roost.turns.model import ClientEvent, Surroundings, TurnReply, Watch

BUDGET_SECONDS = 0.4
START_BUDGET_SECONDS = 2.0
"""A session's first event also looks at the repository, and a late briefing is better than none."""
GATE_SECONDS = 0.15
NOT_CHECKED = "Roost could not check in time whether somebody else holds this file: it was not checked."


class OutOfTime(BaseException):
    """The client is not to wait any longer. No Exception, so that nothing on the way takes it for an error it can answer."""


def turn(place: str, client_name: str, bell: str, raw: bytes, environ: Mapping[str, str] = os.environ) -> int:
    """Take one event in at most 400 ms and print the answer; return the exit status, which is 0."""
    began = time.monotonic()
    client = named(client_name)
    event = client.event(raw, environ)
    if isinstance(event, Unreadable):
        complain(place, ValueError(event.reason), client=client_name)
        return 0
    outcome, output = "ok", Output()
    try:
        _alarm(START_BUDGET_SECONDS if event.kind == "start" else BUDGET_SECONDS)
        output = _taken(place, client, event, bell)
        _alarm(0)
    except (OutOfTime, RoostError, OSError) as error:
        _alarm(0)
        outcome = "late" if isinstance(error, OutOfTime) else type(error).__name__
        complain(place, error, event=event.name, session=event.client_session)
        output = _unchecked(client, event)
    count(place, event.name, outcome, round((time.monotonic() - began) * 1000))
    sys.stdout.write(output.stdout)
    sys.stderr.write(output.stderr)
    return output.exit


def _taken(place: str, client: Client, event: ClientEvent, bell: str) -> Output:
    bells = bells_of(place)
    if bell:
        bells.take_down(bell)  # before looking, so that one rung meanwhile stays
    project = open_project(place)
    try:
        key = os.urandom(32)
        taken = project.system().turns.take(
            event, surroundings(project, client, event), key_hash=hashlib.sha256(key.hex().encode()).digest()
        )
    except BaseException:
        if bell:
            bells.ring([bell])
        raise
    finally:
        project.close()
    if taken.joined:
        write_key(place, taken.session, key.hex())
    if taken.more and taken.bell:
        bells.ring([taken.bell])
    if taken.bell:
        _looked(place, taken.bell)
    if taken.reply.env and event.env_file:
        _export(event.env_file, {**taken.reply.env, "ROOST_DIR": place})
    return client.answer(event, taken.reply)


def open_project(place: str) -> Project:
    """Open the project with a short patience at its gate."""
    return connect(Path(place), gate_seconds=GATE_SECONDS)


def surroundings(project: Project, client: Client, event: ClientEvent) -> Surroundings:
    """Look at everything around an event that the verb needs to know."""
    watch = project.system().turns.watch(event.client, event.client_session)
    verdicts, offset = read_proofs(client, event.transcript or watch.transcript, watch)
    tree = worktree_of(event.cwd)
    return Surroundings(
        client_pid=event.client_pid or os.getppid(),
        worktree=tree.top,
        linked_name=tree.linked_name,
        agent_wanted=os.environ.get("ROOST_AGENT", ""),
        verdicts=verdicts,
        transcript_offset=offset,
        git=_git(event),
    )


def _git(event: ClientEvent) -> GitFacts:
    """What a briefing or checkpoint shows of the repository; other events do not pay for it."""
    if event.kind not in ("start", "compacting"):
        return GitFacts()
    return git_facts(event.cwd)


def read_proofs(client: Client, transcript: str, watch: Watch) -> tuple[tuple[Verdict, ...], int]:
    """Look in a transcript for the open offers of its session, outside any transaction."""
    offset = watch.offset if transcript == watch.transcript else 0
    if not watch.offers:
        return (), offset
    if not transcript:
        return tuple(Verdict(nonce=offer.nonce, found="unreadable") for offer in watch.offers), 0
    offers = [
        Offer(nonce=offer.nonce, marker=marker(offer.nonce), offered_wall=offer.offered_wall) for offer in watch.offers
    ]
    scan = client.proofs(transcript, offset, offers)
    return scan.verdicts, scan.offset


def write_key(place: str, session: str, key: str) -> None:
    """Leave a session's key where only its user can read it."""
    file = os.open(f"{place}/sessions/{session}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, key.encode())
    finally:
        os.close(file)


def _unchecked(client: Client, event: ClientEvent) -> Output:
    if event.kind == "tool_before" and event.paths:
        reply = TurnReply(context=NOT_CHECKED)
        return client.answer(msgspec.structs.replace(event, takes_context=True), reply)
    return Output()


def _looked(place: str, bell: str) -> None:
    path = f"{place}/looks/{bell}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))


def _export(path: str, env: Mapping[str, str]) -> None:
    from roost.clients.claude.reply import exports

    with open(path, "a", encoding="utf-8") as file:
        file.write(exports(env))


def _alarm(seconds: float) -> None:
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _out_of_time(number: int, frame: Any) -> None:
    raise OutOfTime("the client must not wait any longer")

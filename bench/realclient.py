"""S13: from a send to the request in which a real Claude Code shows it to its (scripted) model."""

from __future__ import annotations

import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import roost
from bench.measure import Line, ms, p50
from bench.scene import SETTINGS
from roost.hub import Hub
from roost.verbs import Sync
from tests.clients.harness import Fleet, bash, say
from tests.clients.harness.fleet import INSTALLED

SCRIPTS = Path(sys.executable).parent
ROUNDS, BOUNDARIES = 4, 10
TOOL_SECONDS = 0.3
WAKES = 5
PATIENCE_SECONDS = 90


def s13() -> list[Line]:
    """Busy: what Roost adds between a tool's end and the next request. Idle: from the send to the request."""
    taken: dict[str, list[float]] = {"mail": [], "quiet": [], "bare": []}
    with fleet(hooks=True) as served, fleet(hooks=False) as bare_ones, roost.open(served.repo, as_="planner") as hub:
        for number in range(ROUNDS):
            taken["bare"] += boundaries(bare_ones, f"bare-{number}")
            taken["quiet"] += boundaries(served, f"quiet-{number}")
            taken["mail"] += boundaries(served, f"mail-{number}", hub)
        woken = _wakes(served, hub)
    bare, quiet, mail = (p50(taken[name]) for name in ("bare", "quiet", "mail"))
    return [
        Line("S13", "busy: a tool boundary with mail, to one without Roost: the difference", ms(mail - bare), "50ms",
             (mail - bare) / 0.05, "<=1", "D2", mail - bare <= 0.05),
        Line("S13", "busy: a tool boundary without mail, the same", ms(quiet - bare), "50ms",
             (quiet - bare) / 0.05, "<=1", "-", quiet - bare <= 0.05),
        Line("S13", "idle: from the send to the request", ms(p50(woken)), "1000ms", p50(woken), "<=1", "D2",
             p50(woken) <= 1.0),
    ]  # fmt: skip


@contextmanager
def fleet(*, hooks: bool, launched: bool = False) -> Iterator[Fleet]:
    """Yield a fleet with Roost's hooks or without, whose clients are started by `roost run` or not."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as scratch,
        Fleet(Path(scratch) / "fleet", path=[SCRIPTS], claude=_launcher(scratch) if launched else INSTALLED) as started,
    ):
        if hooks:
            done = started.run("roost", "init", "--yes", "--me", "ada")
            assert done.returncode == 0, done.stderr
            (started.repo / ".roost" / "roost.toml").write_text(SETTINGS)
            started.run("roost", "up", "--detach")
        yield started
        started.run("roost", "down")


def _launcher(folder: str) -> Path:
    path = Path(folder) / "claude"
    path.write_text(f'#!/bin/sh\nexec roost run -- "{INSTALLED}" "$@"\n')
    path.chmod(0o755)
    return path


def boundaries(fleet: Fleet, session: str, sender: Hub[Sync] | None = None) -> list[float]:
    """Return the seconds between the requests of a turn of tool calls, the tools' own time taken off."""
    script = [*(bash(f"sleep {TOOL_SECONDS}") for _ in range(BOUNDARIES)), say("done")]
    running = fleet.start_ask(session, "work", script=script, env={"ROOST_AGENT": session})
    over = threading.Event()
    mails = threading.Thread(target=_mail, args=(fleet, session, sender, over))
    if sender is not None:
        mails.start()
    running.communicate(timeout=PATIENCE_SECONDS)
    over.set()
    if sender is not None:
        mails.join()
    seen = fleet.requests(session)
    if sender is not None:
        shown = sum(request.count("mail for a busy agent") > 0 for request in seen[2:])
        assert shown >= BOUNDARIES - 2, f"mail reached {shown} of {BOUNDARIES} requests"
    return [later.at - one.at - TOOL_SECONDS for one, later in itertools.pairwise(seen[1:])]


def _mail(fleet: Fleet, session: str, sender: Hub[Sync], over: threading.Event) -> None:
    """Send one message while each tool runs."""
    seen = 0
    while not over.is_set():
        count = len(fleet.requests(session))
        if count > seen:
            seen = count
            sender.messages.send(to=session, text=f"mail for a busy agent, number {count}", hold=True)
        time.sleep(0.02)


def _wakes(fleet: Fleet, sender: Hub[Sync]) -> list[float]:
    """Return the seconds from a send to an idle session until its model saw it."""
    client = fleet.claude("idle", script=[say("ready")], env={"ROOST_AGENT": "idle"})
    client.type("hello")
    client.wait_request(1)
    client.wait_idle()
    taken = []
    for number in range(2, WAKES + 2):
        time.sleep(1.0 + 0.1 * (number % 3))  # so that no beat of the waiter is met each time
        began = time.time()
        sender.messages.send(to="idle", text=f"question {number}", type="question")
        taken.append(client.wait_request(number).at - began)
        client.wait_idle()
    client.exit()
    return taken

"""`roost doctor --delivery`: a canary goes down each way by which mail reaches an agent, and its time is taken.

The mail is real: it is stored, offered and acknowledged like any other, by two agents named `canary-sender` and
`canary`. No live agent is woken or told anything.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from roost import reach
from roost.checkup import canary
from roost.checkup.canary import Canary
from roost.checkup.model import Check
from roost.clients import launcher
from roost.connect import connect
from roost.daemon import places
from roost.errors import AgentAlive, RoostError
from roost.status.model import Latency

ROUNDS = 3
IDLE_SECONDS = 0.5
"""A waiter lets a session be idle for a moment first."""


class Missing(Exception):
    """This way is not there; the message says what it needs."""


def deliveries(folder: str | None = None) -> Iterator[Check]:
    """Send a canary down each way in turn. Each check's `seconds` is the median of its rounds, from before the send."""
    place = reach.place_of(folder)
    with ExitStack() as closing:
        project = connect(place)
        closing.callback(project.close)
        try:
            bird = closing.enter_context(Canary(project, place))
        except AgentAlive as error:
            yield Check(name="delivery", grade="fail", said=error.message, to_do="another canary flies; try again")
            return
        for name, way, proves in WAYS:
            yield _flown(bird, name, way, proves)
        yield from map(_seen, project.system().status.metrics().latency)


def _flown(bird: Canary, name: str, way: Callable[[Canary], list[float]], proves: str) -> Check:
    try:
        seconds = statistics.median(way(bird))
    except Missing as error:
        return Check(name=name, grade="note", said=f"not tried: {error}")
    except (RoostError, OSError, canary.Lost) as error:
        to_do = error.hint if isinstance(error, RoostError) and error.hint else "see `roost logs`"
        return Check(name=name, grade="fail", said=str(error), to_do=to_do)
    return Check(name=name, grade="pass", said=f"{seconds * 1000:.0f} ms: {proves}", seconds=seconds)


def _seen(latency: Latency) -> Check:
    said = f"{latency.count} deliveries were proved by it so far, half within {latency.p50_ms} ms"
    return Check(name=latency.rung, grade="note", said=said, seconds=latency.p50_ms / 1000)


def by_inbox(bird: Canary) -> list[float]:
    """An agent asks for its mail in a shell."""
    with bird.joined() as session:
        command = [sys.executable, "-m", "roost", "inbox"]
        return [bird.fly(session, lambda: canary.said(command, env=session.env)) for _ in range(ROUNDS)]


def by_hook(bird: Canary) -> list[float]:
    """A client's hook between two tool calls prints it."""
    with canary.Client(bird, _launcher()) as client:
        return [bird.fly(client, lambda: client.hook("PostToolBatch", tool_calls=[])) for _ in range(ROUNDS)]


def by_waking(bird: Canary) -> list[float]:
    """The waiter beside an idle session ends with it, which is how the client is woken."""
    with canary.Client(bird, _launcher()) as client:
        waiter = client.waiter()
        client.hook("Stop", stop_hook_active=False)
        time.sleep(IDLE_SECONDS)
        return [bird.fly(client, waiter.woken, requires_ack=True)]


def by_stream(bird: Canary) -> list[float]:
    """A program listens at the daemon's socket."""
    _running(bird)
    with canary.Stream(bird) as stream:
        return [bird.fly(stream, stream.heard) for _ in range(ROUNDS)]


def by_websocket(bird: Canary) -> list[float]:
    """A program listens on a WebSocket, with a token."""
    run = _running(bird)
    if not run.port or find_spec("websockets") is None:
        raise Missing('the daemon serves no HTTP; that takes `http = true` and pip install "roost[server]"')
    with bird.joined() as session, canary.listening(bird, run) as stream:
        return [bird.fly(session, stream.heard) for _ in range(ROUNDS)]


def by_mcp(bird: Canary) -> list[float]:
    """A client calls the tool `inbox` through `roost mcp`."""
    _running(bird)
    if find_spec("mcp") is None:
        raise Missing('this installation has no MCP; pip install "roost[server]"')
    with bird.joined() as session, canary.Mcp(bird, session) as pipe:
        return [bird.fly(session, pipe.inbox) for _ in range(ROUNDS)]


WAYS: tuple[tuple[str, Callable[[Canary], list[float]], str], ...] = (
    ("inbox", by_inbox, "until `roost inbox` showed it"),
    ("hook", by_hook, "until the hook between two tool calls printed it; that a model saw it, its transcript proves"),
    ("wake", by_waking, "until the waiter beside an idle session ended with it, which wakes the client"),
    ("stream", by_stream, "until a listener at the native socket had it"),
    ("websocket", by_websocket, "until a listener on /v1/stream had it"),
    ("mcp", by_mcp, "until the MCP tool `inbox` returned it"),
)


def _launcher() -> Path:
    found = launcher.path(Path.home())
    if not os.access(found, os.X_OK):
        raise Missing("no hooks are installed here; run `roost init`")
    return found


def _running(bird: Canary) -> places.Run:
    run = places.told(bird.place)
    if run is None or not reach.is_running(bird.place):
        raise Missing("no daemon runs; `roost up --detach`")
    return run

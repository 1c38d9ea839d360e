"""Where the microseconds of a durable send go, with 32 callers: the daemon's CPU time a message, part by part."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.load import load
from bench.measure import Line
from bench.scene import BODY, project
from bench.serving import served
from roost.connect import Project
from roost.history.rules import chain
from roost.ids import new_id
from roost.interfaces.wire import frames
from roost.interfaces.wire.frames import ANSWER, Request
from roost.interfaces.wire.table import op
from roost.messages import quota
from roost.messages.checking import check
from roost.messages.model import Draft, Message, Sent
from roost.messages.service import Messages
from roost.messages.signature import derive_key, letter_of, sign
from roost.sessions.model import SYSTEM
from roost.stores.sqlite.store import SqliteStore
from roost.stores.sqlite.tx import SqliteTx
from roost.verbs import Call, InTx, Sync

CALLERS, BATCHES, LOOPS = 32, 60, 2_000
TICK = os.sysconf("SC_CLK_TCK")


def ledger() -> list[Line]:
    """Return what each part costs, in microseconds of one message; the last line is the daemon as it runs."""
    parts = {**_of_batches(), **_of_protocol()}
    within = _of_python()
    whole, rate = _of_daemon()
    rest = whole - sum(parts.values())
    parts["event loop, sockets and the system's part of them"] = rest
    lines = [_line(what, found, whole) for what, found in parts.items()]
    lines += [_line(f"  of the sender: {what}", found, whole) for what, found in within.items()]
    return [*lines, _line(f"the daemon with {CALLERS} callers, {rate:,.0f}/s", whole, whole)]


def _line(what: str, micros: float, whole: float) -> Line:
    return Line("S1L", what, f"{micros:.1f}us", f"{whole:.0f}us", micros / whole, "stated", "D2", True)


class Clock:
    """Adds up the CPU time that is spent in some calls."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    @contextmanager
    def around(self, owner: type, *names: str, as_: str) -> Iterator[None]:
        """Time these methods while this lasts."""
        real = {name: getattr(owner, name) for name in names}
        for name, method in real.items():
            setattr(owner, name, self._timed(method, as_))
        try:
            yield
        finally:
            for name, method in real.items():
                setattr(owner, name, method)

    def _timed(self, method: Callable[..., Any], as_: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.taken[as_] = self.taken.get(as_, 0.0) + time.process_time() - began

        return timed


def _of_batches() -> dict[str, float]:
    """Send in transactions of one message of each caller, as the daemon's writer does."""
    with project() as opened:
        me = [opened.joined(f"caller-{number}").sessions.me() for number in range(CALLERS)]
        opened.system().agents.add("sink")
        calls = [Call(one, (), {"to": "sink", "text": BODY}) for one in me]
        _send(opened, calls, 5)
        clock, began = Clock(), time.process_time()
        with (
            clock.around(SqliteTx, "run_many", "run", "one", "value", "finish", as_="rows"),
            clock.around(SqliteStore, "_commit", as_="commit"),
        ):
            _send(opened, calls, BATCHES)
        whole = time.process_time() - began
    rows, commit = clock.taken["rows"], clock.taken["commit"]
    return {
        "rows: statements and their values": _each(rows),
        "COMMIT: pages, checksums, system calls": _each(commit),
        "the sender: checks, quota, signature, chain, values": _each(whole - rows - commit),
    }


def _send(opened: Project, calls: list[Call], batches: int) -> None:
    for _ in range(batches):
        with opened.store.write() as tx:
            tx.me = SYSTEM
            Messages[Sync](InTx(tx)).send_many(calls)


def _each(seconds: float) -> float:
    return seconds / (CALLERS * BATCHES) * 1e6


def _of_protocol() -> dict[str, float]:
    """Take a request apart and put its answer together."""
    found = op("messages.send")
    request = frames.frame(Request(7, found.name, msgspec.Raw(found.write_arguments((), {"to": "sink", "text": BODY}))))
    sent = Sent(id=new_id(), number=1, seq=1, recipients=("sink",), channel="", thread=new_id())
    reader = frames.Frames(frames.FRAME_BYTES_MAX)

    def exchange() -> None:
        (body,) = reader.feed(request)
        found.read_arguments(frames.read_request(body).args)
        frames.answer(7, ANSWER, frames.encode(sent))

    return {"the protocol: frames, arguments, answer": _micros(exchange)}


def _of_python() -> dict[str, float]:
    """Time the sender's pure parts alone."""
    with project() as opened, opened.store.read() as tx:
        tx.me = SYSTEM
        draft, agent = Draft(to=("sink",), text=BODY), new_id()
        key = derive_key(b"s" * 32, project=agent, sender=agent)
        message = Message(
            id=new_id(), number=1, seq=1, sender=agent, sender_name="a", sender_kind="agent", sender_session=agent,
            channel="", recipients=1, type="message", severity="info", priority=5, body=BODY, body_hash=b"h" * 32,
            thread=agent, fingerprint=b"", sent_at=1, wall=1,
        )  # fmt: skip
        parts: dict[str, Callable[[], object]] = {
            "check of the draft": lambda: check(tx, draft),
            "signature": lambda: sign(key, letter_of(message, project=agent, recipients=(agent,))),
            "event and chain": lambda: chain(b"h" * 32, agent, 1, 1, 1, "message.sent", agent, agent, agent, "{}" * 60),
            "quota": lambda: quota.charge(((1, 1),), cost=1, limit=100, now=1),
            "id": new_id,
        }
        return {what: _micros(part) for what, part in parts.items()}


def _micros(step: Callable[[], object]) -> float:
    """Return the CPU time of one call, in microseconds: the median of rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(LOOPS):
            step()
        rounds.append((time.process_time() - began) / LOOPS * 1e6)
    return statistics.median(rounds)


def _of_daemon() -> tuple[float, float]:
    """Return the daemon's CPU time a message, in microseconds, and its rate."""
    with served() as ours:
        spec = {"kind": "roost", "place": ours.place}
        load(spec, CALLERS, 20)
        before = _cpu(ours.run.pid)
        taken = load(spec, CALLERS, 150)
        spent = _cpu(ours.run.pid) - before
    return spent / (len(taken.each) + CALLERS) * 1e6, taken.rate


def _cpu(pid: int) -> float:
    """Return the CPU time of a process so far, of the user's and the system's part, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK

"""S1, S4 and S5: how many durable sends a second, against limits and rivals, and that more clients break nothing."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator
from typing import Any

from bench.load import Taken, load
from bench.measure import ROUNDS, Line, p99
from bench.rivals import servers
from bench.serving import Served, served
from roost.connect import connect

CLIENTS = 32
EACH = 60


def s1() -> list[Line]:
    """Durable sends by 32 clients on the native socket, each an agent of its own."""
    with _contestants("broker", "postgres", "redis", "jetstream") as specs:
        rates = _rates(specs, CLIENTS, EACH)
    ours = rates.pop("roost")
    wanted = {"broker": 0.5, "postgres": 1.5, "redis": 1.5, "jetstream": 2.0}
    names = {
        "broker": "bare group-commit broker",
        "postgres": "PostgreSQL, one insert a commit",
        "redis": "Redis, appendfsync always",
        "jetstream": "JetStream, sync_interval always",
    }
    return [
        Line(
            "S1",
            f"32 clients against the {names[name]}",
            f"{ours:,.0f}/s",
            f"{rates[name]:,.0f}/s",
            ours / rates[name],
            f">={wanted[name]}",
            "D2",
            ours >= wanted[name] * rates[name],
        )
        for name in wanted
    ]


def s4() -> list[Line]:
    """Durable sends by HTTP, against the same parts that store nothing."""
    with served() as ours, servers.bare("http") as null:
        spec = {"kind": "http", "port": ours.run.port, "tokens": ours.tokens(CLIENTS)}
        rates = _rates({"roost": spec, "null": null}, CLIENTS, EACH)
    ratio = rates["roost"] / rates["null"]
    what = "HTTP, 32 clients, against HTTP that stores nothing"
    return [Line("S4", what, f"{rates['roost']:,.0f}/s", f"{rates['null']:,.0f}/s", ratio, ">=0.6", "D2", ratio >= 0.6)]


def s5() -> list[Line]:
    """256 and 1,000 clients against 32; nothing lost or doubled."""
    with served() as ours:
        spec = {"kind": "roost", "place": ours.place}
        plans = {32: 60, 256: 15, 1_000: 6}
        taken: dict[int, list[Taken]] = {clients: [] for clients in plans}
        for _ in range(3):
            for clients, each in plans.items():
                taken[clients].append(load(spec, clients, each))
        asked = sum(len(one.each) for found in taken.values() for one in found)
        asked += sum(clients * len(found) for clients, found in taken.items())
        stored = _stored(ours)
    assert stored == asked, f"{stored} stored, {asked} answered"
    rates = {clients: statistics.median(one.rate for one in found) for clients, found in taken.items()}
    lines = []
    for clients, target in ((256, 1.0), (1_000, 0.9)):
        ratio = rates[clients] / rates[32]
        what = f"{clients} clients against 32; {asked:,} answered and stored once"
        lines.append(
            Line(
                "S5",
                what,
                f"{rates[clients]:,.0f}/s",
                f"{rates[32]:,.0f}/s",
                ratio,
                f">={target}",
                "D2",
                ratio >= target,
            )
        )
        tail = p99([second for one in taken[clients] for second in one.each])
        allowed = 3 * clients / rates[clients]
        lines.append(
            Line(
                "S5",
                f"p99 of {clients} clients against clients / rate",
                f"{tail * 1000:.0f}ms",
                f"{allowed / 3 * 1000:.0f}ms",
                tail / allowed * 3,
                "<=3",
                "D2",
                tail <= allowed,
            )
        )
    return lines


@contextlib.contextmanager
def _contestants(*names: str) -> Iterator[dict[str, Any]]:
    with contextlib.ExitStack() as opened:
        specs: dict[str, Any] = {"roost": {"kind": "roost", "place": opened.enter_context(served()).place}}
        for name in names:
            rival = servers.bare("broker") if name == "broker" else getattr(servers, name)()
            specs[name] = opened.enter_context(rival)
        yield specs


def _rates(specs: dict[str, Any], clients: int, each: int) -> dict[str, float]:
    """Return each contestant's median rate over interleaved rounds."""
    taken: dict[str, list[float]] = {name: [] for name in specs}
    for _ in range(ROUNDS):
        for name, spec in specs.items():
            taken[name].append(load(spec, clients, each).rate)
    return {name: statistics.median(found) for name, found in taken.items()}


def _stored(ours: Served) -> int:
    project = connect(ours.place)
    try:
        return project.system().messages.last_number()
    finally:
        project.close()

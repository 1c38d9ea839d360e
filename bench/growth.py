"""S10: what waits does not slow down what goes out."""

from __future__ import annotations

from bench.measure import Line, Step, interleaved, ms, p50, p99
from bench.scene import BODY, project
from roost.connect import Project
from roost.hub import Hub
from roost.messages.model import Draft
from roost.verbs import Sync

SMALL, LARGE = 10_000, 100_000
FILL = 1_000


def s10() -> list[Line]:
    """Claim and send with 10,000 and with 100,000 messages waiting; send also against an empty store."""
    with project() as empty, project() as small, project() as large:
        hubs = {"empty": _filled(empty, 0), "small": _filled(small, SMALL), "large": _filled(large, LARGE)}
        claims = interleaved({name: _claim(hub) for name, (_, hub) in hubs.items() if name != "empty"}, each=60)
        sends = interleaved({name: _send(hub) for name, (hub, _) in hubs.items()}, each=60)
    claim, base = p50(claims["large"]), p50(claims["small"])
    tail, tail_base = p99(claims["large"]), p99(claims["small"])
    rate, full = 1 / p50(sends["large"]), 1 / p50(sends["empty"])
    worst = max(sends["large"])
    return [
        Line(
            "S10",
            "claim p50, 100k waiting against 10k",
            ms(claim),
            ms(base),
            claim / base,
            "<=1.2",
            "D2",
            claim <= 1.2 * base,
        ),
        Line(
            "S10",
            "claim p99, 100k waiting against 10k",
            ms(tail),
            ms(tail_base),
            tail / tail_base,
            "<=2",
            "D2",
            tail <= 2 * tail_base,
        ),
        Line(
            "S10",
            "send, 100k waiting against empty",
            f"{rate:,.0f}/s",
            f"{full:,.0f}/s",
            rate / full,
            ">=0.9",
            "D2",
            rate >= 0.9 * full,
        ),
        Line(
            "S10",
            "send, slowest of 300 against p50",
            ms(worst),
            ms(1 / rate),
            worst * rate,
            "<=20",
            "D2",
            worst * rate <= 20,
        ),
    ]


def _filled(project: Project, count: int) -> tuple[Hub[Sync], Hub[Sync]]:
    sender, recipient = project.joined("sender"), project.joined("recipient")
    filler = project.system()
    for _ in range(count // FILL):
        filler.messages.send_batch([Draft(to=("recipient",), text=BODY)] * FILL)
    return sender, recipient


def _claim(hub: Hub[Sync]) -> Step:
    return lambda: hub.messages.inbox(limit=1)


def _send(hub: Hub[Sync]) -> Step:
    return lambda: hub.messages.send(to="recipient", text=BODY)

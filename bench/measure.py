"""Interleaved rounds, medians, and one line per target."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

ROUNDS = 5
"""Each contestant runs once a round, in turn, so that a noisy minute hits all alike."""

Step = Callable[[], object]


class Line(msgspec.Struct, frozen=True):
    """One measured target: `ratio` is measured / limit where less is better, else limit's share."""

    id: str
    what: str
    measured: str
    limit: str
    ratio: float
    target: str
    durability: str
    ok: bool

    def __str__(self) -> str:
        return (
            f"{self.id} measured={self.measured} limit={self.limit} ratio={self.ratio:.2f} target={self.target}"
            f" durability={self.durability} {'ok' if self.ok else 'short'}   {self.what}"
        )

    def row(self) -> str:
        """Return the line as a row of a Markdown table."""
        end = "ok" if self.ok else "**short**"
        return (
            f"| {self.id} | {self.what} | {self.measured} | {self.limit} | {self.ratio:.2f} | {self.target} |"
            f" {self.durability} | {'' if self.target == 'stated' else end} |"
        )


TABLE = (
    "| id | what | measured | limit or rival | ratio | target | durability | |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def timed(step: Step) -> float:
    """Return how many seconds one call takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def interleaved(steps: Mapping[str, Step], *, each: int, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Time every step `each` times a round, in turn; return all seconds by name, one untimed warm-up left out."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            taken[name] += [timed(step) for _ in range(each)]
    return taken


def p50(seconds: Sequence[float]) -> float:
    """The median."""
    return statistics.median(seconds)


def p99(seconds: Sequence[float]) -> float:
    """The value that one in a hundred exceeds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)]


def ms(seconds: float) -> str:
    """Milliseconds with the digits that mean something."""
    return f"{seconds * 1000:.2f}ms"

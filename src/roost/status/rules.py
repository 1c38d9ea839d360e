"""What many single measurements say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.status.model import Latency

UNPUSHED = "answered first"
"""Shown for mail that its addressee acknowledged before any rung had offered it."""


def percentile(ordered: Sequence[int], share: float) -> int:
    """Return the value that `share` (0-1) of the ordered values do not exceed: the nearest rank, never a mixture."""
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def latencies(arrivals: Iterable[tuple[str, int]]) -> tuple[Latency, ...]:
    """Return, for each rung, how long its mail took, from (rung, milliseconds); rungs by name."""
    by_rung: dict[str, list[int]] = {}
    for rung, ms in arrivals:
        by_rung.setdefault(rung or UNPUSHED, []).append(ms)
    return tuple(_latency(rung, sorted(times)) for rung, times in sorted(by_rung.items()))


def _latency(rung: str, times: Sequence[int]) -> Latency:
    return Latency(
        rung=rung,
        count=len(times),
        p50_ms=percentile(times, 0.5),
        p95_ms=percentile(times, 0.95),
        max_ms=times[-1],
    )

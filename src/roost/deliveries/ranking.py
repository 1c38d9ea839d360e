"""The order in which waiting mail is offered: one number, fixed when a message is sent, and then the sequence.

Smaller ranks go first. Below 100 a priority is a head start in time: however much urgent mail arrives, a message is
overtaken only by what was sent at most 109 minutes after it, so none starves. From 100 on it goes before all of those.
"""

from __future__ import annotations

from itertools import pairwise

from roost.priorities import PRIORITY_MAX, STRICT_FROM

# (priority, milliseconds of head start): low, normal, high, urgent; numbers between two names lie on a line.
_POINTS = ((0, 0), (5, 60_000), (20, 600_000), (60, 3_600_000))
_BEYOND_URGENT_MS = 75_000  # per step; the slope from high to urgent, continued


def head_start(priority: int) -> int:
    """Return by how many milliseconds a message of this priority counts as sent earlier; higher ones by more."""
    for (low, start), (high, end) in pairwise(_POINTS):
        if priority <= high:
            return start + (end - start) * (priority - low) // (high - low)
    last, start = _POINTS[-1]
    return start + (priority - last) * _BEYOND_URGENT_MS


HEAD_START_MAX_MS = head_start(STRICT_FROM - 1)
"""No message waits for one that was sent more than this after it, strict ones aside."""

# Puts the strict class before every clock of the next 35,000 years and still fits a signed 64-bit column.
_STRICT_MS = 1 << 50

_HEAD_STARTS = tuple(head_start(priority) for priority in range(PRIORITY_MAX + 1))


def rank(priority: int, *, sent_at: int) -> int:
    """Return the rank of a message of `priority` 0-255 committed at `sent_at`, in milliseconds of the store clock.

    Order waiting deliveries by (rank, sequence): within one priority that is commit order.
    """
    place = sent_at - _HEAD_STARTS[priority]
    return place - _STRICT_MS if priority >= STRICT_FROM else place

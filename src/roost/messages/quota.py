"""How many messages a sender may send: a limit in every sliding window of 60 s, counted per recipient.

The state is a short tuple of (time, cost), kept in one row per sender, the same for every process. A message that alone
costs more than the limit passes on an untouched window; its cost is spread over the following windows, so the rate
holds over time and nothing else passes until it is paid off. Times are milliseconds of the store clock.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

import msgspec

WINDOW_MS = 60_000
AGENT_LIMIT = 30
HUMAN_LIMIT = 600
"""Also for services."""

# Where the limit is an agent's, every entry keeps its own time. With a higher one, after the first few, the costs of a
# second share an entry at the latest of their times: a big sender's row stays under 70 entries, and its window is never
# too short, at most a second too long.
_EXACT_LIMIT_MAX = 30
_EXACT_ENTRIES_MAX = 4
_GRAIN_MS = 1_000

Spent = tuple[tuple[int, int], ...]
"""What a sender spent: (at, cost), oldest first. An entry may lie in the future: the rest of a dear message."""


_cost: Callable[[tuple[int, int]], int] = itemgetter(1)


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """The message may be sent; `spent` replaces the sender's row. `left` more may follow at once."""

    spent: Spent
    left: int


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """The message may not be sent now; the same one passes at `retry_at` if nothing else is sent before."""

    retry_at: int
    left: int

    def retry_after(self, now: int) -> float:
        """Return the wait in seconds."""
        return max(self.retry_at - now, 0) / 1_000


def limit_of(sender_kind: str, *, agent: int = AGENT_LIMIT, human: int = HUMAN_LIMIT) -> int:
    """Return the limit for a sender of kind agent, human or service."""
    return agent if sender_kind == "agent" else human


def charge(spent: Spent, *, cost: int, limit: int, now: int) -> Passed | Limited:
    """Charge `cost` (the number of recipients) to a sender, or say when it will pass."""
    live = _live(spent, now)
    used = sum(map(_cost, live))
    left = max(limit - used, 0)
    if cost <= 0:
        return Passed(spent=live, left=left)
    if used + cost <= limit:
        return Passed(spent=_add(live, now, cost, limit), left=left - cost)
    if not live:
        return Passed(spent=_spread(cost, limit, now), left=0)
    return Limited(retry_at=_room_at(live, cost, limit), left=left)


def left(spent: Spent, *, limit: int, now: int) -> int:
    """Return how many more messages of one recipient the sender may send now."""
    return max(limit - sum(map(_cost, _live(spent, now))), 0)


def _live(spent: Spent, now: int) -> Spent:
    """Return the entries that a window ending now, or later, still holds."""
    if not spent or spent[0][0] > now - WINDOW_MS:
        return spent
    return tuple(entry for entry in spent if entry[0] > now - WINDOW_MS)


def _add(live: Spent, now: int, cost: int, limit: int) -> Spent:
    if live:
        at, last = live[-1]
        exact = limit if limit <= _EXACT_LIMIT_MAX else _EXACT_ENTRIES_MAX
        if at == now or (len(live) >= exact and at // _GRAIN_MS == now // _GRAIN_MS):
            return (*live[:-1], (now, last + cost))
    return (*live, (now, cost))


def _spread(cost: int, limit: int, now: int) -> Spent:
    """Lay a cost over the limit out in time: one full window each, then the rest.

    Only the last full window and the rest are kept: until the full one has passed nothing else can.
    """
    full, rest = divmod(cost, limit)
    last = now + (full - 1) * WINDOW_MS
    return ((last, limit), (last + WINDOW_MS, rest)) if rest else ((last, limit),)


def _room_at(live: Spent, cost: int, limit: int) -> int:
    """Return when enough entries have left the window; a cost over the limit needs all of them gone."""
    used = sum(map(_cost, live))
    for at, one in live:
        used -= one
        if used + cost <= limit:
            return at + WINDOW_MS
    return live[-1][0] + WINDOW_MS

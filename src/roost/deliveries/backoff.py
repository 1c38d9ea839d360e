"""When something is tried, or asked for, again."""

from __future__ import annotations

import msgspec

RETRY_BASE_SECONDS = 1.0
RETRY_SECONDS_MAX = 300.0

REMINDERS_MAX = 3
# Waits before each step, so that reminders come 30, 60 and 120 s after the message and the escalation 240 s after it. A
# step that comes late (nobody was running) moves the following ones: overdue steps never come as a burst.
_GAPS_MS = (30_000, 30_000, 60_000, 120_000)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """The next thing to do about a missing acknowledgement, due at `at` (milliseconds, on the clock that was given)."""

    at: int
    number: int
    escalates: bool


def retry_delay(
    attempts: int, *, fraction: float, base: float = RETRY_BASE_SECONDS, most: float = RETRY_SECONDS_MAX
) -> int:
    """Return how many milliseconds to wait after `attempts` failed tries (1 or more): exponential, with full jitter.

    `fraction` is a random number in [0, 1]: the wait is that part of min(`most`, `base` doubled with each try), in
    seconds, so that many who failed together do not come back together.
    """
    doublings = min(max(attempts, 1) - 1, 62)  # more would overflow a float long after the cap is reached
    return round(min(most, base * 2.0**doublings) * 1_000 * fraction)


def next_step(*, last_at: int, done: int) -> Step | None:
    """Return the next step for a message without its acknowledgement: three reminders, one escalation, then nothing.

    `done` counts the steps taken so far; `last_at` is when the last of them was taken, or, before the first, when the
    recipient had the message.
    """
    if done >= len(_GAPS_MS):
        return None
    return Step(at=last_at + _GAPS_MS[done], number=done + 1, escalates=done >= REMINDERS_MAX)

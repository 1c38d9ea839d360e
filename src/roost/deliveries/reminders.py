"""When a missing acknowledgement is asked for again."""

from __future__ import annotations

import msgspec

REMINDERS_MAX = 3
# Waits before each step, so that reminders come 30, 60 and 120 s after the message and the escalation 240 s after it. A
# step that comes late (nobody was running) moves the following ones: overdue steps never come as a burst.
_GAPS_MS = (30_000, 30_000, 60_000, 120_000)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """The next thing to do about a missing acknowledgement, due at `at` (milliseconds, on the clock that was given)."""

    at: int
    number: int
    escalates: bool


def next_step(*, last_at: int, done: int) -> Step | None:
    """Return the next step for a message without its acknowledgement: three reminders, one escalation, then nothing.

    `done` counts the steps taken so far; `last_at` is when the last of them was taken, or, before the first, when the
    recipient had the message.
    """
    if done >= len(_GAPS_MS):
        return None
    return Step(at=last_at + _GAPS_MS[done], number=done + 1, escalates=done >= REMINDERS_MAX)

"""How long what is final is kept, and what counts as final. Pure: facts and a time in, a reason out."""

from __future__ import annotations

from typing import Literal

import msgspec

from roost.config import Kept
from roost.limits import DAY

DAY_MS = round(DAY * 1000)
KEY_LIVES_MS = 7 * DAY_MS
"""An idempotency key is honoured so long, so the message that it names stays."""

Reason = Literal[
    "",
    "on its way",
    "not acknowledged",
    "a dead letter",
    "its sender is to be told",
    "live",
    "something needs it",
    "the newest of its agent",
    "its idempotency key holds",
    "too young",
]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about one thing: a thread of messages, a session or an operation. Times are ms on the store clock.

    `last_at` is when anything last happened to it, `keyed_at` when its newest message with an idempotency key was sent.
    `needed`: something that is not final hangs on it.
    """

    key: str
    last_at: int
    keyed_at: int | None = None
    undelivered: bool = False
    owed: bool = False
    dead: bool = False
    untold: bool = False
    live: bool = False
    needed: bool = False
    newest: bool = False


def reason_to_stay(facts: Facts, keep_ms: int, now: int) -> Reason:
    """Say why a thing stays in the store, or '' when it may leave.

    A dead letter stays until somebody redelivers it or gives it up: its promise is that it can be redelivered.
    """
    reasons: tuple[tuple[bool, Reason], ...] = (
        (facts.undelivered, "on its way"),
        (facts.owed, "not acknowledged"),
        (facts.dead, "a dead letter"),
        (facts.untold, "its sender is to be told"),
        (facts.live, "live"),
        (facts.needed, "something needs it"),
        (facts.newest, "the newest of its agent"),
        (facts.keyed_at is not None and now - facts.keyed_at < KEY_LIVES_MS, "its idempotency key holds"),
        (now - facts.last_at < keep_ms, "too young"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def in_ms(days: Kept) -> int | None:
    """Return a policy's time in milliseconds, None for ever."""
    return None if days == "forever" else round(days * DAY_MS)

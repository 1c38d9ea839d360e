"""What a refused caller is told: what is held, by whom, until when, and what to do."""

from __future__ import annotations

import time

from roost.errors import LeaseHeld
from roost.leases.model import Lease, Refused, Waiter, Wish
from roost.leases.rules import name_of


def refusal(wish: Wish, refused: Refused, *, now: int, wall: int) -> LeaseHeld:
    """Return the error for one refused wish; `now` and `wall` are the same moment on the store's two clocks."""
    name = name_of(wish)
    if not refused.holders:
        return _promised(name, refused.ahead)
    lease = max(refused.holders, key=lambda held: held.expires_at)
    until = time_of_day(lease.expires_at, now=now, wall=wall)
    others = sorted({held.holder for held in refused.holders} - {lease.holder})
    return LeaseHeld(
        f"{_state(name, lease)} until {until}{_more(others)}{_because(lease)}",
        hint=f"wait for it (`roost lease wait {name}`), or ask {lease.holder} to release it",
        key=name,
        held_key=name_of(lease),
        holder=lease.holder,
        holders=sorted({held.holder for held in refused.holders}),
        reason=lease.reason,
        implicit=lease.implicit,
        seconds_left=(lease.expires_at - now) / 1000,
        until_wall=wall + lease.expires_at - now,
    )


def time_of_day(at: int, *, now: int, wall: int) -> str:
    """Return a moment on the store clock as people here read a clock; `now` and `wall` are one moment on both."""
    return time.strftime("%H:%M:%S", time.localtime((wall + at - now) / 1000))


def _state(name: str, lease: Lease) -> str:
    held = name_of(lease)
    if lease.implicit:
        what = name if held == name else f"{held}, which {name} covers"
        return f"{lease.holder} is editing {what}, and has it"
    return f"{name} is held by {lease.holder}" + ("" if held == name else f" (as {held})")


def _because(lease: Lease) -> str:
    return f" for: {lease.reason}" if lease.reason else ""


def _more(others: list[str]) -> str:
    return f", and others by {', '.join(others)}" if others else ""


def _promised(name: str, ahead: tuple[Waiter, ...]) -> LeaseHeld:
    first = ahead[0]
    return LeaseHeld(
        f"{name} is free, but {first.waiter} asked for it earlier and takes it next",
        hint=f"stand in line: `roost lease wait {name}`",
        key=name,
        holder=first.waiter,
        holders=sorted({waiter.waiter for waiter in ahead}),
        queue=len(ahead),
    )

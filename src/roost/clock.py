"""The three clocks of a store, and the rule that makes the store clock out of them.

The *store clock* counts milliseconds and never goes back: inside one boot it follows CLOCK_MONOTONIC, which no one can
set and which stops while the host sleeps; at a new boot it goes on from max(last, wall). Leases, offers, ranks and
reminders use it. Message expiry and not-before use the wall clock, held so that it never runs backwards.
"""

from __future__ import annotations

import time
from typing import Protocol

import msgspec


class Clock(Protocol):
    """What a store asks of a clock."""

    def monotonic_ms(self) -> int:
        """Milliseconds that only grow within one boot."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970 as the host believes."""
        ...

    def boot_id(self) -> str:
        """An id that changes with every boot of the host."""
        ...


class SystemClock:
    """The host's own clocks."""

    _boot = ""

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_id(self) -> str:
        if not SystemClock._boot:
            with open("/proc/sys/kernel/random/boot_id") as file:
                SystemClock._boot = file.read().strip()
        return SystemClock._boot


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start_ms: int = 1_800_000_000_000) -> None:
        self._monotonic = 1_000_000
        self._wall = start_ms
        self._boot = "boot-1"

    def monotonic_ms(self) -> int:
        return self._monotonic

    def wall_ms(self) -> int:
        return self._wall

    def boot_id(self) -> str:
        return self._boot

    def advance(self, seconds: float) -> None:
        """Let time pass on every clock."""
        self._monotonic += round(seconds * 1000)
        self._wall += round(seconds * 1000)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP would."""
        self._wall += round(seconds * 1000)


class Reading(msgspec.Struct, frozen=True):
    """What the store remembers of its clock; `offset` + CLOCK_MONOTONIC = store time, all in milliseconds."""

    boot_id: str
    offset: int
    last: int
    wall: int


def read(saved: Reading, clock: Clock) -> Reading:
    """Return the store's time now: never before `saved.last`, and steady whatever the wall clock does."""
    wall = max(saved.wall, clock.wall_ms())
    monotonic = clock.monotonic_ms()
    if saved.boot_id == clock.boot_id():
        return Reading(saved.boot_id, saved.offset, max(saved.last, saved.offset + monotonic), wall)
    start = max(saved.last, clock.wall_ms())
    return Reading(clock.boot_id(), start - monotonic, start, wall)

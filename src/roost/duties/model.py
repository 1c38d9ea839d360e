"""What is known about the duties that nobody has done yet, and about those that fail."""

from __future__ import annotations

import msgspec


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """A duty that waits to be done, in words, and for how many seconds; nothing is done on time while no process
    lives."""

    duty: str
    seconds: float


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A duty that fails whenever it is tried: its last error, since when, and how often in a row.

    `since` and `again_at`, before which it is not tried again, are milliseconds of the store clock.
    """

    duty: str
    error: str
    since: int
    count: int
    again_at: int

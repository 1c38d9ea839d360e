"""What is known about the duties that nobody has done yet."""

from __future__ import annotations

import msgspec


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    """A duty that waits to be done, in words, and for how many seconds; nothing is done on time while no process
    lives."""

    duty: str
    seconds: float

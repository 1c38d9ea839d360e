"""One wait for leases, from the place in the queue to the grant."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from roost.errors import LeaseLost, TimedOut
from roost.leases import rules
from roost.leases.model import Lease, Ticket

if TYPE_CHECKING:
    from roost.leases.service import Leases
    from roost.verbs import Sync


def until_granted(
    leases: Leases[Sync], stand: Callable[[], Ticket], timeout: float, idle: Callable[[float], None]
) -> tuple[Lease, ...]:
    """Stand in the queue and look until it is our turn: it reads while it waits, and writes to keep its place.

    `idle` waits for news for so many seconds at most. Raises TimedOut after `timeout` seconds, and what `stand` raises.
    """
    deadline = time.monotonic() + timeout
    ticket = stand()
    try:
        while not (granted := _taken(leases, ticket)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise _timed_out(ticket, timeout)
            idle(min(left, ticket.look_again_seconds))
            ticket = _looked(leases, ticket) or stand()
    except BaseException:
        leases.leave(ticket.number)
        raise
    return granted


def _taken(leases: Leases[Sync], ticket: Ticket) -> tuple[Lease, ...]:
    """Claim when it is our turn, and now and then to keep the place."""
    if not ticket.ready and ticket.lapses_in_seconds > rules.PATIENCE_SECONDS / 2:
        return ()
    try:
        return leases.claim(ticket.number)
    except LeaseLost:
        return ()


def _looked(leases: Leases[Sync], ticket: Ticket) -> Ticket | None:
    """Return the ticket anew; None when its place has lapsed because this process was stopped for so long."""
    try:
        return leases.look(ticket.number)
    except LeaseLost:
        return None


def _timed_out(ticket: Ticket, timeout: float) -> TimedOut:
    names = ", ".join(ticket.keys)
    by = f"held by {', '.join(ticket.held_by)}" if ticket.held_by else f"promised to {', '.join(ticket.behind)}"
    return TimedOut(f"{names} did not become free in {timeout:g} s: {by}", hint="wait again, or ask them", keys=names)

"""What becomes of a delivery: why it is held, what an answer about an offer means, when it is dead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roost.deliveries.model import STAGES, Delivery, Hold, Stage, Verdict
from roost.errors import InvalidInput

BATCHES_MAX = 100
"""Answers that one call names."""
MCP = "mcp"
"""The rung of mail that a session asks for over MCP: it comes as the result of a tool, in its envelope."""
EARLY_MS_MAX = 30_000
"""How long an offer may be missing from a transcript before it counts as lost."""


def hold_of(*, paused: bool, holding: str, operation: str, blocked: bool, not_before: int | None, wall: int) -> Hold:
    """Return why a delivery must wait, or '': the recipient is paused, its input belongs to another operation, a
    prerequisite is not delivered yet, or its time has not come."""
    if paused:
        return "paused"
    if holding and holding != operation:
        return "operation"
    if blocked:
        return "dependency"
    if not_before is not None and not_before > wall:
        return "not_before"
    return ""


def is_overdue(delivery: Delivery, wall: int) -> bool:
    """Say whether a delivery is expired by its time, whether or not that was written down.

    One that is offered is not: it may have arrived already, and only the agent's side knows.
    """
    return delivery.state in ("held", "pending") and delivery.expires_at is not None and delivery.expires_at <= wall


def used_up(attempts: int, offers_max: int) -> bool:
    """Say whether a delivery was offered so often without proof that it is dead."""
    return attempts >= offers_max


def is_lost(verdict: Verdict, delivery: Delivery, now: int) -> bool:
    """Say whether an offer never reached its session: its transcript shows an answer without it, or has not shown it
    for long.

    A client writes what a hook said within a tenth of a second (docs/decisions/010); a hook that was killed before it
    printed leaves no trace at all. The result of a tool is written once all that were called with it have ended.
    """
    may_be_overdue = verdict.found == "early" and delivery.rung != MCP
    return verdict.found == "absent" or (may_be_overdue and is_overdue_offer(delivery, now))


def is_overdue_offer(delivery: Delivery, now: int) -> bool:
    """Say whether an offer has been without its proof for long."""
    return now - (delivery.offered_at or now) > EARLY_MS_MAX


def is_fulfilled(delivery: Delivery) -> bool:
    """Say whether a message that waits for this delivery may go: it is acknowledged, or delivered and asked for no
    more."""
    return delivery.state == "acknowledged" or (delivery.state == "delivered" and not delivery.requires_ack)


def stage_of(delivery: Delivery) -> Stage:
    """Return the furthest stage a delivery reached."""
    return STAGES[delivery.stage]


def check_batches(batches: Sequence[str]) -> frozenset[str]:
    """Return the batches that a program names. Raises InvalidInput for what is none, and for more than 100."""
    if not isinstance(batches, (list, tuple)) or len(batches) > BATCHES_MAX:
        raise InvalidInput(f"at most {BATCHES_MAX} batches are named at once", hint="name them in several calls")
    for batch in batches:
        if not isinstance(batch, str) or _BATCH.fullmatch(batch) is None:
            raise InvalidInput(f"{repr(batch)[:40]} is no batch", hint="take it from the answer that brought the mail")
    return frozenset(batches)


_BATCH = re.compile(r"[0-9a-z]{8}")

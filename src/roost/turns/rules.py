"""What a client's event means for its session: what it does next, and when mail may wake it or keep it going."""

from __future__ import annotations

from roost.deliveries.model import Delivery
from roost.sessions.model import Mark, Session, State
from roost.turns.model import ClientEvent, EventKind

HOUR_MS = 3_600_000
TURN_SPARE = 1
"""Stops that are left to other people's hooks before the client's own cap ends the chain."""
START_MESSAGES_MAX = 5
START_MAIL_BYTES = 5_000
START_BYTES_MAX = 8_000
"""Mail and briefing together, which is what one injection may hold."""

_STATES: dict[EventKind, tuple[State, Mark]] = {
    "start": ("idle", "idle"),
    "prompt": ("busy", "producing"),
    "tool_before": ("busy", "tool"),
    "tool_after": ("busy", "producing"),
    "turn_end": ("idle", "idle"),
    "compacting": ("busy", "producing"),
    "waiting": ("waiting", "waiting"),
}
_EXHAUSTED = ("rate_limit", "billing_error", "overloaded")


def state_after(event: ClientEvent, session: Session, *, keeps_going: bool = False) -> tuple[State, Mark]:
    """Return the state and mark of a session after an event."""
    if event.kind == "turn_end" and keeps_going:
        return "busy", "producing"
    if event.kind == "turn_failed":
        return ("exhausted", "") if event.source in _EXHAUSTED else ("idle", "idle")
    return _STATES.get(event.kind, (session.state, session.mark))


def fallback_proof(event: ClientEvent) -> str:
    """Return the proof that this event is for an offer that cannot be read back; '' if it is none.

    An event before a tool may come while the same answer still runs other tools, so only an event after one proves anything.
    """
    return f"the following hook ({event.name})" if event.kind in ("tool_after", "prompt", "turn_end") else ""


def rung_of(event: ClientEvent) -> str:
    """Return the rung of the ladder by which this event's mail goes out."""
    return {"start": "start", "prompt": "prompt", "turn_end": "stop"}.get(event.kind, "hook")


def may_wake(session: Session, now: int, *, per_hour_max: int) -> bool:
    """Say whether a session may be woken or kept going once more within the hour."""
    return len(recent_wakes(session, now)) < per_hour_max


def recent_wakes(session: Session, now: int) -> tuple[int, ...]:
    """Return when the session was woken or kept going in the last hour."""
    return tuple(at for at in session.wakes if at > now - HOUR_MS)


def wake_refusal(session: Session, delivery: Delivery, now: int, *, per_hour_max: int) -> str:
    """Return why a message does not wake an idle session, or ''."""
    if not delivery.wakes:
        return "it asks for nothing"
    if not may_wake(session, now, per_hour_max=per_hour_max):
        return f"it was woken {per_hour_max} times in the last hour"
    return ""


def may_keep_going(event: ClientEvent, session: Session, now: int, *, per_hour_max: int) -> bool:
    """Say whether a turn that ends may go on for mail: within the hour's wakes, and never up to the client's own cap."""
    in_a_row = session.stops if event.stop_active else 0
    return event.takes_context and in_a_row < event.keep_going_max - TURN_SPARE and may_wake(
        session, now, per_hour_max=per_hour_max
    )

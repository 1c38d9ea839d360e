"""What a client's event means for its session: what it does next, and when mail may wake it or keep it going."""

from __future__ import annotations

from typing import Literal

from roost.sessions.model import Mark, Session, State
from roost.turns.model import ClientEvent, EventKind, LeasedFile, Looked

HOUR_MS = 3_600_000
TURN_SPARE = 1
"""Stops that are left to other people's hooks before the client's own cap ends the chain."""
START_MESSAGES_MAX = 5
START_MAIL_BYTES = 5_000
START_NOTES_BYTES = 1_000
START_BYTES_MAX = 8_000
"""Mail and briefing together, which is what one injection may hold."""

LOSES_CONTEXT = {"compact": "its context was compacted", "clear": "its context was cleared", "resume": "it was resumed"}
"""How a conversation can start anew in the process that it had: what the model was shown before counts no more."""

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
    if (event.kind == "compacting" and event.source == "manual") or event.source == "compact":
        return session.state, session.mark  # asked for by an idle person, or in the middle of a turn
    return _STATES.get(event.kind, (session.state, session.mark))


def fallback_proof(event: ClientEvent) -> str:
    """Return the proof that this event is for an offer that cannot be read back; '' if it is none.

    Before a tool, or after one of several, the same answer may still be at work; and a subagent's hooks say nothing
    about what the agent itself saw.
    """
    proves = event.after_answer and not event.in_subagent and event.kind in ("tool_after", "prompt", "turn_end")
    return f"the following hook ({event.name})" if proves else ""


def rung_of(event: ClientEvent) -> str:
    """Return the rung of the ladder by which this event's mail goes out."""
    return {"start": "start", "prompt": "prompt", "turn_end": "stop"}.get(event.kind, "hook")


def may_wake(session: Session, now: int, *, per_hour_max: int) -> bool:
    """Say whether a session may be woken or kept going once more within the hour."""
    return len(recent_wakes(session, now)) < per_hour_max


def recent_wakes(session: Session, now: int) -> tuple[int, ...]:
    """Return when the session was woken or kept going in the last hour."""
    return tuple(at for at in session.wakes if at > now - HOUR_MS)


def may_keep_going(event: ClientEvent, session: Session, now: int, *, per_hour_max: int) -> bool:
    """Say whether a turn that ends may go on for mail: within the hour's wakes, and below the client's own cap."""
    in_a_row = session.stops if event.stop_active else 0
    return (
        event.takes_context
        and in_a_row < event.keep_going_max - TURN_SPARE
        and may_wake(session, now, per_hour_max=per_hour_max)
    )


Change = Literal["none", "own", "unsure", "violation"]


def change_of(known: LeasedFile, seen: Looked, *, is_holder: bool, was_edited: bool, holder_is_at_work: bool) -> Change:
    """Say what it means that a leased file holds something else than its holder's turn last saw.

    `was_edited`: a tool of the event may have changed it. What changes while its holder is at work too may be the
    holder's; and what its holder never saw cannot be told from what it was.
    """
    if not was_edited or (known.stamp and known.digest == seen.digest):
        return "none"
    if is_holder:
        return "own"
    if not known.stamp:
        return "none"
    return "unsure" if holder_is_at_work else "violation"

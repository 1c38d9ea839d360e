"""What the signs of life of a session mean, and which name a new one gets."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from roost.sessions.model import Beat, Mark, Session, State

_STATE_OF: dict[Mark, State] = {"producing": "busy", "tool": "busy", "waiting": "waiting", "idle": "idle"}

STALLED_AFTER_SECONDS = 300.0
"""A working agent that gives no sign for so long is shown as stalled: model calls of several minutes are ordinary."""
GENERATED_RETIRES_AFTER_MS = 24 * 3_600_000
GONE, SILENT = "its process is gone", "no sign of life"
"""How the reasons begin for which Roost ends a session that did not end itself."""


def lives(session: Session, seen: bool | None, now: int) -> bool:
    """Say whether a session lives: by its process where that is seen, else by its last beat and ttl.

    A person's session has no process and never dies of silence.
    """
    if session.ended_at is not None:
        return False
    if session.process is None:
        return True
    if seen is not None:
        return seen
    return now - session.beat_at <= session.ttl_ms


def shown_state(session: Session, alive: bool, silent_seconds: float) -> State:
    """Return the state to show: an ended or dead session is offline; a working one that is silent is stalled, not
    dead."""
    if not alive:
        return "offline"
    if session.state in ("busy", "starting") and silent_seconds > STALLED_AFTER_SECONDS:
        return "stalled"
    return session.state


def with_beat(session: Session, beat: Beat | None, now: int) -> tuple[Session, float]:
    """Return a session with what its newest sign of life says, and for how many seconds it has been silent.

    Hooks with nothing to do beat into a file and leave the store alone, so the file may know better than the row.
    """
    stored = max(0, now - session.beat_at) / 1000
    if beat is None or beat.age_seconds > stored:
        return session, stored
    state = _STATE_OF.get(beat.mark)
    if state is None or session.state in ("paused", "exhausted") or state == session.state:
        return session, beat.age_seconds
    since = now - round(beat.age_seconds * 1000)
    return msgspec.structs.replace(session, state=state, mark=beat.mark, operation="", since=since), beat.age_seconds


def offline_since(last: Session, beat: Beat | None, now: int) -> int:
    """Return since when an agent is offline whose last session is over; where that died, since its last sign of life,
    whenever it was found dead."""
    if not last.end_reason.startswith((GONE, SILENT)):
        return last.ended_at or 0
    _, silent_seconds = with_beat(last, beat, now)
    return now - round(silent_seconds * 1000)


def is_working(state: State) -> bool:
    """Say whether an agent in this state is doing something now."""
    return state in ("starting", "busy", "waiting")


def mark_of(state: State) -> Mark:
    """Return the mark that goes with a state when nothing finer is known."""
    marks: dict[State, Mark] = {"busy": "producing", "waiting": "waiting", "idle": "idle"}
    return marks.get(state, "")


def next_generated_name(client: str, taken: Callable[[str], bool]) -> str:
    """Return the first free `client-N`: names of earlier agents stay taken while mail may wait for them."""
    number = 1
    while taken(f"{client}-{number}"):
        number += 1
    return f"{client}-{number}"
